from pathlib import Path

import numpy as np
import pytest
import torch

from shared.nets.yolo import STRIDES, Yolo
from tests.running import assert_onnxruntime_agrees

TINY = {"filters": (8, 8, 16, 16, 24), "repeats": (1, 1, 1, 1)}


SIZE_S = (32, 64, 128, 256, 512)


def test_both_sizes_have_the_published_numbers_of_parameters() -> None:
    """YOLOv8n and YOLOv8s; theirs count the constants of the integral layer, 16, too."""
    published = {
        ((16, 32, 64, 128, 256), 3): 3_011_433,
        ((16, 32, 64, 128, 256), 80): 3_157_200,
        (SIZE_S, 80): 11_166_560,
    }
    for (filters, classes), number in published.items():
        assert sum(p.numel() for p in Yolo(2, 3, classes, filters=filters).parameters()) == number - 16
    assert sum(p.numel() for p in Yolo(2, 3, 3).parameters()) == 3_011_433 - 16  # the default


@pytest.mark.parametrize("size", [(64, 96), (50, 33), (64, 40, 32)])
def test_images_of_any_size_give_a_box_and_scores_for_each_place(size: tuple[int, ...]) -> None:
    dims = len(size)
    network = Yolo(dims, 1, 2, **TINY).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        out = network(torch.rand(2, 1, *size))
    padded = [-(-s // 32) * 32 for s in size]
    places = sum(int(np.prod([s // stride for s in padded])) for stride in STRIDES)
    assert out.shape == (2, 2 * dims + 2, places)
    low, high = out[:, :dims], out[:, dims : 2 * dims]
    assert (high > low).all()
    assert ((out[:, 2 * dims :] > 0) & (out[:, 2 * dims :] < 1)).all()


def test_a_box_reaches_as_far_from_its_place_as_the_heads_say() -> None:
    network = Yolo(2, 1, 1, **TINY).eval()  # type: ignore[arg-type]
    found = network.heads(torch.rand(1, 1, 64, 64))
    sides = torch.full((1, 4, 16, found["centres"].shape[1]), -60.0)
    for side, reach in enumerate((1, 2, 3, 4)):  # in strides: before along both axes, after along both
        sides[:, side, reach] = 60.0
    boxes = network.boxes({**found, "sides": sides.flatten(1, 2)})
    first = boxes[0, :, 0]  # stride 8, centre (4, 4)
    torch.testing.assert_close(first, torch.tensor([4.0 - 8, 4 - 16, 4 + 24, 4 + 32]))
    last = boxes[0, :, -1]  # stride 32, centre (48, 48)
    torch.testing.assert_close(last, torch.tensor([48.0 - 32, 48 - 64, 48 + 96, 48 + 128]))


def test_what_lies_beyond_the_padding_does_not_move_the_places() -> None:
    """A place's centre is in pixels of the image as it is given."""
    network = Yolo(2, 1, 1, **TINY).eval()  # type: ignore[arg-type]
    whole, cut = (network.heads(torch.zeros(1, 1, *size))["centres"] for size in ((64, 64), (40, 60)))
    assert torch.equal(whole, cut)


@pytest.mark.parametrize("classes", [1, 7])
def test_untrained_each_map_expects_five_objects_in_640_pixels_whatever_the_number_of_classes(classes: int) -> None:
    network = Yolo(2, 1, classes, **TINY)  # type: ignore[arg-type]
    for head, stride in zip(network.class_heads, STRIDES):
        likely = head.get_parameter("2.bias").detach().sigmoid().sum()
        assert float(likely * (640 / stride) ** 2) == pytest.approx(5, rel=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_onnxruntime_gives_the_same(dims: int, tmp_path: Path) -> None:
    network = Yolo(dims, 1, 2, **TINY).eval()  # type: ignore[arg-type]
    assert_onnxruntime_agrees(network, (1, *(64, 96, 32)[:dims]), tmp_path, within=1e-3)  # boxes of some 100 pixels
