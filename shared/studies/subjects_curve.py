"""How much a registration network learns from few and from many subjects, in trainings that differ in nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import InputError
from shared.files import read_json, write_atomically, write_json
from shared.images.cases import Case
from shared.studies.candidates import Candidate
from shared.studies.pictures import draw_lines
from shared.studies.running import run_config_here
from shared.tasks.registration.subjects import split_subjects

PICTURE = "learning_curve.png"
ALONE, REFINED, BEFORE = "the network", "with refinement", "before"
REPORT = """# How much the number of subjects matters

Networks trained by `train.json` alike, from scratch and with one seed, but for the number of subjects that pairs are
drawn from: {budget}, however few the subjects. The fewer subjects are among the more. Scores are those of
`evaluate.json` after the last epoch, on {pairs} pairs of the same validation subjects for all, which none was trained
on. Refinement: {steps} steps on each pair by its images. The budget is small: compare these scores with each other and
not with the card's. Made by
```
{command}
```

![Dice against the number of subjects]({picture})

{table}

±: the standard deviation over the pairs. Before registration their Dice is {before:.3f}.
"""

Scores = Mapping[str, Sequence[float]]  # the Dice of each pair, by what registered it


@dataclass(frozen=True)
class SubjectsCurve:
    """Trainings of a bundle, one a number of subjects, each in a folder of its own. What is done is not done again.

    validation: subjects that score, the same for all; 0: those of the split. options: others of train.json.
    """

    bundle: Path
    folder: Path
    dataset_dir: Path
    epochs: int
    filters: Sequence[int]
    steps: int = 50
    validation: int = 0
    threads: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    run: Callable[..., None] = run_config_here

    def scores(self, count: int) -> Scores:
        """By a network that was trained on `count` subjects. Raises InputError where there are not as many."""
        folder = self.folder / f"{count}_subjects"
        network_def = read_json(self.bundle / "configs" / "train.json")["network_def"] | {"filters": [*self.filters]}
        candidate = Candidate(
            f"{count} subjects", network_def, self.bundle / "configs", folder,
            self._linked(count, folder / "subjects"), self.threads, self.options, self.run,
        )  # fmt: skip
        candidate.train(self.epochs)
        rows, refined = candidate.rows(), candidate.rows("refined", refine_steps=self.steps)
        return {
            BEFORE: [float(row["dice_before"]) for row in rows],
            ALONE: [float(row["dice_after"]) for row in rows],
            REFINED: [float(row["dice_after"]) for row in refined],
        }

    def parts(self) -> dict[str, list[Case]]:
        """The subjects for training, in the order in which they are taken, and those for validation."""
        config = read_json(self.bundle / "configs" / "train.json") | self.options
        parts = split_subjects(
            self.dataset_dir, label_suffix=config["label_suffix"], fraction=config["validation_fraction"],
            seed=config["seed"],
        )  # fmt: skip
        order = np.random.default_rng(config["seed"]).permutation(len(parts["training"])).tolist()
        validation = parts["validation"][: self.validation or None]
        return {"training": [parts["training"][i] for i in order], "validation": validation}

    def _linked(self, count: int, folder: Path) -> Path:
        """A data set of links: a folder a subject, `count` of them for training."""
        parts = self.parts()
        if not 2 <= count <= len(parts["training"]):
            limits = f"2 to {len(parts['training'])}"
            raise InputError("--subjects", expected=limits, got=count, fix="choose another number")
        for subject in [*parts["training"][:count], *parts["validation"]]:
            own = folder / _name(subject)
            own.mkdir(parents=True, exist_ok=True)
            for stem, path in (("image", Path(subject["image"])), ("image_seg", Path(subject["label"]))):
                link = own / f"{stem}{''.join(path.suffixes)}"
                if not link.is_symlink():
                    link.symlink_to(path.resolve())
        write_json(folder / "dataset.json", {"validation": [_name(subject) for subject in parts["validation"]]})
        return folder


def write_report(folder: Path, scores: Mapping[int, Scores], *, steps: int, budget: str, command: str) -> str:
    """Write learning_curve.md and its picture into `folder`, and return the text. scores: by subjects."""
    counts = sorted(scores)
    lines = {who: (counts, [float(np.mean(scores[n][who])) for n in counts]) for who in (ALONE, REFINED)}
    draw_lines(folder / PICTURE, {"Dice": lines}, xlabel="training subjects", ticks=[*map(str, counts)])
    head = ["subjects", *(f"Dice, {who}" for who in lines), "gain of refinement"]
    rows = [head, ["--:"] * len(head), *(_row(n, scores[n]) for n in counts)]
    before = scores[counts[0]][BEFORE]
    text = REPORT.format(
        budget=budget, pairs=len(before), steps=steps, command=command, picture=PICTURE, before=np.mean(before),
        table="\n".join(f"| {' | '.join(row)} |" for row in rows),
    )  # fmt: skip
    write_atomically(folder / "learning_curve.md", lambda path: path.write_text(text, encoding="utf-8"))
    return text


def _row(count: int, scores: Scores) -> list[str]:
    figures = [f"{np.mean(scores[who]):.3f} ± {np.std(scores[who]):.3f}" for who in (ALONE, REFINED)]
    return [str(count), *figures, f"{np.mean(scores[REFINED]) - np.mean(scores[ALONE]):+.3f}"]


def _name(subject: Case) -> str:
    return subject["case"].replace("/", "_")
