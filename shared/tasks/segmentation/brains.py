"""What is done with a segmented brain: files with FreeSurfer's ids, volumes of structures, and how sure they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from shared.engine.outcomes import Figures, Result, Row
from shared.errors import InputError
from shared.files import read_grown_table
from shared.images.cases import Case
from shared.tasks.segmentation.freesurfer import CSF, colours_of
from shared.tasks.segmentation.pictures import draw_overlay
from shared.tasks.segmentation.posteriors import Posterior
from shared.tasks.segmentation.results import SegmentationScorer, SegmentationTask, SegmentationWriter, Segmented

SIDES = ("left_", "right_")  # how names of classes begin


@dataclass(frozen=True, kw_only=True)
class SegmentedBrain(Segmented):
    """A brain whose classes are structures, the first background.

    values: FreeSurfer's id of each class. masked: whether the mask of the brain is saved.
    """

    values: Sequence[int]
    posterior: Posterior
    masked: bool = False

    @property
    def ids(self) -> np.ndarray:
        """(*S), uint8: FreeSurfer's."""
        return np.array(self.values, dtype=np.uint8)[self.labels]

    @property
    def brain_mask(self) -> np.ndarray:
        """(*S), uint8: 1 in every structure but CSF; ventricles are part of the brain."""
        return np.array([value not in (0, CSF) for value in self.values], dtype=np.uint8)[self.labels]

    @property
    def quality(self) -> float:
        """The mean Dice of the structures that their probabilities make likely; 0 counts of a missing one."""
        return float(self.posterior.dice[1:].mean())

    def figures(self) -> Figures:
        """The quality, and volumes in mm³, as sums of probabilities: of the brain with its ventricles, within the
        skull, which is the brain and the CSF around it, and of each structure.
        """
        volumes = self.posterior.volumes
        brain = [value not in (0, CSF) for value in self.values]
        named = {"brain": volumes[brain].sum(), "intracranial": volumes[1:].sum()}
        named |= dict(zip(self.class_names[1:], volumes[1:]))
        return {"quality": round(self.quality, 4)} | {f"{name}_mm3": round(float(v), 1) for name, v in named.items()}

    def save(self, folder: str | Path, *, pictures: bool = True) -> None:
        """Write the ids as `Segmented` does, and with `masked` `<case>_brain_mask.nii.gz`."""
        if self.masked:
            self.image.write_labels(Path(folder) / _mask_name(self.case), self.brain_mask)
        super().save(folder, pictures=pictures)

    def draw(self, path: str | Path, *, title: str, reference: np.ndarray | None = None) -> Path:
        return draw_overlay(
            path, self.image.values, self.labels, class_names=[without_side(name) for name in self.class_names],
            affine=self.affine, reference=reference, title=title, colours=colours_of(self.values[1:]), central=True,
        )  # fmt: skip


def without_side(name: str) -> str:
    """The name of a structure, which both sides share."""
    for side in SIDES:
        name = name.removeprefix(side)
    return name.replace("_", " ")


def checked_ids(values: Sequence[int], classes: int) -> list[int]:
    """`values`, if they are as many different ids, which a byte holds, as `classes`; else an InputError is raised."""
    ids = [value for value in values if type(value) is int and 0 <= value < 256]
    if not len(values) == len(set(ids)) == classes:
        raise InputError(
            "--label_values", expected=f"{classes} different ids of 0 to 255, one a class", got=f"{list(values)}",
            fix="list the id of each of --class_names",
        )  # fmt: skip
    return ids


class BrainTask(SegmentationTask):
    """What a result becomes; it must hold "posterior", a `Posterior`. values: FreeSurfer's id of each class.

    Raises InputError where they are no ids, or not one a class.
    """

    def __init__(self, output_dir: str | Path, *, values: Sequence[int], **options: Any) -> None:
        super().__init__(output_dir, **options)
        self.values = checked_ids(values, len(self.class_names))

    def outcome(self, result: Result) -> SegmentedBrain:
        plain = super().outcome(result)
        return SegmentedBrain(**vars(plain), values=self.values, posterior=result["posterior"])


class BrainWriter(BrainTask, SegmentationWriter):
    """Write each case's ids and overlay, and with `brain_mask` `<case>_brain_mask.nii.gz`; report its volumes.

    lowest_quality: below that a case is warned about.
    """

    def __init__(
        self, output_dir: str | Path, *, lowest_quality: float, brain_mask: bool = False, **options: Any
    ) -> None:
        super().__init__(output_dir, **options)
        self.lowest_quality = lowest_quality
        self.brain_mask = brain_mask

    def outcome(self, result: Result) -> SegmentedBrain:
        return replace(super().outcome(result), masked=self.brain_mask)

    def process(self, result: Result) -> Figures:
        segmented = self.outcome(result)
        segmented.save(self.output_dir, pictures=self.pictures)
        return segmented.figures() | self._warning(segmented)

    def finished(self, case: Case) -> Figures | None:
        """From the table of the run that wrote the results: probabilities cannot be had from a label map."""
        row = self._former.get(case["case"], {})
        if row.get("status") != "ok" or self.stored(case) is None:
            return None
        figures = {name: _number(text) for name, text in row.items() if name == "quality" or name.endswith("_mm3")}
        return figures | {"message": row.get("message", "")}

    @cached_property
    def _former(self) -> dict[str, Row]:
        return {row.get("case", ""): row for row in read_grown_table(self.output_dir / "summary.csv")}

    def _warning(self, segmented: SegmentedBrain) -> Figures:
        if segmented.quality >= self.lowest_quality:
            return {}
        return {
            "message": f"{segmented.image.path}: expected a head or a brain, got a quality of {segmented.quality:.2f}, "
            f"below --lowest_quality {self.lowest_quality:g}; look at the overlay before you use it"
        }

    def _files(self, case: str) -> list[list[str]]:
        return [*super()._files(case), *([[_mask_name(case)]] if self.brain_mask else [])]


class BrainScorer(BrainTask, SegmentationScorer):
    """Score each case's structures that its reference has, and report the quality beside them."""

    def process(self, result: Result) -> Figures:
        return super().process(result) | {"quality": round(self.outcome(result).quality, 4)}


def _mask_name(case: str) -> str:
    return f"{case}_brain_mask.nii.gz"


def _number(text: str) -> float | str:
    """A figure as a table had it; nothing where it had none."""
    return float(text) if text else ""
