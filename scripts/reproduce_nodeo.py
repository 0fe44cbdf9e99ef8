"""Put the NODEO paper to the test: its figure 4 and table 1 in 2D, a 3D pair at full size, and how the cost grows.

Every number comes from brain_mr_nodeo_registration as a user runs it, on one thread a pair. A pair that is done is not
done again, so a run that was stopped goes on where it was. The report and the figure are written to --output_dir.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_bundle_zoo import ROOT
from shared.errors import InputError, report_input_errors_in_one_line
from shared.files import read_table, write_json
from shared.studies.nodeo import Registered, write_report
from shared.tasks.registration.subjects import find_subjects

BUNDLE = ROOT / "bundles" / "brain_mr_nodeo_registration"
FIXED_IDS, BELOW = (1, 10, 20, 30, 40), 50  # of the paper's table 1
FIGURE_IDS = (1, 2)  # moving and fixed, of its figure 4
ABLATION: dict[str, dict[str, Any]] = {
    "both": {},
    "no Jacobian term": {"paper#folds": 0.0},
    "no smoothing": {"paper#smoothing": "none"},
    "neither": {"paper#folds": 0.0, "paper#smoothing": "none"},
}
METHODS: dict[str, dict[str, Any]] = {
    "paper, λ₁ 2.5": {"preset": "paper"},
    "paper, λ₁ 2.0": {"preset": "paper", "paper#folds": 2.0},
    "fast": {"preset": "fast"},
}
GROWTH_MM = (2.0, 1.5, 1.0)  # spacings at which the 3D pair is registered


@dataclass
class Study:
    """Runs the bundle, each time into a folder of its own."""

    output_dir: Path
    workers: int

    def register(self, name: str, pairs: Sequence[Mapping[str, str]], **options: Any) -> Registered:
        """Register `pairs` (rows of a pairs.csv) with `options` of inference.json, but for those that are done."""
        folder = self.output_dir / re.sub(r"\W+", "_", name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(pairs[0]))
            writer.writeheader()
            writer.writerows(pairs)
        ids = {pair["id"] for pair in pairs}
        done = {row["case"] for row in read_table(folder / "summary.csv")}
        if not (ids <= done and (folder / "peak.json").is_file()):
            self._run(folder, {"pictures": False, "workers": self.workers, **options})
        rows = [row for row in read_table(folder / "summary.csv") if row["case"] in ids]
        peak = json.loads((folder / "peak.json").read_text(encoding="utf-8"))["MiB"]
        return Registered(name, folder, rows, peak)

    def _run(self, folder: Path, options: Mapping[str, Any]) -> None:
        config = str(BUNDLE / "configs" / "inference.json")
        command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file", config]
        for key, value in {"dataset_dir": folder, "output_dir": folder, "resume": True, **options}.items():
            command += [f"--{key}", str(value)]
        with (folder / "log.txt").open("w") as log:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(command, stdout=log, stderr=sys.stderr, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            last = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
            raise InputError(folder, expected="every pair to be registered", got=str(last), fix="see its log.txt")
        write_json(folder / "peak.json", {"MiB": usage.ru_maxrss / 1024})


def pair_of(moving: Mapping[str, str], fixed: Mapping[str, str]) -> dict[str, str]:
    row = {"id": f"{moving['case']}_to_{fixed['case']}"}
    for role, subject in (("moving", moving), ("fixed", fixed)):
        row |= {role: str(Path(subject["image"]).resolve()), f"{role}_label": str(Path(subject["label"]).resolve())}
    return row


def by_number(dataset_dir: Path, label_suffix: str) -> dict[int, dict[str, str]]:
    """The labelled subjects of Neurite-OASIS by the number in their name. Raises InputError for another data set."""
    subjects = {}
    for subject in find_subjects(dataset_dir, label_suffix):
        match = re.search(r"OAS1_(\d+)", subject["case"])
        if match and "label" in subject:
            subjects[int(match[1])] = subject
    missing = {*FIXED_IDS, *FIGURE_IDS} - subjects.keys()
    if missing:
        raise InputError(
            dataset_dir, expected="labelled Neurite-OASIS subjects in folders OASIS_OAS1_0001_MR1 …",
            got=f"none of number {min(missing)}", fix="give --dataset_dir",
        )  # fmt: skip
    return subjects


def pairs_of_table(subjects: Mapping[int, Mapping[str, str]]) -> list[dict[str, str]]:
    """Each of FIXED_IDS with all other subjects below BELOW as its moving image."""
    below = sorted(number for number in subjects if number < BELOW)
    return [pair_of(subjects[n], subjects[fixed]) for fixed in FIXED_IDS for n in below if n != fixed]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--dataset_dir", type=Path, default=ROOT / "data" / "oasis2d", help="Neurite-OASIS, slices")
    parser.add_argument("--volumes_dir", type=Path, help="two or more Neurite-OASIS volumes with their 35 labels")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/nodeo_study"))
    parser.add_argument("--docs_dir", type=Path, help="gets the report too, and the figure without any image")
    parser.add_argument("--workers", type=int, default=0, help="pairs registered side by side; 0: one after another")
    parser.add_argument("--most", type=int, help="pairs of table 1, at most")
    parser.add_argument("--volume_presets", nargs="*", default=["fast", "paper"], help="the paper's takes hours")
    return parser.parse_args()


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parse()
    study = Study(arguments.output_dir.resolve(), arguments.workers)
    subjects = by_number(arguments.dataset_dir, "_seg24")

    moving, fixed = (subjects[number] for number in FIGURE_IDS)
    ablation = {
        name: study.register(f"figure {name}", [pair_of(moving, fixed)], preset="paper", **options)
        for name, options in ABLATION.items()
    }
    pairs = pairs_of_table(subjects)[: arguments.most]
    table = [study.register(f"table {name}", pairs, **options) for name, options in METHODS.items()]

    volumes, growth = [], []
    if arguments.volumes_dir:
        first, second, *_ = find_subjects(arguments.volumes_dir, "_seg35")
        pair = [pair_of(first, second)]
        volumes = [study.register(f"volume {p}", pair, preset=p, workers=0) for p in arguments.volume_presets]
        growth = [study.register(f"growth {mm} mm", pair, pixdim=mm, workers=0) for mm in GROWTH_MM]
    for folder, images in ((arguments.output_dir, True), (arguments.docs_dir, False)):
        if folder:
            write_report(folder, ablation, table, volumes, growth, images=images)
    print(f"report: {(arguments.output_dir / 'study.md').resolve()}")


if __name__ == "__main__":
    main()
