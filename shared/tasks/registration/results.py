"""What is done with a registered pair: files that other tools apply, pictures, and how well it went."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from shared.engine.cases import Figures
from shared.engine.scores import draw_scores
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import write_atomically, write_json
from shared.images.cases import Case
from shared.images.reading import is_raster, read_image
from shared.images.writing import refuse_overwriting, write_volume
from shared.spatial.itk import (
    after_affine,
    displacement_from_itk,
    displacement_to_itk,
    from_itk,
    grid_of,
    identity,
    read_field,
    resample,
    write_field,
)
from shared.spatial.jacobian import jacobian_determinant
from shared.tasks.registration.metrics import inverse_consistency, label_dice, regularity
from shared.tasks.registration.pictures import draw_fused, draw_registration, upright
from shared.tasks.registration.transforms import read_for_itk, transform_of

FILES = ("displacement.nii.gz", "moved.nii.gz", "jacobian.nii.gz")
DIGITS = 4  # of the figures in the tables


class RegisteredPair:
    """A pair and the ITK field that registers it, on the grid of the fixed image; the rest is worked out when asked.

    pair: paths "moving" and "fixed", and where there are labels "moving_label" and "fixed_label".
    """

    def __init__(self, pair: Mapping[str, Any], field: sitk.Image) -> None:
        self.paths = {key: pair[key] for key in ("moving", "fixed", "moving_label", "fixed_label") if key in pair}
        self.field = field
        self.transform = sitk.DisplacementFieldTransform(sitk.Image(field))

    @cached_property
    def fixed(self) -> sitk.Image:
        return read_for_itk(self.paths["fixed"])

    @cached_property
    def moving(self) -> sitk.Image:
        return read_for_itk(self.paths["moving"])

    @cached_property
    def moved(self) -> sitk.Image:
        return resample(self.moving, self.fixed, self.transform)

    @cached_property
    def moving_label(self) -> sitk.Image:
        return read_for_itk(self.paths["moving_label"], as_ids=True)

    @cached_property
    def moved_label(self) -> sitk.Image:
        return sitk.Cast(resample(self.moving_label, self.fixed, self.transform, nearest=True), sitk.sitkInt16)

    @cached_property
    def displacement(self) -> np.ndarray:
        """(D, *S), in voxels of the fixed image."""
        return displacement_from_itk(self.field)

    @cached_property
    def determinant(self) -> np.ndarray:
        """det J, (*S)."""
        return jacobian_determinant(torch.as_tensor(self.displacement)[None])[0].numpy()

    def outlines(self) -> dict[str, np.ndarray]:
        """The label maps there are of the "moving", "moved" and "fixed" image, (*S), on the fixed image's grid."""
        maps = {}
        if "moving_label" in self.paths:
            maps["moving"] = resample(self.moving_label, self.fixed, identity(self.fixed), nearest=True)
            maps["moved"] = self.moved_label
        if "fixed_label" in self.paths:
            maps["fixed"] = read_for_itk(self.paths["fixed_label"], as_ids=True)
        return {name: from_itk(image)[0].numpy() for name, image in maps.items()}

    def images(self) -> dict[str, np.ndarray]:
        """The "fixed", "moving" and "moved" image, (*S), on the fixed image's grid."""
        moving = resample(self.moving, self.fixed, identity(self.fixed))
        return {
            k: from_itk(i)[0].numpy() for k, i in (("fixed", self.fixed), ("moving", moving), ("moved", self.moved))
        }

    def overlaps(self) -> dict[str, dict[int, float]]:
        """{"before", "after"}: Dice by each label of the fixed image; nothing where an image has no labels."""
        maps = self.outlines()
        if not {"moved", "fixed"} <= maps.keys():
            return {}
        labels = [int(label) for label in np.unique(maps["fixed"]) if label > 0]
        reference = torch.as_tensor(maps["fixed"])
        return {
            when: dict(zip(labels, label_dice(torch.as_tensor(maps[image]), reference, labels)))
            for when, image in (("before", "moving"), ("after", "moved"))
        }

    def figures(self) -> Figures:
        """displacement_mm (mean length), folds_percent, sd_log_jacobian, and dice_before and dice_after if labelled."""
        length = np.linalg.norm(sitk.GetArrayFromImage(self.field), axis=-1).mean()
        figures = {"displacement_mm": float(length), **regularity(torch.as_tensor(self.displacement)[None])}
        figures |= {f"dice_{when}": float(np.mean(list(dice.values()))) for when, dice in self.overlaps().items()}
        return {name: round(value, DIGITS) for name, value in figures.items()}


def field_of(result: Mapping[str, Any], displacement: Tensor, fixed: sitk.Image) -> sitk.Image:
    """The ITK field on the grid of `fixed` of what `ReadPaird` and a network gave: its affine stage is part of it.

    displacement: (D, *S), in voxels of the grid that the network saw.
    """
    grid = grid_of(displacement.shape[1:], np.asarray(result["grid"]))
    field = displacement_to_itk(displacement.detach().cpu().numpy(), grid)
    return after_affine(field, transform_of(np.asarray(result["initial"])), fixed)


