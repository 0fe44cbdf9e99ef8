"""What is done with a registered pair: files that other tools apply, a picture, and how well it went."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from shared.data.cases import Case
from shared.data.reading import is_raster, read_image
from shared.data.writing import refuse_overwriting, write_volume
from shared.engines.cases import Figures
from shared.errors import InputError
from shared.files import write_atomically
from shared.metrics.registration import label_dice, regularity
from shared.spatial.itk import (
    after_affine,
    displacement_from_itk,
    displacement_to_itk,
    from_itk,
    read_field,
    resample,
    write_field,
)
from shared.spatial.jacobian import jacobian_determinant
from shared.spatial.pair_reading import read_for_itk, transform_of
from shared.viz.registration import draw_registration

FILES = ("displacement.nii.gz", "moved.nii.gz", "jacobian.nii.gz", "figure.png")


class RegistrationWriter:
    """Write each pair's field, moved image and label, Jacobian and figure into a folder of its id; tell how it went.

    A result must hold what `ReadPaird` gives, and "pred": the displacement (D, *S), in voxels of the fixed grid. What
    is written comes from the images as they are, resampled once, through the field as it is in the file.
    Figures: displacement_mm (mean length), folds_percent, sd_log_jacobian, and with labels dice_before and dice_after,
    means over the labels of the fixed image.
    """

    def __init__(self, output_dir: str | Path) -> None:
        self.output_dir = Path(output_dir)

    def finished(self, case: Case) -> Figures | None:
        folder = self.output_dir / case["case"]
        files = [*FILES, *(["moved_label.nii.gz"] if "moving_label" in case else [])]
        if not all((folder / name).is_file() for name in files):
            return None
        try:
            return self._figures(case, read_field(folder / FILES[0]))
        except InputError:  # spoilt by someone else: made anew
            return None

    def process(self, result: Mapping[str, Any]) -> Figures:
        folder = self.output_dir / result["case"]
        moving, fixed = (read_for_itk(result[key]) for key in ("moving", "fixed"))
        displacement = displacement_to_itk(result["pred"].detach().cpu().numpy(), fixed)
        total = after_affine(displacement, transform_of(np.asarray(result["initial"])))
        write_field(folder / "displacement.nii.gz", total)
        field = read_field(folder / "displacement.nii.gz")
        transform = sitk.DisplacementFieldTransform(sitk.Image(field))
        moved = resample(moving, fixed, transform)
        voxels = displacement_from_itk(field)
        determinant = jacobian_determinant(torch.as_tensor(voxels)[None])[0].numpy()
        self._write(folder / "moved.nii.gz", moved, result["fixed"])
        jacobian = sitk.GetImageFromArray(determinant.T.astype(np.float32))
        jacobian.CopyInformation(fixed)
        self._write(folder / "jacobian.nii.gz", jacobian, result["fixed"])
        outlines = {}
        if "moving_label" in result:
            label = read_for_itk(result["moving_label"], as_ids=True)
            moved_label = sitk.Cast(resample(label, fixed, transform, nearest=True), sitk.sitkInt16)
            self._write(folder / "moved_label.nii.gz", moved_label, result["fixed"])
            outlines = {"moving": _on(label, fixed), "moved": from_itk(moved_label)[0].numpy()}
        if "fixed_label" in result:
            outlines["fixed"] = from_itk(read_for_itk(result["fixed_label"], as_ids=True))[0].numpy()
        images = {"fixed": fixed, "moving": resample(moving, fixed, _identity(fixed)), "moved": moved}
        draw_registration(
            folder / "figure.png", {name: from_itk(image)[0].numpy() for name, image in images.items()}, voxels,
            determinant, outlines=outlines, title=result["case"],
        )  # fmt: skip
        return self._figures(result, field)

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Nothing concerns all pairs but the table."""

    def _figures(self, pair: Mapping[str, Any], field: sitk.Image) -> Figures:
        length = np.linalg.norm(sitk.GetArrayFromImage(field), axis=-1).mean()
        figures = {"displacement_mm": float(length)}
        figures |= regularity(torch.as_tensor(displacement_from_itk(field))[None])
        if "moving_label" in pair and "fixed_label" in pair:
            moving, fixed = (read_for_itk(pair[key], as_ids=True) for key in ("moving_label", "fixed_label"))
            reference = from_itk(fixed)[0]
            labels = [int(label) for label in reference.unique() if label > 0]
            for name, transform in (("before", _identity(fixed)), ("after", sitk.DisplacementFieldTransform(field))):
                moved = from_itk(resample(moving, fixed, transform, nearest=True))[0]
                figures[f"dice_{name}"] = float(np.mean(label_dice(moved, reference, labels)))
        return {name: round(value, 4) for name, value in figures.items()}

    @staticmethod
    def _write(path: Path, image: sitk.Image, fixed: str) -> None:
        """Write an image on the fixed grid as a file of the shape and affine of the fixed one."""
        refuse_overwriting(path, fixed)
        if is_raster(fixed):
            write_atomically(path, lambda temporary: sitk.WriteImage(image, str(temporary)))
            return
        source = read_image(fixed)
        write_volume(path, sitk.GetArrayFromImage(image).T.reshape(source.shape[1:]), fixed, np.asarray(source.affine))


def _identity(image: sitk.Image) -> sitk.Transform:
    return sitk.Transform(image.GetDimension(), sitk.sitkIdentity)


def _on(label: sitk.Image, fixed: sitk.Image) -> np.ndarray:
    return from_itk(resample(label, fixed, _identity(fixed), nearest=True))[0].numpy()
