"""Which of several networks nobody beats on both score and time, and the report of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from shared.files import read_json, write_atomically
from shared.studies.multiresunet import paired
from shared.studies.pictures import draw_front

PICTURE = "networks.png"
REPORT = """# Networks by score and time

Which network should a bundle have: one that no other beats on both score and time. Every network was trained by its
bundle's `train.json` from scratch, with the same seed, on the same images in the same order, and is scored by
`evaluate.json` on the bundle's validation split, by the running average of the weights after the last epoch, so that no
epoch was chosen by its score. The budgets are short: compare scores with each other and not with the card's. Made by
`make compare-networks` and `make reproduce-family`.

![Score against time of each network]({picture})

*The line joins those that no other beats on both.*

{bundles}"""
BUNDLE = """## {bundle}

{epochs} epochs each; {cases} validation images; times of one image of {size} by the bundle's own inference, in float32
on one thread where nothing else is written: the least of rounds that alternate, in the processor's time for one thread
and the clock's for two. A step of training is one of the bundle's batches and patches, its time as above; its memory is
counted, in float32: the tensors that exist at once, weights, gradients and the optimiser's state among them.
```
{command}
```

{table}

On the front: {front}. p: Wilcoxon's signed-rank test over the images against {baseline}; each network was trained once,
so that a difference between networks may be one between two trainings.
"""


@dataclass
class Point:
    """A network, trained and timed.

    scores: of each case. ms: of one image, by what was measured, such as "1 thread". gflop: of one image.
    step_ms, step_mib: time and memory of a step of training.
    """

    name: str
    scores: Mapping[str, float]
    ms: Mapping[str, float]
    gflop: float
    parameters: int
    step_ms: float
    step_mib: float

    @property
    def score(self) -> float:
        return float(np.mean([*self.scores.values()]))


@dataclass
class Compared:
    """The networks of a bundle, the first of which is the baseline.

    metric: of `Point.scores`. size: of the image. command: what repeats it. time: of `Point.ms`, what the front is of.
    """

    bundle: str
    metric: str
    epochs: int
    size: Sequence[int]
    points: Sequence[Point]
    command: str
    time: str = "1 thread"

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `dataclasses.asdict` gave, from JSON."""
        content = read_json(path)
        return cls(**content | {"points": [Point(**point) for point in content["points"]]})


def front(points: Sequence[Point], time: str) -> list[Point]:
    """Those that no other is at least as good as on both score and `time`, better on one; fastest first."""

    def is_beaten(point: Point) -> bool:
        return any(
            other.score >= point.score
            and other.ms[time] <= point.ms[time]
            and (other.score > point.score or other.ms[time] < point.ms[time])
            for other in points
        )

    return sorted((point for point in points if not is_beaten(point)), key=lambda point: point.ms[time])


def write_report(folder: Path, compared: Sequence[Compared]) -> str:
    """Write networks.md and its picture into `folder`, and return the text."""
    panels = {
        each.bundle: (
            {point.name: (point.ms[each.time], point.score) for point in each.points},
            [point.name for point in front(each.points, each.time)],
        )
        for each in compared
    }
    draw_front(folder / PICTURE, panels, xlabel=f"ms an image ({compared[0].time})", ylabel="score")
    text = REPORT.format(picture=PICTURE, bundles="\n".join(_section(each) for each in compared))
    write_atomically(folder / "networks.md", lambda path: path.write_text(text, encoding="utf-8"))
    return text


def _section(compared: Compared) -> str:
    best, baseline = front(compared.points, compared.time), compared.points[0]
    times = list(baseline.ms)
    head = ["network", compared.metric, f"against {baseline.name}", "p", *(f"ms, {time}" for time in times)]
    head += ["GFLOP", "parameters", "step, ms", "step, MiB"]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for point in compared.points:
        found = paired({p.name: p.scores for p in (point, baseline)}, point.name, baseline.name)
        against = ["", ""] if point is baseline else [f"{found['difference']:+.4f}", f"{found['p']:.2g}"]
        name = f"**{point.name}**" if point in best else point.name
        figures = [*against, *(f"{point.ms[time]:.0f}" for time in times), f"{point.gflop:.1f}"]
        step = [f"{point.step_ms:.0f}", f"{point.step_mib:.0f}"]
        lines.append([name, f"{point.score:.4f}", *figures, f"{point.parameters:,}", *step])
    return BUNDLE.format(
        bundle=compared.bundle,
        epochs=compared.epochs,
        cases=len(baseline.scores),
        size=" × ".join(map(str, compared.size)),
        command=compared.command,
        table="\n".join("| " + " | ".join(line) + " |" for line in lines),
        front=", ".join(point.name for point in best),
        baseline=baseline.name,
    )
