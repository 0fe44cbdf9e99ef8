"""One training step of Mask R-CNN."""

from collections.abc import Mapping
from typing import Any

import torch
from monai.apps.detection.utils.ATSS_matcher import ATSSMatcher
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from shared.detection.coding import clip_boxes, decode_boxes
from shared.detection.regions import match_anchors, sample_regions
from shared.detection.roi_align import crop_masks
from shared.layers.naming import name_as_part
from shared.nets.mask_rcnn import MaskRCNN, masks_of
from shared.tasks.instances.losses import box_loss, class_loss, mask_loss, region_loss

CANDIDATES, PROPOSALS = 600, 200  # an image in training: of a patch, and only some of them are drawn


class MaskRCNNLearner(nn.Module):
    """The terms of the loss of `network` on images (B, C, *S) of known objects.

    truth: "ids", (B, 1, *S), of which the m-th object is m + 1; "boxes", (B, M, 2 D), corners in pixels, M >= 1;
    "classes", (B, M), from 0; "present", (B, M), which of the M are any.
    positives, negatives: regions an image for the heads. It is the module to run in parallel on several devices.
    """

    def __init__(self, network: MaskRCNN, *, positives: int = 40, negatives: int = 56, candidates: int = 4) -> None:
        super().__init__()
        self.network = network
        self.positives = positives
        self.negatives = negatives
        name_as_part(self, "network")
        self.matcher = ATSSMatcher(candidates, center_in_gt=True)

    def forward(self, image: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        network, size = self.network, image.shape[2:]
        boxes, present = truth["boxes"], truth["present"]
        maps = network.features(image)
        regions = network.regions(maps)
        matched = match_anchors(self.matcher, regions.anchors, regions.counts, boxes, present)
        proposed, likely = network.propose(regions, size, candidates=CANDIDATES, number=PROPOSALS)
        sampled = sample_regions(
            proposed, likely > 0, boxes, present, positives=self.positives, negatives=self.negatives
        )
        logits, codes = network.box_head(network.look(maps, sampled.boxes, bins=7))
        found = clip_boxes(decode_boxes(codes.float(), sampled.boxes), size)

        classes = truth["classes"].gather(1, sampled.matched.clamp(min=0)) + 1
        terms = {
            "regions": region_loss(regions.logits, decode_boxes(regions.codes, regions.anchors), matched, boxes),
            "classes": class_loss(logits.float(), classes * (sampled.matched >= 0), sampled.counted),
            "boxes": 2 * box_loss(found, sampled.matched, boxes),
        }
        if network.mask_head is None:
            return terms
        drawn, which = sampled.boxes[:, : self.positives], sampled.matched[:, : self.positives]
        masks = network.mask_head(network.look(maps, drawn, bins=14)).float()
        masks = masks_of(masks, truth["classes"].gather(1, which.clamp(min=0)))
        wanted = crop_masks(truth["ids"], drawn, which + 1, size=masks.shape[-1])
        return terms | {"masks": 2 * mask_loss(masks, wanted, which >= 0)}


def prepare_instances(
    batch: Mapping[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Tensor, None, tuple, dict[str, Any]]:
    """A collated batch as MONAI's SupervisedTrainer hands it to a `MaskRCNNLearner`."""
    keys = ("image", "ids", "boxes", "classes", "present")
    plain = {key: convert_to_tensor(batch[key], track_meta=False) for key in keys}
    moved = {key: value.to(device, non_blocking=non_blocking) for key, value in plain.items()}
    return moved.pop("image"), None, (), {"truth": moved}
