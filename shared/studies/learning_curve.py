"""How much a segmentation learns from few and from many label maps, in trainings that differ in nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import InputError
from shared.files import read_table, write_atomically, write_json
from shared.images.cases import find_cases
from shared.studies.pictures import draw_curves
from shared.studies.robustness import contrast_of
from shared.studies.running import run_config

PICTURE = "learning_curve.png"
NETWORK = {"network_def#filters": [16, 32, 64, 128], "pixdim": [4.0, 4.0, 4.0]}
BUDGET: dict[str, Any] = {
    "patch_size": [48, 48, 48], "batch_size": 4, "samples_per_epoch": 200, "learning_rate": 0.002, "ema_momentum": 0.01,
    "validation_samples": 4, "ranges": {"weighted": 0.7, "thin_slices": 5.0},
}  # fmt: skip
REPORT = """# How much the number of label maps matters

Small networks (16, 32, 64 and 128 features, at 4 mm), trained alike from scratch but for the number of label maps that
their synthetic images are made of: {epochs} epochs of {samples} images, {steps} steps of {batch}, a small budget.
Compare these scores with each other and not with the card's. Each network is scored after its last epoch by
`evaluate.json` on real heads ({heads}) that none was trained on. Made by
```
{command}
```

![Dice against the number of label maps]({picture})

*Lines: means over the heads, their range shaded.*

{table}
"""


@dataclass(frozen=True)
class Curve:
    """Trainings of a bundle, one a number of `maps`, each in a folder of its own. What is done is not done again.

    label_maps: their folder. heads: the data set that scores, as evaluate.json takes it.
    """

    bundle: Path
    folder: Path
    label_maps: Path
    heads: Path
    epochs: int
    threads: int = 1

    def scores(self, count: int) -> dict[str, float]:
        """The Dice of each head of `heads`, by a network that was trained on the first `count` maps."""
        folder = self.folder / f"{count}_maps_{self.epochs}_epochs"
        if len(read_table(folder / "metrics.csv")) < self.epochs:
            self._train(count, folder)
        if not (folder / "heads" / "metrics.csv").is_file():
            options = {"dataset_dir": self.heads.resolve(), "weights": folder.resolve() / "model.pt", "pictures": False}
            self._run("evaluate", folder / "heads", options)
        rows = read_table(folder / "heads" / "metrics.csv")
        return {row["case"]: float(row["dice_mean"]) for row in rows}

    def _train(self, count: int, folder: Path) -> None:
        # Only the last epoch is validated, so that none is chosen by its score.
        epochs = {"max_epochs": self.epochs, "val_interval": self.epochs, "resume": True}
        self._run("train", folder, {**BUDGET, **epochs, "dataset_dir": self._linked(count, folder / "maps")})

    def _linked(self, count: int, folder: Path) -> Path:
        """A data set of links to the first `count` maps; the first is the one that validates, too."""
        maps = [Path(case["image"]).resolve() for case in find_cases(self.label_maps, kinds=["volume"])]
        if not 0 < count <= len(maps):
            raise InputError("--maps", expected=f"1 to {len(maps)}", got=count, fix=f"or add to {self.label_maps}")
        folder.mkdir(parents=True, exist_ok=True)
        ending = "".join(maps[0].suffixes)
        for name, path in [(f"validation{ending}", maps[0]), *((path.name, path) for path in maps[:count])]:
            if not (folder / name).exists():
                (folder / name).symlink_to(path)
        write_json(folder / "dataset.json", {"validation": [f"validation{ending}"]})
        return folder.resolve()

    def _run(self, config: str, output_dir: Path, options: Mapping[str, Any]) -> None:
        options = {**NETWORK, **options, "output_dir": output_dir.resolve()}
        path, log = self.bundle / "configs" / f"{config}.json", self.folder / f"{config}.txt"
        run_config(f"{config} at {output_dir}", path, options, log=log, threads=self.threads)


def write_report(folder: Path, scores: Mapping[int, Mapping[str, float]], *, epochs: int, command: str) -> str:
    """Write learning_curve.md and its picture into `folder`, and return the text. scores: of each head, by maps."""
    counts = sorted(scores)
    by_contrast: dict[str, list[list[float]]] = {}
    for head in sorted(scores[counts[0]]):
        by_contrast.setdefault(contrast_of(head), []).append([scores[count][head] for count in counts])
    curves = {contrast: (counts, heads) for contrast, heads in sorted(by_contrast.items(), reverse=True)}
    draw_curves(folder / PICTURE, {"label maps": curves}, ylabel="Dice", ticks={"label maps": [*map(str, counts)]})
    samples, batch = BUDGET["samples_per_epoch"], BUDGET["batch_size"]
    text = REPORT.format(
        epochs=epochs, samples=samples, batch=batch, steps=epochs * samples // batch, command=command,
        picture=PICTURE, heads=", ".join(f"{len(heads)} {contrast}" for contrast, (_, heads) in curves.items()),
        table=_table(counts, curves),
    )  # fmt: skip
    write_atomically(folder / "learning_curve.md", lambda path: path.write_text(text, encoding="utf-8"))
    return text


def _table(counts: Sequence[int], curves: Mapping[str, tuple[Sequence[int], Sequence[Sequence[float]]]]) -> str:
    means = {contrast: np.mean(heads, axis=0) for contrast, (_, heads) in curves.items()}
    lines = [["label maps", *(f"Dice, {contrast}" for contrast in means)], ["--:"] * (len(means) + 1)]
    lines += [[str(count), *(f"{values[i]:.3f}" for values in means.values())] for i, count in enumerate(counts)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
