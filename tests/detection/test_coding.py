import pytest
import torch
from monai.apps.detection.utils.box_coder import BoxCoder

from shared.detection.coding import clip_boxes, decode_boxes, encode_boxes
from tests.detection.test_boxes import random_boxes


@pytest.mark.parametrize("dims", [2, 3])
def test_codes_are_monais_and_decode_to_what_was_encoded(dims: int) -> None:
    boxes, references = random_boxes(50, dims).double(), random_boxes(50, dims, seed=7).double()
    coder = BoxCoder(weights=(10.0,) * dims + (5.0,) * dims)
    codes = encode_boxes(boxes, references)
    torch.testing.assert_close(codes, coder.encode_single(boxes, references), rtol=0, atol=1e-6)
    noise = codes + torch.randn(codes.shape, generator=torch.Generator().manual_seed(0), dtype=codes.dtype)
    torch.testing.assert_close(
        decode_boxes(noise, references), coder.decode_single(noise, references), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(decode_boxes(codes, references), boxes, rtol=0, atol=1e-9)


def test_a_code_of_any_size_decodes_to_numbers() -> None:
    wild = torch.full((1, 4), 1e6)
    assert decode_boxes(wild, torch.tensor([[0.0, 0, 8, 8]])).isfinite().all()


def test_boxes_are_clipped_to_their_image() -> None:
    boxes = torch.tensor([[[-3.0, 5, 20, 50], [2.0, 3, 4, 5]]])
    assert clip_boxes(boxes, torch.Size([16, 32])).tolist() == [[[0, 5, 16, 32], [2, 3, 4, 5]]]
