"""Maps of how likely each class is, as files hold them."""

from pathlib import Path

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from shared.files import write_atomically
from shared.images.file import ImageFile
from shared.samples import Sample

KEY = "probabilities"  # of a sample, and what files are called after
ONE = 65535  # stands for a probability of 1 in 16 bits, which NIfTI has no floating-point type of


class KeepProbabilitiesd(MapTransform):
    """Add the softmax of the logits (C, *S) that `keys` hold as "probabilities", (C, *S), uint16 of `ONE`.

    Nothing is added where it is not `enabled`. temperature: by which the logits are divided.
    """

    def __init__(
        self, keys: KeysCollection, *, enabled: bool, temperature: float = 1.0, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.enabled = enabled
        self.temperature = temperature

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out) if self.enabled else ():
            logits = torch.as_tensor(out[key]).float() / self.temperature
            out[KEY] = as_uint16(logits.softmax(dim=0).cpu().numpy())
        return out


def as_uint16(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of 0 to 1 as multiples of 1 / `ONE`."""
    return (probabilities * ONE + 0.5).astype(np.uint16)


def names_of(case: str, kind: str = KEY) -> list[str]:
    """What the file of a case may be called: of a volume or of a raster image. kind: what it holds."""
    return [f"{case}_{kind}.nii.gz", f"{case}_{kind}.tif"]


def write_probabilities(
    folder: str | Path, case: str, image: ImageFile, probabilities: np.ndarray, *, kind: str = KEY
) -> Path:
    """Write (C, *S), or (*S), uint16 of `ONE`, on the grid of `image`. kind: what the file is called after.

    A volume becomes NIfTI (*S, C) whose header scales to 0 to 1; a raster image TIFF, float32, a page a class.
    """
    volume, pages = (Path(folder) / name for name in names_of(case, kind))
    if not image.is_raster:
        several = probabilities.ndim > len(image.shape)
        values = np.moveaxis(probabilities, 0, -1) if several else probabilities
        return image.write_volume(volume, values, scale=1 / ONE)
    import tifffile

    image.refuse_as_target(pages)
    scaled = probabilities.astype(np.float32) / ONE
    return write_atomically(
        pages, lambda temporary: tifffile.imwrite(temporary, scaled, photometric="minisblack", compression="zlib")
    )
