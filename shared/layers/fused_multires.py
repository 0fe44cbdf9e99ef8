"""The blocks of MultiResUNet for inference on a CPU: norms folded, sums and activations fused, where maths allows.

A norm behind an activation cannot go into a padded convolution after it: its shift would be missing in the padding. So
`norm_out` of a block and the norm of a step stay. `norm_chain` goes: its shift into the 1×1 convolution whose output is
added, its scale, where that is positive, through the ReLU into the convolutions before it.
"""

import torch
from torch import Tensor, nn

from shared.layers.fused import FusedConvolution, can_take, scale_and_shift
from shared.layers.multires import MultiResBlock, ResidualConv


class FusedMultiResBlock(nn.Module):
    """What a `MultiResBlock` of batch norms gives in evaluation: (B, in_channels, *S) to (B, out_channels, *S)."""

    def __init__(self, block: MultiResBlock) -> None:
        super().__init__()
        scale, shift = scale_and_shift(block.norm_chain)
        scales = scale.split([_conv(step).out_channels for step in block.chain])
        self.chain = nn.ModuleList(
            FusedConvolution(_conv(step), norm=_norm(step), act=_act(step), scale=after, input_scale=before)
            for step, before, after in zip(block.chain, [torch.ones(1), *scales], scales)
        )
        self.residual = FusedConvolution(_conv(block.residual), norm=_norm(block.residual), act=block.act, shift=shift)
        self.norm = block.norm_out

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for conv in self.chain:
            features.append(conv(features[-1]))
        return self.norm(self.residual(x, torch.cat(features[1:], dim=1)))


class FusedResidualConv(nn.Module):
    """What a `ResidualConv` of batch norms gives in evaluation: (B, in_channels, *S) to (B, filters, *S)."""

    def __init__(self, step: ResidualConv) -> None:
        super().__init__()
        self.conv = FusedConvolution(_conv(step.conv), norm=_norm(step.conv), act=_act(step.conv))
        self.residual = FusedConvolution(_conv(step.residual), norm=_norm(step.residual), act=step.act)
        self.norm = step.norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.residual(x, self.conv(x)))


def fuse_multires(network: nn.Module) -> None:
    """Replace, in place, the blocks and steps of MultiResUNet below `network` that can be fused."""
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if isinstance(module, MultiResBlock) and _fits(module, *module.chain) and _scales(module):
                setattr(parent, name, FusedMultiResBlock(module))
            elif isinstance(module, ResidualConv) and _fits(module, module.conv):
                setattr(parent, name, FusedResidualConv(module))


def _fits(module: MultiResBlock | ResidualConv, *steps: nn.Module) -> bool:
    parts = [(_conv(module.residual), _norm(module.residual), module.act)]
    parts += [(_conv(step), _norm(step), _act(step)) for step in steps]
    return all(can_take(conv, norm=norm, act=act) for conv, norm, act in parts)


def _scales(block: MultiResBlock) -> bool:
    """Whether s · act(x) is act(s · x) for the scales s of `norm_chain`."""
    if not can_take(_conv(block.residual), norm=block.norm_chain):
        return False
    homogeneous = all(isinstance(_act(step), nn.ReLU | nn.LeakyReLU) for step in block.chain)
    return homogeneous and bool((scale_and_shift(block.norm_chain)[0] > 0).all())


def _conv(convolution: nn.Module) -> nn.Conv3d:
    return convolution.get_submodule("conv")  # type: ignore[return-value]


def _norm(convolution: nn.Module) -> nn.Module:
    return convolution.get_submodule("adn.N")


def _act(convolution: nn.Module) -> nn.Module:
    return convolution.get_submodule("adn.A")
