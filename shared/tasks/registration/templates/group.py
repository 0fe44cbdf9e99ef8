"""What images registered to one template have in common, and where they differ: maps on the template's grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

from shared.engine.canvas import caption, save_picture, side_by_side, stacked
from shared.files import write_json
from shared.images.file import ImageFile
from shared.spatial.itk import from_itk
from shared.tasks.registration.pictures import COLUMN_WIDTH, from_below, log_jacobian
from shared.tasks.registration.registered import DIGITS, Registered, write_on
from shared.tasks.registration.views import cuts_of, plane, scaled, turned, upright

LARGEST_SD = 0.25  # of intensities from 0 to 1, which is drawn white
SMALLEST_DETERMINANT = 1e-6  # what a fold counts as in a logarithm


@dataclass
class Group:
    """Sums over images registered to `template`, an image (*S): of intensities from 0 to 1, of log det J, and of
    displacements (D, *S), in voxels; and, of images with labels, how many have which, by id.
    """

    template: ImageFile
    count: int = 0
    image: np.ndarray | float = 0.0
    square: np.ndarray | float = 0.0
    log_jacobian: np.ndarray | float = 0.0
    displacement: np.ndarray | float = 0.0
    votes: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, pair: Registered) -> None:
        moved = scaled(from_itk(pair.moved)[0].numpy()).astype(float)
        self.count += 1
        self.image = self.image + moved
        self.square = self.square + moved**2
        self.log_jacobian = self.log_jacobian + log_determinant(pair)
        self.displacement = self.displacement + pair.displacement.astype(float)
        if "moved" in pair.label_maps:
            self._count(pair.label_maps["moved"])

    def _count(self, ids: np.ndarray) -> None:
        for label in np.unique(ids).tolist():
            self.votes[label] = self.votes.get(label, np.zeros(ids.shape, np.int32)) + (ids == label)

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The "mean" and "sd" of intensities and the mean "log_jacobian", (*S), float32."""
        mean = np.asarray(self.image / self.count)
        maps = {
            "mean": mean,
            "sd": np.sqrt(np.clip(self.square / self.count - mean**2, 0, None)),
            "log_jacobian": np.asarray(self.log_jacobian / self.count),
        }
        return {name: values.astype(np.float32) for name, values in maps.items()}

    @property
    def label(self) -> np.ndarray:
        """The id that most images have at each voxel, (*S); the smallest of several."""
        ids = sorted(self.votes)
        return np.array(ids, np.int32)[np.argmax([self.votes[i] for i in ids], axis=0)]

    @property
    def mean_field(self) -> np.ndarray:
        """The mean displacement over images, (D, *S), in voxels."""
        return np.asarray(self.displacement / self.count)

    @property
    def mean_displacement(self) -> float:
        """The mean length over voxels of the `mean_field`, in voxels: 0 of an unbiased template."""
        return float(np.linalg.norm(self.mean_field, axis=0).mean())

    def save(self, folder: Path, *, pictures: bool = True) -> None:
        """Write the maps, the label map where there are labels, group.json and with `pictures` group.png."""
        maps = dict(self.maps)
        if self.votes:
            maps["label"] = self.label.astype(np.int16)
        for name, values in maps.items():
            write_on(self.template, folder / f"{name}.nii.gz", sitk.GetImageFromArray(np.ascontiguousarray(values.T)))
        figures = {"cases": self.count, "mean_displacement_voxels": round(self.mean_displacement, DIGITS)}
        write_json(folder / "group.json", figures)
        if pictures:
            self._draw(folder / "group.png")

    def _draw(self, path: Path) -> None:
        view, maps = upright(self.template), self.maps
        drawn = {
            "template": scaled(template_values(self.template)), "mean": maps["mean"],
            f"SD, white: {LARGEST_SD}": np.clip(maps["sd"] / LARGEST_SD, 0, 1),
        }  # fmt: skip
        columns = {name: planes(turned(values, view)) for name, values in drawn.items()}
        determinants = planes(turned(np.exp(maps["log_jacobian"]), view))
        columns["log det J"] = [log_jacobian(part) for part in determinants]
        save_picture(path, in_columns(columns))


def group_files(*, labelled: bool, pictures: bool) -> list[str]:
    """The names of what `Group.save` writes."""
    names = ["mean.nii.gz", "sd.nii.gz", "log_jacobian.nii.gz", "group.json"]
    return names + ["label.nii.gz"] * labelled + ["group.png"] * pictures


def log_determinant(pair: Registered) -> np.ndarray:
    """log det J, (*S), above 0 where the image has more volume than the template; of a fold, of the smallest det J."""
    return np.log(np.clip(pair.determinant, SMALLEST_DETERMINANT, None))


def template_values(file: ImageFile) -> np.ndarray:
    """(*S), S = (x, y[, z]) without an axis of one voxel."""
    return file.values[0].T if file.is_raster else file.values[0].squeeze()


def in_columns(columns: Mapping[str, Sequence[np.ndarray]]) -> Image.Image:
    """Planes (rows, columns[, RGB]) under each other and under their name, a column a name."""
    panels = [
        stacked([caption(name, COLUMN_WIDTH, size=12), *(from_below(part) for part in parts)], gap=4)
        for name, parts in columns.items()
    ]
    return side_by_side(panels)


def planes(values: np.ndarray) -> list[np.ndarray]:
    """The planes (rows, columns) in which an image is drawn."""
    return [plane(values, cut) for cut in cuts_of(values)]
