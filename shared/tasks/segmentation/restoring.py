"""The last step of a segmentation of many classes on an upright grid: back onto the grid of the image."""

from collections.abc import Collection

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from shared.samples import Sample
from shared.tasks.segmentation.grids import AFFINE, SHAPE, as_image_lies, upright_shape
from shared.tasks.segmentation.posteriors import Posterior, keep_largest_parts, keep_what_is_near, likeliest
from shared.tasks.segmentation.probabilities import KEY, resized_as_uint16
from shared.tasks.segmentation.uncertainty import CONFIDENCE, entropy
from shared.tasks.segmentation.uncertainty import KEY as UNCERTAINTY

# Of three heads, what is within the skull changes by 1 % from 8 mm to 15 mm; 10 mm leave out the CSF of the neck.
NEAR_MM = 10.0


class RestoreLabelsd(MapTransform):
    """Make of the logits (C, *S) that `keys` hold class ids (1, *S') on the grid that the image was read on.

    Not labels but probabilities are resampled, so that borders are smooth at the image's resolution. Adds "posterior",
    a `Posterior`, with `probabilities` those, (C, *S'), uint16 (see `as_uint16`), and as `KeepUncertaintyd` has them
    with `uncertainty` the entropy and with `confidence` how likely each label is, (*S').
    image_key: of the image that `UprightGridd` gave. largest_part: whether each class is one connected part, save those
    in `scattered`, and nothing is further from the rest than `near_mm`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        image_key: str = "image",
        largest_part: bool = True,
        scattered: Collection[int] = (),
        near_mm: float = NEAR_MM,
        probabilities: bool = False,
        uncertainty: bool = False,
        confidence: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key
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
        shape = [int(side) for side in image.meta[SHAPE]]
        size = upright_shape(shape, affine)
        for key in self.key_iterator(out):
            probabilities = torch.as_tensor(out[key]).float().softmax(dim=0).cpu().numpy()
            if self.largest_part:
                keep_largest_parts(probabilities, but=self.scattered)
                keep_what_is_near(probabilities, within=self.near_mm, spacing=voxel, but=self.scattered)
            out["posterior"] = Posterior.of(probabilities, float(np.prod(voxel)))
            labels, sure = (as_image_lies(values, affine) for values in likeliest(probabilities, size))
            out[key] = MetaTensor(torch.from_numpy(labels)[None], affine=torch.as_tensor(affine))
            if self.confidence:
                out[CONFIDENCE] = sure
            if self.uncertainty:
                unsure = entropy(torch.from_numpy(probabilities)).numpy()
                out[UNCERTAINTY] = as_image_lies(resized_as_uint16(unsure, size), affine)
            if self.probabilities:
                out[KEY] = np.zeros((len(probabilities), *shape), dtype=np.uint16)
                for index, probability in enumerate(probabilities):  # one at a time: together they may take a gigabyte
                    out[KEY][index] = as_image_lies(resized_as_uint16(probability, size), affine)
        return out
