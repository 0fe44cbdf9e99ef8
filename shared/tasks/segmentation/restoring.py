"""The last step of a segmentation of many classes on an upright grid: back onto the grid of the image."""

from collections.abc import Collection, Sequence

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from shared.engine.intensities import SURE, Intensities, centres
from shared.errors import InputError
from shared.samples import Sample
from shared.tasks.segmentation.grids import AFFINE, UPRIGHT, as_image_lies, box_of, resized_slabs
from shared.tasks.segmentation.posteriors import Posterior, expected_dice, keep_largest_parts, keep_what_is_near
from shared.tasks.segmentation.probabilities import KEY, ONE, as_uint16
from shared.tasks.segmentation.uncertainty import CONFIDENCE, entropy
from shared.tasks.segmentation.uncertainty import KEY as UNCERTAINTY

# Of three heads, what is within the skull changes by 1 % from 8 mm to 15 mm; 10 mm leave out the CSF of the neck.
NEAR_MM = 10.0


class RestoreLabelsd(MapTransform):
    """Make of the logits (C, *S) that `keys` hold class ids (1, *S') on the grid that the image was read on.

    Not labels but probabilities are resampled, so that borders are smooth at the image's resolution. Adds "posterior",
    a `Posterior`, with `probabilities` those, (C, *S'), uint16 (see `as_uint16`), and as `KeepUncertaintyd` has them
    with `uncertainty` the entropy and with `confidence` how likely each label is, (*S').
    image_key: of the image that `UprightGridd` gave. tissues, intensity_weight: how its first channel moves borders
    (see `Intensities`), where the weight, from 0 to 1, is not 0; the "dice" of the posterior are the network's all the
    same. largest_part: whether each class is one connected part, save those in `scattered`, and nothing is further from
    the rest than `near_mm`. Raises InputError of another weight.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        image_key: str = "image",
        tissues: Sequence[int] = (),
        intensity_weight: float = 0.0,
        largest_part: bool = True,
        scattered: Collection[int] = (),
        near_mm: float = NEAR_MM,
        probabilities: bool = False,
        uncertainty: bool = False,
        confidence: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= intensity_weight <= 1:
            raise InputError(
                "--intensity_weight", expected="a number from 0 to 1", got=f"{intensity_weight}",
                fix="0 asks the network alone",
            )  # fmt: skip
        self.image_key = image_key
        self.tissues = torch.tensor(tissues)
        self.intensity_weight = intensity_weight
        self.largest_part = largest_part
        self.scattered = {0, *scattered}
        self.near_mm = near_mm
        self.probabilities = probabilities
        self.uncertainty = uncertainty
        self.confidence = confidence

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        image = out[self.image_key]
        affine, voxel = np.asarray(image.meta[AFFINE], dtype=float), nib.affines.voxel_sizes(np.asarray(image.affine))
        own = torch.as_tensor(out[f"{self.image_key}{UPRIGHT}"][0])
        for key in self.key_iterator(out):
            probabilities = torch.as_tensor(out[key]).float().softmax(dim=0).cpu().numpy()
            if self.largest_part:
                keep_largest_parts(probabilities, but=self.scattered)
                keep_what_is_near(probabilities, within=self.near_mm, spacing=voxel, but=self.scattered)
            labels, sums, maps = self._on_own_grid(probabilities, own)
            out["posterior"] = Posterior(sums * abs(np.linalg.det(affine[:3, :3])), expected_dice(probabilities))
            ids = torch.from_numpy(np.ascontiguousarray(as_image_lies(labels, affine)))
            out[key] = MetaTensor(ids[None], affine=torch.as_tensor(affine))
            out |= {name: as_image_lies(values, affine) for name, values in maps.items()}
            if self.probabilities:
                out[KEY] = np.moveaxis(out[KEY], -1, 0)
        return out

    def _on_own_grid(
        self, probabilities: np.ndarray, own: Tensor
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Class ids (*S') of probabilities (C, *S), the sums (C,) of what is likely there, and the maps by name.

        own: (*S'), the image. Where nothing but background is likely, nothing is worked out.
        """
        count = len(probabilities)
        labels, sums = np.zeros(own.shape, dtype=np.uint8), np.zeros(count)
        sums[0] = labels.size
        maps: dict[str, np.ndarray] = {}
        if self.confidence:
            maps[CONFIDENCE] = np.ones(own.shape, dtype=np.float32)
        if self.uncertainty:
            maps[UNCERTAINTY] = np.zeros(own.shape, dtype=np.uint16)
        if self.probabilities:
            maps[KEY] = np.zeros((*own.shape, count), dtype=np.uint16)
            maps[KEY][..., 0] = ONE
        box = box_of(probabilities[0] < 1 - 0.5 / ONE)
        seen = self._fitted(torch.from_numpy(probabilities), own)
        for part, values in () if box is None else resized_slabs(probabilities, own.shape, box):
            likely = torch.from_numpy(values)
            if seen:
                places = [centres(side)[lines] for side, lines in zip(own.shape, part)]
                likely = seen.answered(likely, own[part], places)
            labels[part] = likely.argmax(dim=0)
            sums += likely.sum(dim=(1, 2, 3), dtype=torch.float64).numpy()
            sums[0] -= labels[part].size
            if self.confidence:
                maps[CONFIDENCE][part] = likely.amax(dim=0)
            if self.uncertainty:
                maps[UNCERTAINTY][part] = as_uint16(entropy(likely).numpy())
            if self.probabilities:
                maps[KEY][part] = np.moveaxis(as_uint16(likely.numpy()), 0, -1)
        return labels, sums, maps

    def _fitted(self, probabilities: Tensor, own: Tensor) -> Intensities | None:
        """What tissues look like, at the voxel of `own` that is the nearest to each of the probabilities."""
        if not self.intensity_weight or not (probabilities[0] < SURE).any():
            return None
        size = probabilities.shape[1:]
        nearest = [((torch.arange(n) + 0.5) * side / n).long() for n, side in zip(size, own.shape)]
        x, y, z = torch.meshgrid(*nearest, indexing="ij")
        return Intensities.fitted(probabilities, own[x, y, z].float(), self.tissues, self.intensity_weight)
