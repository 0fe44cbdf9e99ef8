"""How unsure a segmentation is of each voxel, and whether it is right as often as it says."""

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from shared.samples import Sample
from shared.tasks.segmentation.probabilities import as_uint16

KEY = "uncertainty"  # of a sample, and what files are called after
CONFIDENCE = "confidence"
BINS = 15  # as Guo et al. have them


class KeepUncertaintyd(MapTransform):
    """Add how unsure the logits (C, *S) that `keys` hold are.

    "uncertainty", with `enabled`: (*S), uint16 of 65535, the entropy of the softmax as a part of the largest, log C. Of
    logits that are a mean over flips it is that of their mean. "confidence", with `confidence`: (*S), float32, the
    probability of the likeliest class.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        enabled: bool = False,
        confidence: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.enabled = enabled
        self.confidence = confidence

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out) if self.enabled or self.confidence else ():
            probabilities = torch.as_tensor(out[key]).float().softmax(dim=0)
            if self.enabled:
                out[KEY] = as_uint16(entropy(probabilities).cpu().numpy())
            if self.confidence:
                out[CONFIDENCE] = probabilities.amax(dim=0).cpu().numpy()
        return out


def entropy(probabilities: Tensor) -> Tensor:
    """(*S): of probabilities (C, *S), from 0 where one class is certain to 1 where all are equal."""
    return (torch.special.entr(probabilities).sum(dim=0) / np.log(len(probabilities))).clamp(0, 1)


def calibration_error(confidence: np.ndarray, is_right: np.ndarray) -> float:
    """The expected calibration error: by how much confidence and accuracy differ, a mean over all voxels.

    confidence: (N,), 0 to 1. is_right: (N,), bool. NaN of no voxels.
    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 3, with 15 bins of equal width.
    """
    if not confidence.size:
        return float("nan")
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    sums = [np.bincount(place, weights=values, minlength=BINS) for values in (confidence, is_right)]
    return float(np.abs(sums[0] - sums[1]).sum() / confidence.size)
