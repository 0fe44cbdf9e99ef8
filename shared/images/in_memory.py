"""Images that another program hands over in memory, as MONAI's LoadImage and MONAI Deploy give them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared.images.file import ImageFile

COLOURS = (3, 4)  # channels of pictures, which may come last
CHANNEL_AXIS = "original_channel_dim"  # MONAI's name for it in the meta data: an axis, NaN or "no_channel"


def image_in_memory(image: Any, *, spatial_dims: int) -> ImageFile:
    """An array or MetaTensor of an image with `spatial_dims` dimensions as an `ImageFile`.

    Its channels are on the axis that its meta data names, if they do; else first, or last where that is how a picture
    has its colours. Without any it has one. Without an affine its voxels are of 1 mm.
    """
    meta = getattr(image, "meta", {})
    values = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    alone = values.ndim == spatial_dims
    values = values[None] if alone else np.moveaxis(values, _channel_axis(values.shape, meta), 0)
    affine = np.asarray(image.affine, dtype=float) if hasattr(image, "affine") else np.eye(4)
    path = Path(str(meta.get("filename_or_obj", "image")))
    return ImageFile(path, np.ascontiguousarray(values), affine, is_raster=spatial_dims == 2 and not _is_volume(meta))


def _channel_axis(shape: tuple[int, ...], meta: Mapping[str, Any]) -> int:
    axis = meta.get(CHANNEL_AXIS)
    if isinstance(axis, int) or (isinstance(axis, float) and axis == axis):
        return int(axis)
    return -1 if shape[-1] in COLOURS and shape[0] not in COLOURS else 0


def _is_volume(meta: Mapping[str, Any]) -> bool:
    return str(meta.get("filename_or_obj", "")).endswith((".nii", ".nii.gz"))
