"""What is done with both hippocampi of a head: files, volumes by side, and scores; crops are done as before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from shared.engine.outcomes import Figures, Result
from shared.errors import InputError
from shared.images.cases import Case
from shared.tasks.segmentation.grids import box_of
from shared.tasks.segmentation.head_labels import by_side, head_names
from shared.tasks.segmentation.heads import SIDES
from shared.tasks.segmentation.restoring_heads import IS_HEAD
from shared.tasks.segmentation.results import SegmentationScorer, SegmentationTask, SegmentationWriter, Segmented

SHOWN_MM = 35.0  # around both hippocampi in a picture: the middle third of a head


@dataclass(frozen=True)
class SegmentedHead(Segmented):
    """Both hippocampi of a head: `class_names` are those of the left parts and then of the right ones."""

    def figures(self) -> Figures:
        """Volumes in mm³ by side, their difference in percent of their mean, and volumes of the parts."""
        parts = super().figures()
        sides = {s: round(sum(v for name, v in parts.items() if name.startswith(f"{s}_")), 3) for s in SIDES}
        both = sum(sides.values())
        asymmetry = round(200 * (sides["left"] - sides["right"]) / both, 2) if both else ""
        return {f"{side}_mm3": v for side, v in sides.items()} | {"asymmetry_percent": asymmetry} | parts

    def doubt(self, largest_mm: float) -> str:
        """A head is what was expected."""
        return ""

    def draw(self, path: str | Path, *, title: str, reference: np.ndarray | None = None) -> Path:
        """As of a crop, of what is around both hippocampi."""
        seen = self.labels if reference is None else np.maximum(self.labels, reference)
        margins = np.ceil(SHOWN_MM / nib.affines.voxel_sizes(self.affine)).astype(int)
        around = tuple(
            slice(max(s.start - m, 0), s.stop + m) for s, m in zip(box_of(seen > 0) or (), margins)
        )  # fmt: skip
        shift = nib.affines.from_matvec(np.eye(3), [s.start for s in around] or [0, 0, 0])
        values = self.image.values[(slice(None), *around)]
        part = replace(self.image, values=values, affine=self.affine @ shift, nifti=None)
        crop = Segmented(self.case, part, self.labels[around], self.class_names)
        return crop.draw(path, title=title, reference=None if reference is None else reference[around])


class HeadTask(SegmentationTask):
    """What a result becomes: of a head (see `RestoreHeadd`) a `SegmentedHead`."""

    def outcome(self, result: Result) -> Segmented:
        plain = super().outcome(result)
        return self.head(plain) if IS_HEAD in result else plain

    def head(self, plain: Segmented) -> SegmentedHead:
        return SegmentedHead(**vars(plain) | {"class_names": head_names(self.class_names)})


class HeadWriter(HeadTask, SegmentationWriter):
    """Write each case's label map and overlay; report volumes, of heads by side."""

    def finished(self, case: Case) -> Figures | None:
        stored = self.stored(case)
        if stored is None or int(stored.values.max()) < len(self.class_names):
            return super().finished(case)
        labels = stored.values[0].astype(np.uint8)
        return self.head(Segmented(case["case"], stored, labels, self.class_names)).figures()


class HeadScorer(HeadTask, SegmentationScorer):
    """Score each case's label map against its reference (see `ReadHeadLabeld`): of heads each hippocampus as a whole,
    and its parts where the reference has them.
    """

    def scores(self, segmented: Segmented, reference: np.ndarray) -> Figures:
        kinds = len(self.class_names) - 1
        if isinstance(segmented, SegmentedHead):
            whole = self._scores(by_side(segmented.labels, kinds), by_side(reference, kinds), ["", *SIDES], segmented)
            if int(reference.max()) > 2 * kinds:
                return whole
            parts = self._scores(segmented.labels, reference, segmented.class_names, segmented)
            return {name: value for name, value in whole.items() if not name.endswith("_mean")} | parts
        if int(reference.max()) > kinds:
            raise InputError(
                segmented.image.path, expected=f"a label map of class ids 0 to {kinds}, as it is a crop",
                got=f"{reference.max()}", fix="correct the label, or give --locate always if it is a head",
            )  # fmt: skip
        return super().scores(segmented, reference)

    def _scores(self, labels: np.ndarray, reference: np.ndarray, names: Sequence[str], segmented: Segmented) -> Figures:
        return super().scores(replace(segmented, labels=labels, class_names=names), reference)
