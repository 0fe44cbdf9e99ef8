"""A network of crops over heads and over crops, with a locator that knows the places."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer, SimpleInferer
from torch import Tensor

from shared.errors import InputError
from shared.tasks.segmentation.heads import HeadInferer, segment_crop
from shared.tasks.segmentation.locating import Locator, Places

LEFT, RIGHT = (slice(20, 36), slice(40, 72), slice(30, 44)), (slice(70, 86), slice(40, 72), slice(30, 44))
# Where the locator sees them: up to a voxel of 4 mm off.
CENTRES = [np.array([(s.start + s.stop) / 2 + off for s, off in zip(box, (3, -4, 2))]) for box in (LEFT, RIGHT)]
VOLUME_MM3 = 16 * 32 * 14.0


class Knows:
    """A locator that has seen the head before."""

    def __init__(self, *, places: Places | None) -> None:
        self.places = places
        self.asked = 0

    def __call__(self, volume: np.ndarray, spacing: Sequence[float]) -> Places | None:
        self.asked += 1
        return self.places


def network(image: Tensor) -> Tensor:
    """Logits of three classes: bright is the second in front and the third behind."""
    front = torch.arange(image.shape[3], device=image.device).reshape(1, 1, 1, -1, 1) >= image.shape[3] // 2
    bright = 20 * (image - 0.5)
    return torch.cat([-bright, torch.where(front, bright, -40), torch.where(front, -40, bright)], dim=1)


def head(size: Sequence[int] = (110, 120, 105), *, spacing: float = 1.0) -> MetaTensor:
    values = torch.zeros(1, 1, *size)
    for box in (LEFT, RIGHT):
        values[(0, 0, *box)] = 1
    affine = torch.diag(torch.tensor([spacing, spacing, spacing, 1.0], dtype=torch.float64))
    return MetaTensor(values, affine=affine, meta={"filename_or_obj": "in/head.nii.gz"})


def inferer(locate: str = "auto", *, found: bool = True, plain: Inferer | None = None) -> tuple[HeadInferer, Knows]:
    knows = Knows(places=Places((CENTRES[0], CENTRES[1]), (VOLUME_MM3, VOLUME_MM3)) if found else None)
    return HeadInferer(plain or SimpleInferer(), locator=cast(Locator, knows), locate=locate), knows


def test_both_sides_of_a_head_are_found_in_its_crops() -> None:
    found = inferer()[0](head(), network)
    for side, box in (("left", LEFT), ("right", RIGHT)):
        assert found[f"{side}_start"].tolist() == [[s.start - 6 for s in box]]
        classes = found[side][0].argmax(dim=0)
        inside = tuple(slice(6, -6) for _ in range(3))
        assert (classes[inside] > 0).all()
        assert (classes > 0).sum() == VOLUME_MM3
        assert (classes[:, -8, :] != 2).all()  # behind the middle of the crop alone


@pytest.mark.parametrize(
    ("locate", "size", "spacing", "asked"),
    [
        ("auto", (110, 120, 105), 1.0, True),
        ("auto", (110, 120, 99), 1.0, False),  # one axis is shorter than a head's
        ("auto", (110, 120, 105), 0.9, False),  # 94.5 mm
        ("always", (110, 120, 60), 1.0, True),
        ("never", (110, 120, 105), 1.0, False),
    ],
)
def test_what_is_taken_for_a_head(locate: str, size: Sequence[int], spacing: float, asked: bool) -> None:
    made, knows = inferer(locate)
    made(head(size, spacing=spacing), network)
    assert knows.asked == asked


def test_a_crop_goes_as_without_a_locator_bit_by_bit() -> None:
    crop = torch.rand(1, 1, 35, 51, 37, generator=torch.Generator().manual_seed(0))
    made, knows = inferer()
    assert torch.equal(made(crop, network), SimpleInferer()(crop, network))
    assert not knows.asked


@pytest.mark.parametrize(
    ("found", "image", "words"),
    [
        (False, head(), "no hippocampi that could be found"),
        # Where the locator sees hippocampi the network of crops sees nothing, as in a contrast that it does not know.
        (
            True,
            head() * 0 + torch.rand(105, generator=torch.Generator().manual_seed(0)),
            "a left hippocampus that is hardly outlined",
        ),
    ],
)
def test_a_head_without_hippocampi_is_refused_in_a_line(found: bool, image: Tensor, words: str) -> None:
    made, _ = inferer(found=found)

    def sees_nothing(crop: Tensor) -> Tensor:
        return torch.cat([crop * 0 + 20, crop * 0, crop * 0], dim=1)

    with pytest.raises(InputError, match=f"^in/head.nii.gz: expected a T1-weighted head.*got 110 × 120 × 105.*{words}"):
        made(image, sees_nothing)


def test_other_words_than_the_three_are_refused() -> None:
    with pytest.raises(InputError, match="--locate: expected one of auto, never, always, got sometimes"):
        inferer("sometimes")


def test_a_right_crop_is_seen_as_a_left_one_and_answered_where_it_lies() -> None:
    crop = np.random.default_rng(0).random((12, 14, 10)).astype(np.float32)
    seen: list[np.ndarray] = []

    def run(image: np.ndarray) -> np.ndarray:
        seen.append(image)
        return np.stack([image, 1 - image])

    plain = segment_crop(crop, run, mirrored=False)
    mirrored = segment_crop(crop, run, mirrored=True)
    np.testing.assert_array_equal(seen[1], seen[0][::-1])
    np.testing.assert_array_equal(mirrored, plain)


def test_a_crop_has_the_intensities_that_the_preprocessing_gives() -> None:
    from monai.transforms import Compose, NormalizeIntensity, ScaleIntensityRangePercentiles

    crop = np.random.default_rng(0).gamma(2.0, 300.0, (30, 40, 35)).astype(np.float32)
    preprocessing: Any = Compose(
        [
            ScaleIntensityRangePercentiles(0.5, 99.5, 0.0, 1.0, clip=True, channel_wise=True),
            NormalizeIntensity(channel_wise=True),
        ]
    )
    expected = np.asarray(preprocessing(crop[None]))[0]
    seen: list[np.ndarray] = []
    segment_crop(crop, lambda image: seen.append(image) or image[None], mirrored=False)  # type: ignore[func-returns-value]
    np.testing.assert_allclose(seen[0], expected, atol=1e-4)  # of percentiles in float64 and in float32
