"""An image that atlases segmented: what is written and reported of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from shared.atlases.files import from_array, upright_slice, write_ids
from shared.engine.drawing import overlay_path
from shared.engine.outcomes import Figures
from shared.images.file import ImageFile
from shared.spatial.itk import to_itk
from shared.tasks.registration.ids import ids_of_fixed
from shared.tasks.registration.metrics import label_dice
from shared.tasks.segmentation.pictures import draw_overlay
from shared.tasks.segmentation.probabilities import write_probabilities

DIGITS = 4  # of Dice and similarity


@dataclass(frozen=True)
class AtlasSegmented:
    """An image that atlases segmented: `labels`, (*S), int32 ids on its own grid.

    known: (C,), the ids that the atlases have. class_names: of ids from 0 on; one without a name is called by its
    id. reference: its own label map, if it has one. probabilities: (C, *S), uint16, of which 65535 is 1; or None.
    """

    case: str
    image: ImageFile
    labels: np.ndarray
    known: np.ndarray
    class_names: Sequence[str]
    reference: ImageFile | None = None
    probabilities: np.ndarray | None = None

    @property
    def affine(self) -> np.ndarray:
        """Voxels to mm, RAS."""
        return self.image.affine

    def figures(self) -> Figures:
        """The volume in mm³, of a picture the area in pixels, and Dice with the reference, of each label but 0."""
        unit, size = ("px", 1.0) if self.image.is_raster else ("mm3", abs(float(np.linalg.det(self.affine[:3, :3]))))
        count = dict(zip(*(values.tolist() for values in np.unique(self.labels, return_counts=True))))
        sizes = {f"{self._name(i)}_{unit}": round(count.get(i, 0) * size, 3) for i in self.known.tolist() if i}
        return sizes | self._dice()

    def save(self, folder: str | Path, *, pictures: bool = True) -> None:
        """Write the label map, probabilities where there are any, and with `pictures` the overlay."""
        if pictures:
            self.draw(overlay_path(folder, self.case))
        if self.probabilities is not None:
            write_probabilities(folder, self.case, self.image, self.probabilities)
        ending = ".png" if self.image.is_raster else ".nii.gz"
        write_ids(Path(folder) / f"{self.case}{ending}", self.image, self.labels, known=self.known)

    def draw(self, path: str | Path) -> Path:
        """Draw the image with the outlines of its labels into a PNG, and dotted those of the reference."""
        maps = [self.labels, *([] if self.reference is None else [self._ids_of(self.reference)])]
        drawn = np.unique(np.concatenate([[0, *self.known], np.unique(maps[-1])]))
        indices = [upright_slice(np.searchsorted(drawn, ids), self.image) for ids in maps]
        image = np.stack([upright_slice(channel, self.image) for channel in self.image.values])
        return draw_overlay(
            path, image, indices[0], class_names=[self._name(i) for i in drawn.tolist()], affine=self.affine,
            reference=indices[1] if len(indices) > 1 else None, title=self.case,
        )  # fmt: skip

    def _dice(self) -> Figures:
        if self.reference is None:
            return {}
        reference = self._ids_of(self.reference)
        labels = [i for i in np.unique(reference).tolist() if i]
        values = label_dice(torch.as_tensor(self.labels), torch.as_tensor(reference), labels)
        by_label = {f"dice_{self._name(i)}": round(value, DIGITS) for i, value in zip(labels, values)}
        return {"dice_mean": round(float(np.mean(values)), DIGITS), **by_label} if values else {}

    def _ids_of(self, reference: ImageFile) -> np.ndarray:
        """(*S), int32, on the grid of the image."""
        ids = ids_of_fixed(reference, self.image, to_itk(self.image))
        return from_array(sitk.GetArrayFromImage(ids), self.image)

    def _name(self, label: int) -> str:
        return self.class_names[label] if 0 <= label < len(self.class_names) else str(label)
