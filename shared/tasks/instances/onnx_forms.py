"""Forms of a Mask R-CNN."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from shared.engine.forms import Form
from shared.nets.mask_rcnn import Instances


class InstanceForm(Form):
    """A Mask R-CNN from "image" to the fields of `Instances`.

    by_op: suppression is ONNX's NonMaxSuppression, 2D only, and masks are made of what it leaves alone: the fastest in
    onnxruntime. Else all is made of plain operations of fixed size, as TensorRT wants it.
    """

    outputs: ClassVar[tuple[str, ...]] = Instances._fields
    meanings: ClassVar[dict[str, str]] = {
        "boxes": "corners (row1, column1, row2, column2) in pixels of the input, the surest instance first",
        "scores": "from 0 to 1",
        "labels": "positions in the classes",
        "masks": "probabilities of a pixel to belong to the instance, over its box",
        "number": "how many of the places hold an instance",
    }

    def __init__(self, network: nn.Module, *, by_op: bool) -> None:
        super().__init__(network)
        if by_op:
            from shared.tasks.instances.suppression import (  # imports onnxscript: only for this
                TRANSLATIONS,
                suppress_by_op,
            )

            self.network.suppress = suppress_by_op  # type: ignore[assignment]
            self.translations = TRANSLATIONS  # type: ignore[misc]
            self.network.exports_fixed = False  # type: ignore[assignment]

    @staticmethod
    def of_outputs(outputs: Sequence[Tensor]) -> Instances:
        return Instances(*outputs)
