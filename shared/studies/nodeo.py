"""The report of the study that puts the NODEO paper to the test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from shared.engine.summary import summarise
from shared.files import write_atomically
from shared.images.reading import read_image
from shared.spatial.itk import displacement_from_itk, read_field
from shared.tasks.registration.ablation import draw_ablation
from shared.tasks.registration.views import upright

# Of volumes, not of slices: Wu et al., table 1, and a published reproduction of it.
PUBLISHED = {
    "published, 3D, λ₁ 2.5": ("0.778", "0.030"),
    "published, 3D, λ₁ 2.0": ("0.779", "0.030"),
    "a published reproduction, 3D, λ₁ 2.5": ("0.773 ± 0.020", "0.013"),
    "a published reproduction, 3D, λ₁ 2.0": ("0.773 ± 0.020", "0.024"),
}
REPORT = """# NODEO put to the test

Made by `make reproduce-nodeo`; every number is what the bundle itself writes. Times are of one thread, without reading
and writing.

## What the regularisers do (figure 4 of the paper, in 2D)

![Both regularisers, without the one, the other, and both](nodeo_figure4.png)

{ablation}

## Many pairs (the protocol of table 1, in 2D: fixed 1, 10, 20, 30, 40, moving all others below 50; {pairs} pairs)

{table}

Total negative Jacobian: the sum of −det J over the voxels that fold, a pair.
{volumes}"""
VOLUMES = """
## A pair of volumes ({size} voxels, 35 structures)

{volumes}

## How the cost grows (preset fast, the same pair on grids of other spacings)

{growth}
"""


@dataclass
class Registered:
    """What the bundle made of some pairs: the folder, the rows of its summary.csv, and its peak of resident memory."""

    name: str
    folder: Path
    rows: Sequence[Mapping[str, str]]
    peak_mib: float

    def figure(self, name: str, statistic: str = "mean") -> float:
        """A statistic of a column over the pairs."""
        return summarise([float(row[name]) for row in self.rows])[statistic] or 0.0

    def determinants(self) -> list[np.ndarray]:
        return [_voxels(self.folder / row["case"] / "jacobian.nii.gz") for row in self.rows]

    def negative_jacobian(self) -> float:
        """The sum of what is negative of det J, a pair."""
        return float(np.mean([-np.minimum(d, 0).sum(dtype=np.float64) for d in self.determinants()]))


def write_report(
    folder: str | Path,
    ablation: Mapping[str, Registered],
    table: Sequence[Registered],
    volumes: Sequence[Registered] = (),
    growth: Sequence[Registered] = (),
    *,
    images: bool = True,
) -> Path:
    """Write study.md and nodeo_figure4.png, which shows no image, only fields, without `images`."""
    folder = Path(folder)
    columns = {}
    for name, done in ablation.items():
        case = done.folder / done.rows[0]["case"]
        field = displacement_from_itk(read_field(case / "displacement.nii.gz"))
        caption = f"Dice {done.figure('dice_after'):.3f}, folds {done.figure('folds_percent'):.3g} %"
        columns[name] = (_voxels(case / "moved.nii.gz"), field, done.determinants()[0], caption)
        orientation = upright(read_image(case / "moved.nii.gz"))
    draw_ablation(folder / "nodeo_figure4.png", columns, orientation=orientation, images=images)
    shown = ("dice_before", "dice_after", "folds_percent", "sd_log_jacobian")
    effects = [
        [name, *(f"{done.figure(column):.3f}" for column in shown), f"{done.negative_jacobian():.2f}"]
        for name, done in ablation.items()
    ]
    methods = [[done.name.removeprefix("table "), *_of_many(done)] for done in table]
    published = [[name, *figures, "", "", ""] for name, figures in PUBLISHED.items()]
    report = REPORT.format(
        ablation=_markdown(["", "Dice before", "Dice after", "folds %", "sd log det J", "−det J summed"], effects),
        pairs=len(table[0].rows),
        table=_markdown(
            ["", "Dice", "folds %", "total negative Jacobian", "sd log det J", "seconds"], [*methods, *published]
        ),
        volumes=_volumes(volumes, growth) if volumes else "",
    )
    return write_atomically(folder / "study.md", lambda path: path.write_text(report, encoding="utf-8"))


def _of_many(done: Registered) -> list[str]:
    return [
        f"{done.figure('dice_after'):.3f} ± {done.figure('dice_after', 'std'):.3f}",
        f"{done.figure('folds_percent'):.4f}",
        f"{done.negative_jacobian():.3f}",
        f"{done.figure('sd_log_jacobian'):.3f}",
        f"{done.figure('seconds', 'median'):.2f}",
    ]


def _of_one(done: Registered) -> list[str]:
    return [
        f"{done.figure('dice_after'):.3f}", f"{done.figure('folds_percent'):.4f}", f"{done.figure('seconds'):.0f}",
        f"{done.peak_mib:.0f}",
    ]  # fmt: skip


def _volumes(volumes: Sequence[Registered], growth: Sequence[Registered]) -> str:
    size = volumes[0].determinants()[0].shape
    rows = [["before", f"{volumes[0].figure('dice_before'):.3f}", "", "", ""]]
    rows += [[done.name.removeprefix("volume "), *_of_one(done)] for done in volumes]
    grown = []
    for done in growth:
        spacing = done.name.removeprefix("growth ")
        millions = np.prod(size) / float(spacing.split()[0]) ** 3 / 1e6
        grown.append([spacing, f"{millions:.2f}", *_of_one(done), f"{done.figure('seconds') / millions:.1f}"])
    head = ["Dice", "folds %", "seconds", "peak MiB"]
    return VOLUMES.format(
        size=" × ".join(map(str, size)),
        volumes=_markdown(["", *head], rows),
        growth=_markdown(["spacing", "million voxels", *head, "seconds a million voxels"], grown),
    )


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _voxels(path: Path) -> np.ndarray:
    return np.squeeze(np.asarray(nib.Nifti1Image.from_filename(path).dataobj, dtype=np.float32))
