"""The transforms that read images and labels into a bundle, and refuse what it cannot take."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from shared.errors import InputError
from shared.images.accepting import accepted, check_values, matched_channels
from shared.images.file import ImageFile
from shared.images.in_memory import image_in_memory
from shared.images.pixel_size import checked_pixel_size
from shared.images.reading import read_image
from shared.images.snapping import is_lossy, snapped
from shared.samples import Sample


class ReadCased(MapTransform):
    """Make of the images that `keys` hold MetaTensors (C, *S), float32.

    They are paths, an `ImageFile` each, or in memory as other programs hand them over (see `image_in_memory`).

    Images must have `spatial_dims` dimensions, be finite and not constant, and have `channels` channels, for which
    raster images are converted between gray and colour. channel: which channels are taken of the file's (see
    `match_channels`); where a sample has "files", they hold these alone afterwards. pixdim: the spacing, in mm along
    the axes of RAS, to which they are resampled later, if at all; that grid must fit into memory (see `check_grid`).
    pixel_size: of raster images, in µm, in place of what their files say; "": as these say.
    in_bytes: large pictures may be uint8 (see `read_image`), for transforms that take these.
    Raises InputError otherwise.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        spatial_dims: int,
        channels: int = 1,
        channel: object = "",
        pixdim: Sequence[float] | float | None = None,
        pixel_size: object = "",
        in_bytes: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.spatial_dims = spatial_dims
        self.channels = channels
        self.channel = channel
        self.pixdim = pixdim
        self.pixel_size = checked_pixel_size(pixel_size)
        self.in_bytes = in_bytes

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            file = self._file(out[key]).with_pixel_size(self.pixel_size)
            values = accepted(
                file, spatial_dims=self.spatial_dims, channels=self.channels, channel=self.channel, pixdim=self.pixdim
            )
            kept = values if self.in_bytes else values.astype(np.float32, copy=False)
            out[key] = replace(file, values=kept).tensor()
            if "files" in out:
                out["files"] = {**out["files"], key: file.with_channels(self.channel)}
        return out

    def _file(self, image: str | Path | ImageFile | np.ndarray | Tensor) -> ImageFile:
        if isinstance(image, np.ndarray | Tensor):
            return image_in_memory(image, spatial_dims=self.spatial_dims)
        return image if isinstance(image, ImageFile) else read_image(image, in_bytes=self.in_bytes)


class ReadLabeld(MapTransform):
    """Read the label maps that `keys` name into class ids (1, *S) on the grid of `image_key`.

    values: the value in the file that stands for each class, such as (0, 255); files of class ids are read too, and
    those of a JPEG, which are near `values`, are replaced by the nearest, with a warning that counts them.
    Raises InputError where the grid differs or a value is neither one of `values` nor of 0 … num_classes - 1.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        image_key: str,
        num_classes: int,
        values: Sequence[int] = (),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if values and not len(values) == len(set(values)) == num_classes:
            raise InputError(
                "--label_values", expected=f"{num_classes} different values, one a class", got=f"{list(values)}",
                fix="list the value of each of --class_names",
            )  # fmt: skip
        self.image_key = image_key
        self.num_classes = num_classes
        self.values = list(values)

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            path, image = out[key], out[self.image_key]
            file = read_image(path, as_ids=True)
            if self.values and is_lossy(path):
                file = replace(file, values=snapped(file.values, self.values, path))
            label = file.tensor()
            if label.shape[1:] != image.shape[1:] or not np.allclose(label.affine, image.affine, atol=1e-2):
                raise InputError(
                    path,
                    expected=f"the grid of its image, {tuple(image.shape[1:])}",
                    got=f"{tuple(label.shape[1:])} or another affine",
                    fix="resample the label onto the image",
                )
            out[key] = self.class_ids(label, path)
        return out

    def class_ids(self, label: MetaTensor, path: str | Path) -> MetaTensor:
        """See `class_ids`."""
        return class_ids(label, path, self.num_classes, self.values)


def match_channels(file: ImageFile, channels: int, channel: object = "") -> MetaTensor:
    """The image as a tensor (channels, *S): see `matched_channels`."""
    return replace(file, values=matched_channels(file, channels, channel)).tensor()


def check_intensities(image: MetaTensor, path: str | Path) -> None:
    """Refuse an image (C, *S): see `check_values`."""
    check_values(np.asarray(image), path)


def class_ids(label: MetaTensor, path: str | Path, num_classes: int, values: Sequence[int] = ()) -> MetaTensor:
    """A label map (C, *S) as class ids: where all it holds is among `values`, each becomes its place in them.

    Raises InputError where it has several channels, or else holds other than the class ids 0 … num_classes - 1.
    """
    if label.shape[0] != 1:
        raise InputError(path, expected="one class id a voxel", got=f"{label.shape[0]} channels", fix="store ids")
    given = label.unique().tolist()
    if set(given) <= set(values):
        ids = label.clone()
        for index, value in enumerate(values):
            ids[label == value] = index
        return ids
    strange = dict.fromkeys(f"{v:g}" for v in given if v not in range(num_classes))
    if strange:
        raise InputError(
            path,
            expected=f"class ids 0 to {num_classes - 1}" + (f", or the values {list(values)}" if values else ""),
            got=", ".join(list(strange)[:5]),
            fix="correct the label, or name all its classes with --class_names",
        )
    return label
