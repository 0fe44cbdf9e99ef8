"""A network of another library, run over images of sizes that it does not take by itself."""

from torch import Tensor, nn

from shared.layers.onednn import convolve_by_onednn
from shared.layers.padding import pad_to_multiple
from shared.nets.unet import crop


class AnySize(nn.Module):
    """Run `network`, (B, C, *S) to (B, N, *S) where S divides by `multiple`, over images of any size.

    The border is repeated up to the next multiple, and the logits are cropped back.
    """

    def __init__(self, network: nn.Module, *, multiple: int) -> None:
        super().__init__()
        self.network = convolve_by_onednn(network)
        self.multiple = multiple

    def forward(self, x: Tensor) -> Tensor:
        return crop(self.network(pad_to_multiple(x, self.multiple)), x.shape[2:])
