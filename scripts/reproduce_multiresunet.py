"""Put the claims of the MultiResUNet paper to the test on a folder of images and masks.

Trains the paper's four networks under one protocol, that of membrane_em_segmentation's train.json without flips and
turns, in k-fold cross-validation, and writes a report: a table, convergence and robustness curves, a picture of what
each network makes of easy, faint and hard places, and what that says about each claim. A run that was stopped goes on
where it was. Any option of train.json may be given besides, such as --batch_size 8.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import create_workflow
from PIL import Image
from torch import nn
from tqdm import tqdm

from monai_bundle_zoo import ROOT
from shared.engine.inferers import AutocastInferer
from shared.errors import InputError, report_input_errors_in_one_line
from shared.files import read_table, write_atomically, write_json, write_table
from shared.images.cases import split_cases
from shared.images.checking import ReadCased, ReadLabeld
from shared.studies.multiresunet import NETWORKS, write_report
from shared.studies.perturbing import PERTURBATIONS, perturb
from shared.studies.running import options_of, run_config
from shared.tasks.segmentation.boundaries import boundary_scores, tiles
from shared.tasks.segmentation.metrics import jaccard_indices

CONFIGS = ROOT / "bundles" / "membrane_em_segmentation" / "configs"
# Without turns each network can learn on which side of a boundary the labels lie, and needs no offset.
PROTOCOL = {"turns": False, "label_offset": [0.0, 0.0]}
TILE_PX = 128  # where the worst places are looked for


@dataclass
class Run:
    """One network trained without one fold of the cases."""

    network: str
    fold: int
    folder: Path
    options: dict[str, Any]  # overrides of train.json

    def is_trained(self) -> bool:
        return len(read_table(self.folder / "metrics.csv")) >= self.options["max_epochs"]

    def train(self, threads: int) -> None:
        options = {**self.options, "output_dir": self.folder.resolve(), "resume": True}
        name, log = f"training {self.network}, fold {self.fold}", self.folder / "log.txt"
        run_config(name, CONFIGS / "train.json", options, log=log, threads=threads)

    def evaluate(self) -> list[dict[str, Any]]:
        """A row a validation case and perturbation; the predictions of the unperturbed cases go to predictions/."""
        table = self.folder / "scores.csv"
        if not table.is_file():
            write_table(table, list(self._scores()))
        return [{k: _number(v) for k, v in row.items()} for row in read_table(table)]

    def _scores(self) -> Iterator[dict[str, Any]]:
        known = json.loads((CONFIGS / "evaluate.json").read_text(encoding="utf-8"))
        options = {k: v for k, v in self.options.items() if k.partition("#")[0] in known}
        workflow = create_workflow(
            config_file=str(CONFIGS / "evaluate.json"), workflow_type="infer", part="validation",
            output_dir=str(self.folder), **options,
        )  # fmt: skip
        network = workflow.network_def.to(workflow.device)
        load_average(network, self.folder / "last.pt")
        transforms = workflow.parser.get_parsed_content("preprocessing").transforms
        read = [t for t in transforms if isinstance(t, ReadCased | ReadLabeld)]
        prepare = [t for t in transforms if not isinstance(t, ReadCased | ReadLabeld)]
        names = workflow.parser.get_parsed_content("class_names")
        inferer = AutocastInferer()

        def predict(image: Any) -> np.ndarray:
            data = {"image": image}
            for transform in prepare:
                data = transform(data)
            with torch.inference_mode():
                logits = inferer(data["image"].as_tensor()[None].to(workflow.device), network.eval())
            return logits[0].argmax(dim=0).cpu().numpy().astype(np.uint8)

        for case in workflow.parser.get_parsed_content("cases"):
            data: Any = dict(case)
            for transform in read:
                data = transform(data)
            image, reference = data["image"], data["label"][0].numpy().astype(np.uint8)
            rng = np.random.default_rng(0)  # the same noise for every network
            for perturbation, level in [
                ("", 0.0),
                *((p, v) for p, (_, levels) in PERTURBATIONS.items() for v in levels),
            ]:
                seen = image
                if perturbation:
                    seen = image.clone()
                    seen[:] = torch.from_numpy(perturb(image.numpy(), perturbation, level, rng))
                labels = predict(seen)
                row = {"network": self.network, "fold": self.fold, "case": case["case"], "image": case["image"]}
                row |= {"perturbation": perturbation, "level": level}
                for kind, ids in (("prediction", labels), ("reference", reference)) if not perturbation else ():
                    row[kind] = self.folder / f"{kind}s" / f"{case['case']}.png"
                    write_atomically(row[kind], Image.fromarray(ids).save)
                values = jaccard_indices(labels, reference, len(names))
                row |= {"jaccard_mean": float(np.nanmean(values))}
                row |= {f"jaccard_{name}": float(value) for name, value in zip(names, values)}
                if not perturbation:
                    parts = [
                        float(np.nanmean(jaccard_indices(labels[t], reference[t], len(names))))
                        for t in tiles(labels.shape, TILE_PX)
                    ]
                    row |= boundary_scores(labels, reference, image[0].numpy())
                    row |= {"tile_p5": float(np.percentile(parts, 5)), "tile_worst": min(parts)}
                yield row


def load_average(network: nn.Module, path: Path) -> None:
    """The running average of the last epoch: none is chosen on the cases that it will be scored on."""
    state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    network.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if k != "n_averaged"})


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def parse() -> tuple[argparse.Namespace, dict[str, Any]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--dataset_dir", type=Path, default=ROOT / "data" / "em_membrane", help="images/ and labels/")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/multiresunet_study"))
    parser.add_argument("--docs_dir", type=Path, help="gets the report too, without any of the images")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--max_epochs", type=int, default=20)
    parser.add_argument("--val_interval", type=int, default=2)
    parser.add_argument("--filters", type=int, nargs="+", default=[16, 32, 64, 128, 256], help="U of each level")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--workers", type=int, default=1, help="runs trained at once; the processors are shared out")
    parser.add_argument("--device", help="as in train.json: the GPU, where there is one")
    parser.add_argument("--report", action="store_true", help="train no more: report the folds that are done")
    arguments, rest = parser.parse_known_args()
    if arguments.folds < 2:
        raise InputError("--folds", expected="2 or more", got=arguments.folds, fix="choose another number")
    return arguments, dict(options_of(rest))


def planned_runs(arguments: argparse.Namespace, extra: Mapping[str, Any]) -> list[Run]:
    """Fold by fold, so that a study that is stopped early has compared all networks on something."""
    common: dict[str, Any] = {
        "dataset_dir": str(arguments.dataset_dir.resolve()),
        "validation_fraction": 1 / arguments.folds,
        "max_epochs": arguments.max_epochs,
        "val_interval": arguments.val_interval,
        "network_def#filters": arguments.filters,
        **PROTOCOL,
        **({"device": arguments.device} if arguments.device else {}),
        **extra,
    }
    splits = [
        split_cases(arguments.dataset_dir, fraction=1 / arguments.folds, fold=fold) for fold in range(arguments.folds)
    ]
    folds = arguments.folds if splits[0]["validation"] != splits[1]["validation"] else 1  # dataset.json decides
    settings = {k: v for k, v in common.items() if k not in ("device", "compile", "num_workers")}
    path = arguments.output_dir / "settings.json"
    if path.is_file() and (former := json.loads(path.read_text(encoding="utf-8"))) != settings:
        changed = sorted(k for k in {*former, *settings} if former.get(k) != settings.get(k))
        raise InputError(
            path, expected="the settings this study was begun with", got=f"other values of {', '.join(changed)}",
            fix="choose another --output_dir",
        )  # fmt: skip
    write_json(path, settings)
    return [
        Run(name, fold, arguments.output_dir / "runs" / f"{_slug(name)}_fold{fold}",
            {**common, "fold": fold, "network_def#block": NETWORKS[name][0], "network_def#skip": NETWORKS[name][1]})
        for fold in range(folds)
        for name in arguments.networks
    ]  # fmt: skip


def _slug(name: str) -> str:
    return name.lower().replace(" + ", "_").replace("-", "")


def main() -> None:
    report_input_errors_in_one_line()
    arguments, extra = parse()
    runs = planned_runs(arguments, extra)
    if arguments.report:
        unfinished = {run.fold for run in runs if not run.is_trained()}
        runs = [run for run in runs if run.fold not in unfinished]
        if not runs:
            raise InputError("--report", expected="a fold that is done", got="none", fix="leave it out")
    threads = max(1, (os.cpu_count() or 1) // arguments.workers)
    with ThreadPoolExecutor(arguments.workers) as pool:
        waiting = [run for run in runs if not run.is_trained()]
        for _ in tqdm(
            pool.map(lambda run: run.train(threads), waiting), total=len(waiting), unit="run", desc="training"
        ):
            pass
    rows = [row for run in tqdm(runs, unit="run", desc="scoring") for row in run.evaluate()]
    write_table(arguments.output_dir / "scores.csv", rows)
    histories = {(run.network, run.fold): read_table(run.folder / "metrics.csv") for run in runs}
    settings = {"folds": arguments.folds, "max_epochs": arguments.max_epochs, "val_interval": arguments.val_interval}
    settings |= {"filters": " ".join(map(str, arguments.filters)), **extra}
    command = " ".join(["python scripts/reproduce_multiresunet.py", *(f"--{k} {v}" for k, v in settings.items())])
    print(
        write_report(
            arguments.output_dir,
            rows,
            histories,
            filters=arguments.filters,
            channels=extra.get("channels", 1),
            command=command,
            docs_dir=arguments.docs_dir,
        )
    )


if __name__ == "__main__":
    main()