class RegistrationWriter:
    """Write each pair's field, moved image and label, Jacobian and pictures; tell how it went.

    A result must hold what `ReadPaird` gives, and "pred": the displacement (D, *S), in voxels of its grid. What is
    written comes from the images as they are, resampled once, through the field as it is in the file. It lies in a
    folder of the pair's id, but for overlays/<id>.png. pictures: whether to draw, which takes longer than the rest.
    The "seconds" told are those of the registration alone, without reading and writing.
    """

    def __init__(self, output_dir: str | Path, *, pictures: bool = True) -> None:
        self.output_dir = Path(output_dir)
        self.pictures = pictures

    def finished(self, case: Case) -> Figures | None:
        folder = self.output_dir / case["case"]
        files = [folder / name for name in FILES]
        files += [folder / "moved_label.nii.gz"] if "moving_label" in case else []
        files += [folder / "figure.png", self._overlay(case["case"])] if self.pictures else []
        if not all(path.is_file() for path in files):
            return None
        try:
            return RegisteredPair(case, read_field(folder / FILES[0])).figures()
        except InputError:  # spoilt by someone else: made anew
            return None

    def process(self, result: Mapping[str, Any]) -> Figures:
        folder = self.output_dir / result["case"]
        write_field(folder / FILES[0], field_of(result, result["pred"], read_for_itk(result["fixed"])))
        pair = RegisteredPair(result, read_field(folder / FILES[0]))
        write_on(pair.fixed, folder / "moved.nii.gz", pair.moved, result["fixed"])
        jacobian = sitk.GetImageFromArray(pair.determinant.T.astype(np.float32))
        write_on(pair.fixed, folder / "jacobian.nii.gz", jacobian, result["fixed"])
        if "moving_label" in result:
            write_on(pair.fixed, folder / "moved_label.nii.gz", pair.moved_label, result["fixed"])
        if self.pictures:
            draw_pair(folder / "figure.png", pair, result["case"])
            orientation = upright(result["fixed"])
            draw_fused(self._overlay(result["case"]), pair.images(), orientation=orientation, title=result["case"])
        return {"seconds": result["network_seconds"], **pair.figures()}

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Nothing concerns all pairs but the table."""

    def _overlay(self, case: str) -> Path:
        return self.output_dir / "overlays" / f"{case}.png"


class RegistrationScorer:
    """Score each pair, by label where there are labels, and sum up over the pairs.

    A result must hold what `ReadPaird` gives, and "pred": the displacement (D, *S), in voxels of its grid, or two after
    one another, there and back again, by which inverse_consistency is measured, in voxels. class_names: of the labels,
    by id; one without a name is called by its id. Writes metrics.json (statistics of each metric), scores.png, and
    pictures of the `worst` pairs.
    """

    def __init__(self, output_dir: str | Path, *, class_names: Sequence[str] = (), worst: int = 3) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.worst = worst
        self.kept: list[tuple[float, str, RegisteredPair]] = []

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a pair alone

    def process(self, result: Mapping[str, Any]) -> Figures:
        there, *back = result["pred"].cpu().split(result["pred"].ndim - 1)
        pair = RegisteredPair(result, field_of(result, there, read_for_itk(result["fixed"])))
        figures = {"seconds": result["network_seconds"], **pair.figures()}
        if back:
            figures["inverse_consistency"] = round(inverse_consistency(there[None], back[0][None]), DIGITS)
        for when, dice in pair.overlaps().items():
            figures |= {f"dice_{when}_{self._name(label)}": round(value, DIGITS) for label, value in dice.items()}
        rank = figures.get("dice_after", -figures["folds_percent"])
        self.kept = sorted([*self.kept, (rank, result["case"], pair)], key=lambda k: k[:2])[: self.worst]
        return figures

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        done = [row for row in rows if row["status"] == "ok"]
        told = ("case", "status", "message")
        metrics = list(dict.fromkeys(key for row in done for key in row if key not in told))
        values = {metric: [row.get(metric, float("nan")) for row in done] for metric in metrics}
        summary = {metric: summarise(values[metric]) for metric in metrics}
        write_json(self.output_dir / "metrics.json", {"cases": len(rows), "failed": len(rows) - len(done), **summary})
        if done:
            drawn = [m for m in metrics if m in ("dice_before", "dice_after", "folds_percent", "sd_log_jacobian")]
            draw_scores(self.output_dir / "scores.png", {metric: values[metric] for metric in drawn})
        for rank, (_, case, pair) in enumerate(self.kept, start=1):
            draw_pair(self.output_dir / f"worst_{rank}.png", pair, case)
        labels = [metric.removeprefix("dice_after_") for metric in metrics if metric.startswith("dice_after_")]
        by_label = [
            {"label": label, **{f"dice_{w}": summary[f"dice_{w}_{label}"]["mean"] for w in ("before", "after")},
             "count": summary[f"dice_after_{label}"]["count"]} for label in labels
        ]  # fmt: skip
        if by_label:
            print(format_table(by_label, list(by_label[0]), most=len(by_label)), "\n")
        general = [
            {"metric": m, **summary[m]} for m in metrics if not m.endswith(tuple(f"_{label}" for label in labels))
        ]
        print(format_table(general, ["metric", *STATISTICS]), "\n")

    def _name(self, label: int) -> str:
        return self.class_names[label] if label < len(self.class_names) else str(label)


def draw_pair(path: Path, pair: RegisteredPair, title: str) -> Path:
    return draw_registration(
        path, pair.images(), pair.displacement, pair.determinant, outlines=pair.outlines(),
        orientation=upright(pair.paths["fixed"]), title=title,
    )  # fmt: skip


def write_on(grid: sitk.Image, path: Path, image: sitk.Image, fixed: str) -> None:
    """Write an image of the size of `grid`, which is the file `fixed`, as a file of the shape and affine of that."""
    refuse_overwriting(path, fixed)
    if is_raster(fixed):
        image.CopyInformation(grid)
        write_atomically(path, lambda temporary: sitk.WriteImage(image, str(temporary)))
        return
    source = read_image(fixed)
    write_volume(path, sitk.GetArrayFromImage(image).T.reshape(source.shape[1:]), fixed, np.asarray(source.affine))
