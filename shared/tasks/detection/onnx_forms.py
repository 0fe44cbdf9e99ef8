"""Forms of detectors."""

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.detection.boxes import picked
from shared.detection.coding import clip_boxes
from shared.detection.static import suppress_fixed
from shared.engine.forms import Form


class Detections(NamedTuple):
    """K places for objects an image, the surest first; of these the first `number` are any, what follows is zero."""

    boxes: Tensor  # (B, K, 2 D): corners in pixels along the axes of the image
    scores: Tensor  # (B, K), from 0 to 1
    labels: Tensor  # (B, K): classes, from 0
    number: Tensor  # (B)


class Suppressed(Form):
    """A YOLO, and after it what leaves each object once: "image" to the fields of `Detections`.

    Of the `candidates` surest of all classes together those with a score of `min_score` count; one goes where a surer
    one of its class overlaps it by more than the IoU `overlap`; `most` are K.
    """

    outputs: ClassVar[tuple[str, ...]] = Detections._fields
    meanings: ClassVar[dict[str, str]] = {
        "boxes": "corners (row1, column1, row2, column2) in pixels of the input, the surest object first",
        "scores": "from 0 to 1",
        "labels": "positions in the classes",
        "number": "how many of the places hold an object",
    }

    def __init__(
        self, network: nn.Module, *, min_score: float, overlap: float, most: int = 300, candidates: int = 1000
    ) -> None:
        super().__init__(network)
        self.min_score = min_score
        self.overlap = overlap
        self.most = most
        self.candidates = candidates

    def forward(self, image: Tensor) -> Detections:
        found, dims = self.network(image), image.ndim - 2
        boxes, scores = found[:, : 2 * dims].transpose(1, 2), found[:, 2 * dims :]
        likely, index = F.pad(scores.flatten(1), (0, self.candidates)).topk(self.candidates, dim=1)
        labels = torch.div(index, scores.shape[2], rounding_mode="trunc")  # `//` exports as what TensorRT has not
        place = index - labels * scores.shape[2]
        boxes = picked(clip_boxes(boxes, image.shape[2:]), place)
        apart = 2 * image.shape[2] * labels[..., None]  # so that classes do not cover each other
        likely = likely.masked_fill(likely < self.min_score, -torch.inf)
        kept, present = suppress_fixed(boxes + apart, likely, overlap=self.overlap, most=self.most)
        return Detections(
            picked(boxes, kept) * present[..., None], likely.gather(1, kept).masked_fill(~present, 0),
            labels.gather(1, kept) * present, present.sum(dim=1),
        )  # fmt: skip
