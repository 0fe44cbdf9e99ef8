"""Mask R-CNN: propose regions, look into each, and draw what is there."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from monai.apps.detection.utils.anchor_utils import AnchorGenerator
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork
from torch import Tensor, nn

from shared.detection.boxes import picked
from shared.detection.coding import clip_boxes, decode_boxes
from shared.detection.roi_align import roi_align
from shared.detection.static import suppress_fixed
from shared.layers.padding import pad_to_multiple
from shared.layers.regions import BoxHead, MaskHead, RegionHead
from shared.layers.residual import ResidualLevels


class Regions(NamedTuple):
    """What the region head says of N anchors."""

    logits: Tensor  # (B, N): is there an object?
    codes: Tensor  # (B, N, 2 D): its box, relative to the anchor
    anchors: Tensor  # (N, 2 D), corners in pixels
    counts: list[int]  # of places, by map; at each are as many anchors


class Instances(NamedTuple):
    """K places for instances an image, the surest first: the first `number` are valid, the rest zero."""

    boxes: Tensor  # (B, K, 2 D): corners in pixels along the axes of the image
    scores: Tensor  # (B, K): from 0 to 1
    labels: Tensor  # (B, K): classes, from 0
    masks: Tensor  # (B, K, *M): the likelihood of each part of the box to be of the instance
    number: Tensor  # (B)


class MaskRCNN(nn.Module):
    """Find the instances in images (B, in_channels, *S), 2D and 3D, of any size: `Instances`, of fixed size.

    backbone: gives maps at strides 2, 4, …. pyramid: mixes them, coarse into fine. anchors: those of all maps but the
    first, which is read for small regions only: at a stride of 4 nuclei of 8 pixels are two cells wide.
    region_head, box_head, mask_head: see there; without a mask head, masks fill their boxes, which is Faster R-CNN (Ren
    et al., NeurIPS 2015). candidates: anchors an image that are looked at in the search for
    `proposals`; detections: K. proposal_overlap, overlap: the IoU above which a box is taken for a surer one's.
    faint: the score, before that of the mask, up to which a box is none. finest: side in pixels of the smallest region
    that the second map is read for. suppress: like `suppress_fixed`. exports_fixed: whether an export computes the
    masks of all K, so that every size in it is fixed, and not only of those with a score.
    A score is the likelihood of the class, times that of the mask, its mean where it is above 1/2, times the root of
    the region head's: without that, more proposals find more that is not there.
    Source: He et al., Mask R-CNN, ICCV 2017, fig. 1 and 4. Differs: boxes do not depend on the class; score of the
    mask as in Wang et al., SOLO, ECCV 2020, sec. 3.3.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        pyramid: FeaturePyramidNetwork,
        anchors: AnchorGenerator,
        region_head: nn.Module,
        box_head: nn.Module,
        mask_head: nn.Module | None,
        candidates: int = 600,
        proposals: int = 200,
        detections: int = 100,
        proposal_overlap: float = 0.7,
        overlap: float = 0.4,
        faint: float = 0.1,
        finest: float = 28.0,
        suppress: Callable[..., tuple[Tensor, Tensor]] = suppress_fixed,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pyramid = pyramid
        self.anchors = anchors
        self.region_head = region_head
        self.box_head = box_head
        self.mask_head = mask_head
        self.candidates = candidates
        self.proposals = proposals
        self.detections = detections
        self.proposal_overlap = proposal_overlap
        self.overlap = overlap
        self.faint = faint
        self.finest = finest
        self.suppress = suppress
        self.exports_fixed = True

    def forward(self, image: Tensor) -> Instances:
        size = image.shape[2:]
        maps = self.features(image)
        regions = self.regions(maps)
        proposed, likely = self.propose(regions, size, candidates=self.candidates, number=self.proposals)
        logits, codes = self.box_head(self.look(maps, proposed, bins=7))
        boxes, scores, labels = self.detect(proposed, likely, logits, codes, size)
        scores = scores * (scores > self.faint)
        masks = self._masks(maps, boxes, scores, labels)
        inside = (masks > 0.5).float().flatten(2)
        scores = scores * (masks.flatten(2) * inside).sum(dim=2) / inside.sum(dim=2).clamp(min=1)
        return _surest_first(boxes, scores, labels, masks)

    def _masks(self, maps: Sequence[Tensor], boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        """The masks (B, K, *M) of `labels` (B, K) in boxes (B, K, 2 D); those of no score are not looked at, but 0.

        On a GPU, which would wait for their number, and in an export of fixed size all are looked at.
        """
        if self.mask_head is None:
            return boxes.new_ones(*labels.shape, *[1] * (boxes.shape[2] // 2))
        if boxes.is_cuda or (torch.compiler.is_exporting() and self.exports_fixed):
            return masks_of(self.mask_head(self.look(maps, boxes, bins=14)).sigmoid(), labels)
        # The surest are first, and one is always looked at. `int` instead of `item` would not export.
        count: int = ((scores[:, 1:] > 0).sum(dim=1).max() + 1).item()  # type: ignore[assignment]
        torch._check(count >= 1)  # for the exporter
        torch._check(count <= boxes.shape[1])
        masks = self.mask_head(self.look(maps, boxes[:, :count], bins=14)).sigmoid()
        masks = F.pad(masks, [0, 0] * (masks.ndim - 2) + [0, boxes.shape[1] - count])
        return masks_of(masks, labels)

    def features(self, image: Tensor) -> list[Tensor]:
        """The pyramid's maps, finest first; the image is continued to a multiple of the coarsest stride."""
        image = pad_to_multiple(image, 2 ** len(self.pyramid.inner_blocks))
        return list(self.pyramid(dict(enumerate(self.backbone(image)))).values())

    def regions(self, maps: Sequence[Tensor]) -> Regions:
        """What the region head says of the anchors of all maps but the first, map by map."""
        outputs = [self.region_head(m) for m in maps[1:]]
        logits = torch.cat([logits for logits, _ in outputs], dim=1).float()
        codes = torch.cat([codes for _, codes in outputs], dim=1).float()
        return Regions(logits, codes, self._anchors(maps[1:]), [m[0, 0].numel() for m in maps[1:]])

    def _anchors(self, maps: Sequence[Tensor]) -> Tensor:
        """Those of maps at strides 4, 8, …; MONAI's `forward` would make numbers of sizes, which do not export."""
        device = maps[0].device
        strides = [[torch.tensor(4 * 2**level, device=device)] * (m.ndim - 2) for level, m in enumerate(maps)]
        self.anchors.set_cell_anchors(torch.float32, device)
        return torch.cat(self.anchors.grid_anchors([list(m.shape[2:]) for m in maps], strides))

    @torch.no_grad()
    def propose(self, regions: Regions, size: torch.Size, *, candidates: int, number: int) -> tuple[Tensor, Tensor]:
        """Where objects may be: boxes (B, number, 2 D) within an image of `size`, and how likely, (B, number), or 0."""
        best, index = regions.logits.topk(min(candidates, regions.logits.shape[1]), dim=1)
        boxes = clip_boxes(decode_boxes(picked(regions.codes, index), regions.anchors[index]), size)
        kept, present = self.suppress(boxes, best, overlap=self.proposal_overlap, most=number)
        likely = best.gather(1, kept).sigmoid() * present
        return picked(boxes, kept) * present[..., None], likely

    def look(self, maps: Sequence[Tensor], boxes: Tensor, *, bins: int) -> Tensor:
        """What the maps show in boxes (B, R, 2 D): (B, R, C, *[bins] * D), each bin the mean of 2 points an axis."""
        strides = [2 ** (level + 1) for level in range(len(maps))]
        sampling = 14 // bins  # the same points for boxes and masks
        return roi_align(maps, boxes, strides=strides, size=bins, sampling=sampling, finest=self.finest)

    def detect(
        self, proposed: Tensor, likely: Tensor, logits: Tensor, codes: Tensor, size: torch.Size
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The boxes (B, K, 2 D), scores and labels (B, K) that the box head leaves of proposals so `likely`, (B, P)."""
        boxes = clip_boxes(decode_boxes(codes.float(), proposed), size)
        scores = logits.float().softmax(dim=2)[..., 1:] * likely.sqrt()[..., None]
        scores = scores.masked_fill(likely[..., None] == 0, -torch.inf)
        classes = scores.shape[2]
        apart = 2 * size[0] * torch.arange(classes, device=boxes.device)  # so that classes do not cover each other
        shifted = (boxes[:, :, None] + apart[:, None]).flatten(1, 2)
        kept, found = self.suppress(shifted, scores.flatten(1), overlap=self.overlap, most=self.detections)
        region = torch.div(kept, classes, rounding_mode="trunc")  # `//` would export as what TensorRT lacks
        likelihood = scores.flatten(1).gather(1, kept).masked_fill(~found, 0)
        return picked(boxes, region) * found[..., None], likelihood, kept - region * classes


def build_mask_rcnn(
    spatial_dims: int,
    in_channels: int,
    out_channels: int,
    *,
    filters: Sequence[int] = (32, 64, 128, 192),
    repeats: Sequence[int] = (2, 2, 2, 2),
    channels: int = 64,
    anchor_sizes: Sequence[Sequence[int]] = ((8, 14), (22, 36), (60, 100)),
    masks: bool = True,
    **options: float,
) -> MaskRCNN:
    """A `MaskRCNN` of `out_channels` classes with the usual parts.

    filters: of the backbone's levels, at strides 2, 4, …. channels: of the pyramid and the heads. anchor_sizes: sides
    in pixels of the square anchors of each level but the first. masks: whether there is a mask head. options: those of
    `MaskRCNN`.
    """
    if len({len(sizes) for sizes in anchor_sizes}) != 1 or len(anchor_sizes) != len(filters) - 1:
        raise ValueError(f"expected as many anchor sizes for each of {len(filters) - 1} levels, got {anchor_sizes}")
    ratios = (1.0,) if spatial_dims == 2 else ((1.0, 1.0),)
    return MaskRCNN(
        backbone=ResidualLevels(spatial_dims, in_channels, filters=filters, repeats=repeats),
        pyramid=FeaturePyramidNetwork(spatial_dims, list(filters), channels),
        anchors=AnchorGenerator([list(sizes) for sizes in anchor_sizes], [ratios] * len(anchor_sizes)),
        region_head=RegionHead(spatial_dims, channels, anchors=len(anchor_sizes[0])),
        box_head=BoxHead(spatial_dims, channels, out_channels),
        mask_head=MaskHead(spatial_dims, channels, out_channels) if masks else None,
        **options,  # type: ignore[arg-type]
    )


def masks_of(masks: Tensor, classes: Tensor) -> Tensor:
    """Of the masks (B, R, C, *M) of every class those of `classes` (B, R): (B, R, *M)."""
    index = classes.reshape(*classes.shape, *[1] * (masks.ndim - 2))
    return masks.gather(2, index.expand(-1, -1, 1, *masks.shape[3:]))[:, :, 0]


def _surest_first(boxes: Tensor, scores: Tensor, labels: Tensor, masks: Tensor) -> Instances:
    scores, order = scores.sort(dim=1, descending=True)

    def sorted_(values: Tensor) -> Tensor:
        index = order.reshape(*order.shape, *[1] * (values.ndim - 2))
        return values.gather(1, index.expand_as(values))

    present, masks = scores > 0, sorted_(masks)
    masks = masks * present.reshape(*present.shape, *[1] * (masks.ndim - 2))
    return Instances(sorted_(boxes) * present[..., None], scores, sorted_(labels), masks, present.sum(dim=1))
