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
TEMPERATURE = "temperature"
BINS = 15  # as Guo et al. have them
FITTED = 50_000  # voxels that a temperature is fitted to, at most
RANGE = 8.0  # times too sure, or too unsure, at most


class KeepUncertaintyd(MapTransform):
    """Add how unsure the logits (C, *S) that `keys` hold are.

    "uncertainty", with `enabled`: (*S), uint16 of 65535, the entropy of the softmax as a part of the largest, log C. Of
    logits that are a mean over flips it is that of their mean. "confidence", with `confidence`: (*S), float32, the
    probability of the likeliest class; and where the sample has a "label", (1, *S), the "temperature" that would make
    it likeliest. temperature: by which the logits are divided for all but the latter.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        enabled: bool = False,
        confidence: bool = False,
        temperature: float = 1.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.enabled = enabled
        self.confidence = confidence
        self.temperature = temperature

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out) if self.enabled or self.confidence else ():
            logits = torch.as_tensor(out[key]).float()
            probabilities = (logits / self.temperature).softmax(dim=0)
            if self.enabled:
                out[KEY] = as_uint16(entropy(probabilities).cpu().numpy())
            if self.confidence:
                out[CONFIDENCE] = probabilities.amax(dim=0).cpu().numpy()
                if "label" in out:
                    out[TEMPERATURE] = best_temperature(logits, torch.as_tensor(out["label"])[0].long())
        return out


def entropy(probabilities: Tensor) -> Tensor:
    """(*S): of probabilities (C, *S), from 0 where one class is certain to 1 where all are equal."""
    return (torch.special.entr(probabilities).sum(dim=0) / np.log(len(probabilities))).clamp(0, 1)


def best_temperature(logits: Tensor, label: Tensor) -> float:
    """By what `logits` (C, *S) are to be divided for `label` (*S) to be likeliest, from 1 / RANGE to RANGE.

    All voxels count, or FITTED of them drawn at random.
    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar  # needed for scores alone

    seen, right = logits.flatten(1), label.flatten()[None]
    if label.numel() > FITTED:
        places = torch.randint(label.numel(), (FITTED,), generator=torch.Generator().manual_seed(0)).to(label.device)
        seen, right = seen[:, places], right[:, places]

    def unlikeliness(log_temperature: float) -> float:
        return -float((seen / np.exp(log_temperature)).log_softmax(dim=0).gather(0, right).double().mean())

    return float(np.exp(minimize_scalar(unlikeliness, bounds=(-np.log(RANGE), np.log(RANGE)), method="bounded").x))


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
