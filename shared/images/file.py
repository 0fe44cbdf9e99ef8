"""An image file, read once: what it holds, on which grid, and how a result is written on that grid."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from shared.errors import InputError
from shared.files import write_atomically
from shared.images.channels import Channel, chosen_channels, describe, numbered
from shared.images.pixel_size import checked_pixel_size

if TYPE_CHECKING:
    import nibabel as nib
    from monai.data import MetaTensor


PIXEL_SIZE = "pixel_size"  # in the meta data of a tensor, where it is known


@dataclass(frozen=True)
class NiftiGrid:
    """The grid of a NIfTI file: a header by which ITK and nibabel see `affine`, which is that of ITK, in the header's
    unit, and the shape, trailing axes of length 1 included.
    """

    header: "nib.Nifti1Header"
    affine: np.ndarray
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ImageFile:
    """The content of an image file or DICOM series, as `read_image` gives it.

    values: (C, *S), float32, int32 of ids or uint8 (see `read_ids`, `read_image`); S = (x, y[, z]) of a volume and
    (rows, columns) of a raster image. affine: (4, 4), voxels to mm, RAS; the identity for a raster image. nifti: where
    the file is NIfTI, the grid on which results are written.
    channels: what they are, as far as the file says so; without them one is gray and three are colours.
    pixel_size: the side of a pixel of a raster image, in µm; None where it is not known.
    """

    path: Path
    values: np.ndarray
    affine: np.ndarray
    is_raster: bool = False
    nifti: NiftiGrid | None = None
    channels: tuple[Channel, ...] = ()
    pixel_size: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """S."""
        return self.values.shape[1:]

    def with_channels(self, wanted: object) -> "ImageFile":
        """The file with those channels alone that an option means (see `chosen_channels`); all of them with "".

        Raises InputError where it has no such channel.
        """
        if wanted in ("", None):
            return self
        channels = self.channels or numbered(len(self.values))
        try:
            chosen = chosen_channels(channels, wanted)
        except LookupError as error:
            raise InputError(
                self.path, expected=f"a channel {error.args[0]!r}", got=describe(channels),
                fix="choose --channel by one of these names, or by a number from 1",
            ) from None  # fmt: skip
        return replace(self, values=self.values[chosen], channels=tuple(channels[i] for i in chosen))

    def with_pixel_size(self, option: object) -> "ImageFile":
        """The file with pixels of the size, in µm, that an option says; as it is with "".

        Raises InputError where that is no number above 0.
        """
        size = checked_pixel_size(option)
        return self if size is None else replace(self, pixel_size=size)

    def tensor(self) -> "MetaTensor":
        """A copy of the values as MONAI's transforms take them, with what MONAI's own readers add."""
        import torch  # seconds with MONAI, needed for tensors alone
        from monai.data import MetaTensor

        meta: dict[str, Any] = {"filename_or_obj": str(self.path)}
        meta |= {"original_affine": self.affine, "spatial_shape": self.shape}
        meta |= {PIXEL_SIZE: self.pixel_size} if self.pixel_size else {}
        return MetaTensor(torch.tensor(self.values), affine=torch.as_tensor(self.affine), meta=meta)

    def write_labels(self, path: str | Path, labels: np.ndarray) -> Path:
        """Write class ids (*S) in 8 bits: a picture for a raster image, else as `write_volume`, with its errors."""
        labels = labels.astype(np.uint8)
        if not self.is_raster:
            return self.write_volume(path, labels)
        self.refuse_as_target(path)
        return write_atomically(path, lambda temporary: Image.fromarray(labels).save(temporary))

    def write_volume(self, path: str | Path, values: np.ndarray, *, scale: float | None = None) -> Path:
        """Write (*S), or (*S, N), as NIfTI of the shape, affine and units of the file, in the type of `values`.

        A NIfTI file lends its header, so that whoever reads both sees the same grid. scale: what a reader multiplies
        the values by. Raises InputError where `path` is the file itself, ValueError where the shapes differ.
        """
        import nibabel as nib  # 0.3 s, needed for volumes alone

        self.refuse_as_target(path)
        if values.shape[: len(self.shape)] != self.shape:
            raise ValueError(f"expected the image's shape {self.shape}, got {values.shape}")
        if self.nifti is None:
            volume = nib.Nifti1Image(values, self.affine)
            volume.header.set_xyzt_units("mm")
        else:
            header = self.nifti.header.copy()
            header.set_data_dtype(values.dtype)
            header.set_intent("none")
            header["cal_min"] = header["cal_max"] = 0
            # Where the file has trailing axes of length 1, so has the result; further channels it has not.
            one_each = values.ndim == len(self.shape) and np.prod(self.nifti.shape[3:]) == 1
            shape = self.nifti.shape if one_each else (*self.nifti.shape[:3], *values.shape[len(self.shape) :])
            volume = nib.Nifti1Image(values.reshape(shape), self.nifti.affine, header)
        if scale is not None:
            volume.header.set_slope_inter(scale, 0)
        return write_atomically(path, lambda temporary: nib.save(volume, temporary))

    def refuse_as_target(self, path: str | Path) -> None:
        """Raise InputError where a result at `path` would replace this file."""
        if Path(path).resolve() == self.path.resolve():
            raise InputError(
                path, expected="a result beside the image", got="the image's own path",
                fix="choose another --output_dir",
            )  # fmt: skip
