"""What a template is learned for: images that look like it, by small and smooth movements that cancel out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from shared.tasks.registration.fields import diffusion
from shared.tasks.registration.losses import RegistrationLoss

MOMENTUM = 0.02  # a step's share of the running mean, which is so one of some hundred images


class TemplateLoss(nn.Module):
    """The loss of images registered to a template: `registration` both ways, and what keeps the template in the middle.

    found: what `ToTemplate` gives. batch: {"image": (B, 1, *S), "codes": (B, K)}. size: *S.
    magnitude: weight of the mean squared displacement, in voxels. centring: how strongly the running means of
    displacements, and of their products with each attribute, are drawn to 0: with both 0 the template is the mean of
    shapes, and follows the attributes as they do. The weight of smoothness holds for what moves the template as well.
    Source: Dalca et al., NeurIPS 2019, eq. 5 and 7. Differs: the mean also over products with attributes.
    """

    running: Tensor

    def __init__(
        self,
        registration: RegistrationLoss,
        *,
        size: Sequence[int],
        attributes: int = 0,
        magnitude: float = 0.002,
        centring: float = 0.4,
    ) -> None:
        super().__init__()
        self.registration = registration
        self.magnitude = magnitude
        self.centring = centring
        self.register_buffer("running", torch.zeros(1 + attributes, len(size), *size))

    def forward(self, found: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        pair = torch.cat([batch["image"], found["template"]], dim=1)
        terms = [self.registration(found, {"image": pair}), self.magnitude * found["there"].square().mean()]
        if "shape" in found:
            terms.append(self.registration.smoothness * diffusion(found["shape"].float()))
        terms.append(self.centring * self._off_centre(found["there"], batch["codes"]))
        return torch.stack(terms).sum()

    def _off_centre(self, displacement: Tensor, codes: Tensor) -> Tensor:
        """The mean of the running mean times that of this step, by which a step's gradient leads against the former."""
        factors = torch.cat([codes.new_ones(len(codes), 1), codes], dim=1)
        now = torch.einsum("bk,bd...->kd...", factors, displacement) / len(codes)
        self.running = self.running.to(now.device).lerp(now.detach(), MOMENTUM)
        return (self.running * now).mean()
