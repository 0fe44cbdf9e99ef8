"""The heads of a detector of two stages: which regions there are, what each holds, and its mask."""

from math import log

from monai.networks.layers.factories import Conv
from torch import Tensor, nn


class RegionHead(nn.Module):
    """Of a map (B, C, *S) the logits (B, N) and box codes (B, N, 2 D) of its anchors, place by place."""

    def __init__(self, spatial_dims: int, channels: int, *, anchors: int) -> None:
        super().__init__()
        conv = Conv[Conv.CONV, spatial_dims]
        self.sides = 2 * spatial_dims
        self.shared = nn.Sequential(conv(channels, channels, 3, padding=1), nn.ReLU(inplace=True))
        self.logits = conv(channels, anchors, 1)
        self.codes = conv(channels, anchors * self.sides, 1)
        nn.init.constant_(self.logits.bias, log(0.01 / 0.99))  # objects are rare: Lin et al., Focal Loss, sec. 4.1
        nn.init.normal_(self.codes.weight, std=0.01)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        features = self.shared(features)
        logits = self.logits(features).flatten(2).transpose(1, 2).flatten(1)
        return logits, self.codes(features).flatten(2).transpose(1, 2).unflatten(2, (-1, self.sides)).flatten(1, 2)


class BoxHead(nn.Module):
    """Of regions (B, R, C, *M) the logits of background and classes, (B, R, 1 + classes), and box codes (B, R, 2 D)."""

    def __init__(self, spatial_dims: int, channels: int, classes: int, *, bins: int = 7, width: int = 256) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Linear(channels * bins**spatial_dims, width), nn.ReLU(inplace=True),
            nn.Linear(width, width), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.logits = nn.Linear(width, 1 + classes)
        self.codes = nn.Linear(width, 2 * spatial_dims)
        nn.init.normal_(self.codes.weight, std=0.01)

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.hidden(regions.flatten(2))
        return self.logits(hidden), self.codes(hidden)


class MaskHead(nn.Sequential):
    """Of regions (B, R, C, *M) the mask's logits of every class, at twice the resolution: (B, R, classes, *2 M)."""

    def __init__(self, spatial_dims: int, channels: int, classes: int, *, depth: int = 3) -> None:
        conv, up = Conv[Conv.CONV, spatial_dims], Conv[Conv.CONVTRANS, spatial_dims]
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [conv(channels, channels, 3, padding=1), nn.ReLU(inplace=True)]
        super().__init__(
            *layers, up(channels, channels, 2, stride=2), nn.ReLU(inplace=True), conv(channels, classes, 1)
        )
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)

    def forward(self, regions: Tensor) -> Tensor:
        return super().forward(regions.flatten(0, 1)).unflatten(0, regions.shape[:2])
