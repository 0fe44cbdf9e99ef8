"""Maps of which parts of a view the evidence for a class depends on."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from monai.utils import convert_to_tensor
from monai.visualize import OcclusionSensitivity, SmoothGrad, VanillaGrad
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

NOISE = 0.05  # of the view's range, the standard deviation of SmoothGrad's noise
ACTIVATIONS = {F.relu, F.leaky_relu, F.silu}  # those of the zoo's networks


class GuidedActivations(TorchFunctionMode):
    """Within it, gradients that would lower an activation are not passed back through it.

    MONAI's GuidedBackpropGrad replaces modules that are called "relu", which those of the zoo's networks are not.
    Source: Springenberg et al., Striving for Simplicity, 2015, sec. 3.4. Differs: other activations than ReLU likewise.
    """

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in ACTIVATIONS and output.requires_grad:
            output.register_hook(lambda gradient: gradient.clamp(min=0))
        return output


def gradient(evidence: nn.Module, view: Tensor, classes: Tensor | int) -> Tensor:
    """(1, C, *S): how the evidence for `classes`, summed up, changes with each value of `view`, (1, C, *S)."""
    return VanillaGrad(evidence)(view.detach().clone(), classes)


def saliency(evidence: nn.Module, view: Tensor, of_class: int, *, samples: int) -> Tensor:
    """(*S): the size of the gradient over several noisy views, over channels the largest."""
    maps = SmoothGrad(evidence, stdev_spread=NOISE, n_samples=samples, verbose=False)(view, of_class)
    return maps[0].amax(dim=0)


def guided(evidence: nn.Module, view: Tensor, of_class: int) -> Tensor:
    """(*S): the gradient that only passes what raises activations, over channels the largest; 0 where it is below."""
    with GuidedActivations():
        maps = gradient(evidence, view, of_class)
    return maps[0].amax(dim=0).clamp(min=0)


def occlusion(evidence: nn.Module, view: Tensor, of_class: int, *, patches: int) -> Tensor:
    """(*S): by how much the evidence falls where the view's mean hides a patch; `patches` along each axis."""
    sizes = [-(-side // patches) for side in view.shape[2:]]
    hide = OcclusionSensitivity(evidence, sizes, n_batch=1, verbose=False, mode="mean_img", overlap=0, activate=False)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using a non-tuple sequence")  # how MONAI indexes
        seen = evidence(view)[0, of_class]
        hidden, _ = hide(view)  # (1, K, *S), whatever MONAI's text says
    return seen - convert_to_tensor(hidden, track_meta=False)[0, of_class]
