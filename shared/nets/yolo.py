"""A YOLO-style detector: one look at the image, boxes and classes at every place of three resolutions."""

from collections.abc import Sequence
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from torch import Tensor, nn

from shared.layers.csp import ConvNormAct, CrossStage, PyramidPooling
from shared.layers.naming import name_as_part
from shared.layers.padding import pad_to_multiple

STRIDES = (8, 16, 32)  # of the three maps, in pixels


class Yolo(nn.Module):
    """Detect objects in images (B, in_channels, *S), 2D and 3D: (B, 2 D + out_channels, N), N places.

    Of each place first the box, its corners (x1, y1[, z1], x2, …) in pixels along the axes of S, then the score of each
    class, from 0 to 1; an object may have several. S: any size; it is padded by zeros to a multiple of 32.
    The defaults are the size n of YOLOv8; filters of twice as many channels are its size s.
    filters: of the stem and of the four levels below it. repeats: residual blocks of a level; those of the pyramid have
    the first of them. bins: a side of a box is a distribution over distances from 0 to bins - 1 strides.
    Source: the layout of YOLOv5 and YOLOv8 (cross-stage blocks, Wang et al., CSPNet, 2020; two-way pyramid, Liu et al.,
    PANet, 2018); anchor-free decoupled heads as in Ge et al., YOLOX, 2021; box distributions: Li et al., Generalized
    Focal Loss, NeurIPS 2020.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        *,
        filters: Sequence[int] = (16, 32, 64, 128, 256),
        repeats: Sequence[int] = (1, 2, 2, 1),
        bins: int = 16,
    ) -> None:
        super().__init__()
        if len(filters) != 5 or len(repeats) != 4:
            raise ValueError(f"expected 5 filters and 4 repeats, got {len(filters)} and {len(repeats)}")
        self.bins = bins
        self.sides = 2 * spatial_dims
        self.stem = ConvNormAct(spatial_dims, in_channels, filters[0], stride=2)
        self.backbone = nn.ModuleList()
        for before, after, count in zip(filters, filters[1:], repeats):
            down = ConvNormAct(spatial_dims, before, after, stride=2)
            self.backbone.append(nn.Sequential(down, CrossStage(spatial_dims, after, after, repeats=count)))
        self.pool = PyramidPooling(spatial_dims, filters[-1])

        fine, middle, coarse = filters[2:]
        options: dict[str, Any] = {"repeats": repeats[0], "residual": False}
        self.down_middle = CrossStage(spatial_dims, coarse + middle, middle, **options)
        self.down_fine = CrossStage(spatial_dims, middle + fine, fine, **options)
        self.stride_fine = ConvNormAct(spatial_dims, fine, fine, stride=2)
        self.up_middle = CrossStage(spatial_dims, fine + middle, middle, **options)
        self.stride_middle = ConvNormAct(spatial_dims, middle, middle, stride=2)
        self.up_coarse = CrossStage(spatial_dims, middle + coarse, coarse, **options)

        box_filters = max(16, fine // 4, 2 * self.sides * bins // 2)
        class_filters = max(fine, min(out_channels, 100))
        self.box_heads, self.class_heads = (
            nn.ModuleList(_head(spatial_dims, channels, inner, out) for channels in (fine, middle, coarse))
            for inner, out in ((box_filters, self.sides * bins), (class_filters, out_channels))
        )
        for head, stride in zip(self.class_heads, STRIDES):  # at first about five objects in an image of 640 pixels
            prior = 5 / out_channels / (640 / stride) ** 2
            nn.init.constant_(head.get_parameter("2.bias"), log(prior / (1 - prior)))

    def forward(self, image: Tensor) -> Tensor:
        found = self.heads(image)
        return torch.cat([self.boxes(found), found["classes"].sigmoid()], dim=1)

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """What the heads say of N places, before it is decoded.

        "sides": (B, 2 D · bins, N) and "classes": (B, C, N), logits; "centres": (D, N) of the places, and "strides":
        (N), both in pixels.
        """
        image = pad_to_multiple(image, STRIDES[-1], mode="constant")
        features, maps = self.stem(image), []
        for level in self.backbone:
            features = level(features)
            maps.append(features)
        maps = self._pyramid(maps[-3], maps[-2], self.pool(maps[-1]))
        sides = torch.cat([head(m).flatten(2) for head, m in zip(self.box_heads, maps)], dim=2)
        classes = torch.cat([head(m).flatten(2) for head, m in zip(self.class_heads, maps)], dim=2)
        centres = torch.cat([_centres(m, stride) for m, stride in zip(maps, STRIDES)], dim=1)
        strides = torch.cat([torch.full_like(_centres(m, 1)[0], stride) for m, stride in zip(maps, STRIDES)])
        return {"sides": sides.float(), "classes": classes.float(), "centres": centres, "strides": strides}

    def boxes(self, found: dict[str, Tensor]) -> Tensor:
        """The boxes (B, 2 D, N), corners in pixels, of what `heads` gave."""
        distances = torch.arange(self.bins, device=found["sides"].device, dtype=torch.float32)
        likelihood = found["sides"].unflatten(1, (self.sides, self.bins)).softmax(dim=2)
        sides = (likelihood * distances[:, None]).sum(dim=2) * found["strides"]
        before, after = sides.chunk(2, dim=1)
        return torch.cat([found["centres"] - before, found["centres"] + after], dim=1)

    def _pyramid(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> list[Tensor]:
        """From coarse to fine, and back."""
        middle = self.down_middle(torch.cat([F.interpolate(coarse, scale_factor=2.0), middle], dim=1))
        fine = self.down_fine(torch.cat([F.interpolate(middle, scale_factor=2.0), fine], dim=1))
        middle = self.up_middle(torch.cat([self.stride_fine(fine), middle], dim=1))
        return [fine, middle, self.up_coarse(torch.cat([self.stride_middle(middle), coarse], dim=1))]


class YoloHeads(nn.Module):
    """What a `yolo` is trained by: its heads' output and, decoded from it, "boxes" (B, 2 D, N)."""

    def __init__(self, yolo: Yolo) -> None:
        super().__init__()
        self.yolo = yolo
        name_as_part(self, "yolo")

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        found = self.yolo.heads(image)
        return {**found, "boxes": self.yolo.boxes(found)}


def _head(spatial_dims: int, channels: int, inner: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        ConvNormAct(spatial_dims, channels, inner),
        ConvNormAct(spatial_dims, inner, inner),
        Conv[Conv.CONV, spatial_dims](inner, out, 1),
    )


def _centres(features: Tensor, stride: int) -> Tensor:
    """The centres (D, N) of the places of a map (B, C, *S), in pixels of the image."""
    axes = [torch.arange(size, device=features.device, dtype=torch.float32) + 0.5 for size in features.shape[2:]]
    return stride * torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
