"""A registered pair: its files, the field between them, and what follows from these."""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from shared.engine.drawing import overlay_path
from shared.engine.outcomes import Figures
from shared.files import write_atomically
from shared.images.file import ImageFile
from shared.spatial.frames import between
from shared.spatial.inverting import inverse_field
from shared.spatial.itk import (
    after_affine,
    displacement_from_itk,
    from_itk,
    ids_from_itk,
    resample,
    to_itk,
    transform_of,
    write_field,
)
from shared.spatial.jacobian import determinant_by_slabs
from shared.tasks.registration.ids import as_small_as_holds, ids_of_fixed, ids_on
from shared.tasks.registration.metrics import label_dice, regularity
from shared.tasks.registration.pictures import draw_fused, draw_registration
from shared.tasks.registration.points import Points, carried
from shared.tasks.registration.transforms import image_for_itk
from shared.tasks.registration.views import upright

DIGITS = 4  # of the figures in the tables


@dataclass(frozen=True)
class Registered:
    """A pair of images, with their label maps if they have any, and the ITK field that registers it.

    field: on the grid of the fixed image, as are the results, from its points to those of the moving one as ITK has
    them (see `to_itk`). Each result is computed when it is first asked for.
    """

    case: str
    moving: ImageFile
    fixed: ImageFile
    field: sitk.Image
    moving_label: ImageFile | None = None
    fixed_label: ImageFile | None = None
    warning: str = ""  # a line about what may be wrong with it

    def __reduce__(self) -> tuple:
        """Pickled without what can be computed again."""
        return Registered, tuple(getattr(self, part.name) for part in fields(self))

    @property
    def affine(self) -> np.ndarray:
        """Of the fixed image: voxels to mm, RAS."""
        return self.fixed.affine

    @cached_property
    def transform(self) -> sitk.Transform:
        """From points of the fixed image to points of the moving one."""
        return sitk.DisplacementFieldTransform(sitk.Image(self.field))

    @cached_property
    def moved(self) -> sitk.Image:
        return resample(self._moving, self._fixed, self.transform)

    @cached_property
    def moved_label(self) -> sitk.Image | None:
        """The ids of the moving label map, int16, or int32 where it has larger ones; None without one."""
        if self.moving_label is None:
            return None
        ids = ids_on(self.moving_label, self.moving, self._fixed, self.transform)
        return as_small_as_holds(ids, self.moving_label)

    @cached_property
    def motion(self) -> sitk.Image:
        """The ITK field of what moves in the patient.

        It is `field` but for slices whose own affines differ, whose points are those of each file's own axes.
        """
        if np.array_equal(self._place, np.eye(len(self._place))):
            return self.field
        return after_affine(self.field, transform_of(np.linalg.inv(self._place)), self._fixed)

    @cached_property
    def displacement(self) -> np.ndarray:
        """(D, *S), float32, in voxels of the fixed image, in the patient."""
        return displacement_from_itk(self.motion)

    @cached_property
    def determinant(self) -> np.ndarray:
        """det J, (*S)."""
        return determinant_by_slabs(torch.as_tensor(self.displacement)[None])[0].numpy()

    @cached_property
    def images(self) -> dict[str, np.ndarray]:
        """The "fixed", "moving" and "moved" image, (*S)."""
        moving = resample(self._moving, self._fixed, transform_of(self._place))
        images = {"fixed": self._fixed, "moving": moving, "moved": self.moved}
        return {name: from_itk(image)[0].numpy() for name, image in images.items()}

    @cached_property
    def label_maps(self) -> dict[str, np.ndarray]:
        """The ids of the "moving", "moved" and "fixed" image, (*S), of those that are labelled."""
        maps = {"moved": self.moved_label}
        if self.moving_label is not None:
            maps["moving"] = ids_on(self.moving_label, self.moving, self._fixed, transform_of(self._place))
        if self.fixed_label is not None:
            maps["fixed"] = ids_of_fixed(self.fixed_label, self.fixed, self._fixed)
        return {name: ids_from_itk(ids)[0].numpy() for name, ids in maps.items() if ids is not None}

    @cached_property
    def overlaps(self) -> dict[str, dict[int, float]]:
        """{"before", "after"}: Dice by each label of the fixed image; empty unless both images are labelled."""
        maps = {name: torch.as_tensor(ids) for name, ids in self.label_maps.items()}
        if not {"moved", "fixed"} <= maps.keys():
            return {}
        labels = [int(label) for label in maps["fixed"].unique() if label > 0]
        return {
            when: dict(zip(labels, label_dice(maps[image], maps["fixed"], labels)))
            for when, image in (("before", "moving"), ("after", "moved"))
        }

    def figures(self) -> Figures:
        """The figures of the pair, in the patient, by name.

        displacement_mm (mean length), folds_percent, sd_log_jacobian, dice_before and dice_after if labelled, and
        "message", the warning, if there is one.
        """
        length = np.linalg.norm(sitk.GetArrayFromImage(self.motion), axis=-1).mean()
        figures = {"displacement_mm": float(length), **regularity(torch.as_tensor(self.determinant))}
        figures |= {f"dice_{when}": float(np.mean(list(dice.values()))) for when, dice in self.overlaps.items()}
        rounded: Figures = {name: round(value, DIGITS) for name, value in figures.items()}
        return rounded | ({"message": self.warning} if self.warning else {})

    @cached_property
    def inverse(self) -> sitk.Image:
        """The ITK field on the grid of the moving image, from its points to those of the fixed one."""
        return inverse_field(self.field, self._moving)

    def save(
        self, folder: str | Path, *, pictures: bool = True, inverse: bool = False, points: Points | None = None
    ) -> None:
        """Write the files of a pair (see `result_paths`), and `points` of the moving image where they come to lie.

        Raises InputError where one would replace the fixed image, or `points` have no place in a patient.
        """
        own = Path(folder) / self.case
        write_field(own / "displacement.nii.gz", self.field)
        self._write(own / "moved.nii.gz", self.moved)
        self._write(own / "jacobian.nii.gz", sitk.GetImageFromArray(self.determinant.T.astype(np.float32)))
        if self.moved_label is not None:
            self._write(own / "moved_label.nii.gz", self.moved_label)
        if inverse:
            write_field(own / "inverse.nii.gz", self.inverse)
        if points is not None:
            moved, inside = carried(points, self.field, moving=self.moving, fixed=self.fixed)
            moved.write(own / "points.csv", inside=inside)
        if pictures:
            self.draw(own / "figure.png", title=self.case)
            overlay = overlay_path(folder, self.case)
            draw_fused(overlay, self.images, orientation=upright(self.fixed), title=self.case)

    def draw(self, path: str | Path, *, title: str) -> Path:
        """Draw the images, the field and its Jacobian into a PNG."""
        return draw_registration(
            path, self.images, self.displacement, self.determinant, outlines=self.label_maps,
            orientation=upright(self.fixed), title=title,
        )  # fmt: skip

    @cached_property
    def _fixed(self) -> sitk.Image:
        return image_for_itk(self.fixed)

    @cached_property
    def _moving(self) -> sitk.Image:
        return image_for_itk(self.moving)

    @cached_property
    def _place(self) -> np.ndarray:
        """(D + 1, D + 1), from points of the fixed image to those of the moving one at the same place."""
        return between(self.fixed, self.moving)

    def _write(self, path: Path, image: sitk.Image) -> None:
        write_on(self.fixed, path, image)


def write_on(file: ImageFile, path: Path, image: sitk.Image) -> None:
    """Write an image as a file of the shape and affine of `file`; of a picture, as ITK does."""
    if not file.is_raster:
        file.write_volume(path, sitk.GetArrayFromImage(image).T.reshape(file.shape))
        return
    image.CopyInformation(to_itk(file))
    write_atomically(path, lambda temporary: sitk.WriteImage(image, str(temporary)))


def result_paths(
    folder: str | Path, case: str, *, labelled: bool, pictures: bool, inverse: bool = False, points: bool = False
) -> list[Path]:
    """The files of a registered pair: in a folder of its own, but for its overlay. The first is the field.

    labelled, points: whether the moving image has them.
    """
    names = ["displacement.nii.gz", "moved.nii.gz", "jacobian.nii.gz"]
    names += ["moved_label.nii.gz"] if labelled else []
    names += ["inverse.nii.gz"] if inverse else []
    names += ["points.csv"] if points else []
    names += ["figure.png"] if pictures else []
    return [Path(folder) / case / name for name in names] + ([overlay_path(folder, case)] if pictures else [])
