"""One image moved onto another by way of the template."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from torch import Tensor

from shared.engine.inferers import AutocastInferer
from shared.errors import InputError
from shared.nets.template import TemplateMorph
from shared.spatial.warping import compose


class ThroughTemplate(Inferer):
    """Give the displacement (B, D, *S) of pairs (B, 2, *S), in voxels: from fixed to template, and on to moving.

    codes: (K,), of the attributes of the template; None: that of the means. with_inverse: give (B, 2 D, *S), from fixed
    to moving and back. bfloat16: let the network compute in it where it is native.
    Raises InputError for pairs of another size than the template's.
    """

    def __init__(self, codes: Tensor | None = None, *, with_inverse: bool = False, bfloat16: bool = False) -> None:
        self.codes = codes
        self.with_inverse = with_inverse
        self.autocast = AutocastInferer(bfloat16)

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: object, **kwargs: object) -> Tensor:
        assert isinstance(network, TemplateMorph)
        pair = convert_to_tensor(inputs)[:, :2]  # plain: a MetaTensor would triple the time of a step
        template, size = self._template(network, len(pair)), pair.shape[2:]
        if template.shape[2:] != size:
            raise InputError(
                "pair", expected=f"images of the template's size, {_times(template.shape[2:])}", got=_times(size),
                fix="crop or pad them, or register each to the template by inference.json",
            )  # fmt: skip
        moving, fixed = (
            self.autocast(image, lambda x: network.velocity(torch.cat([x, template], dim=1)))
            for image in pair.split(1, dim=1)
        )
        ways = [(moving, fixed), (fixed, moving)] if self.with_inverse else [(moving, fixed)]
        return torch.cat(
            [compose(network.displacement(a, size), network.displacement(-b, size)) for a, b in ways], dim=1
        )

    def _template(self, network: TemplateMorph, count: int) -> Tensor:
        if self.codes is None or not len(self.codes):
            return network.moved_template(None, count)
        return network.template_of(self.codes.to(network.template).expand(count, -1))


def _times(size: Sequence[int]) -> str:
    return " × ".join(map(str, size))
