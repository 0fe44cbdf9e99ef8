"""From an ONNX file in float32 to one whose convolutions compute in 8-bit integers."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static
from torch import Tensor, nn

from shared.engine.forms import Outputs
from shared.errors import InputError
from shared.files import write_atomically


class Recording(nn.Module):
    """`network`, and what it was shown: `images`, as arrays (B, C, *S), at most `most`."""

    def __init__(self, network: nn.Module, most: int) -> None:
        super().__init__()
        self.network = network
        self.most = most
        self.images: list[np.ndarray] = []

    def forward(self, image: Tensor) -> Outputs:
        if len(self.images) < self.most:
            self.images.append(image.float().cpu().numpy())
        return self.network(image)


@torch.no_grad()
def shown_images(
    network: nn.Module, inferer: Callable[..., object], images: Iterable[Tensor], *, most: int = 40
) -> list[np.ndarray]:
    """What `network` is shown of `images` (C, *S) by `inferer`: whole, letterboxed or tiles, each with its batch."""
    recording = Recording(network.eval(), most)
    for image in images:
        inferer(image[None], recording)
        if len(recording.images) >= most:
            break
    return recording.images


def quantise(source: Path, path: Path, images: Sequence[np.ndarray]) -> Path:
    """Write the ONNX file `source` to `path` with convolutions in 8 bits, ranges taken from `images`.

    Activations are unsigned and weights signed, each channel with its own scale, and of 7 bits: on processors without
    VNNI sums of two products of 8 saturate. The rest stays in float32, so that boxes and places keep their precision.
    Properties stay, "precision" becomes int8.
    Raises InputError where there are no images.
    Source: Jacob et al., Quantization and Training of Neural Networks, CVPR 2018, as onnxruntime does it.
    """
    if not images:
        raise InputError("--calibrate", expected="images", got="none that can be read", fix="give another folder")
    reader = _Reader(images)
    logging.getLogger().setLevel(logging.ERROR)  # it advises what was done already

    def write(temporary: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "prepared.onnx"
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared, temporary, reader, quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv"],
                reduce_range=True,
            )  # fmt: skip
        properties = {entry.key: entry.value for entry in onnx.load(source).metadata_props}
        model = onnx.load(temporary)
        onnx.helper.set_model_props(model, {**properties, "precision": "int8"})
        onnx.save(model, temporary)

    return write_atomically(path, write)


class _Reader(CalibrationDataReader):
    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.left = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.left, None)
        return None if image is None else {"image": image}
