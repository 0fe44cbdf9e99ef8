"""What becomes of the logits of a network on an upright grid, on the grid of an image that lies otherwise."""

from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from shared.errors import InputError
from shared.images.resizing import resized
from shared.samples import Sample
from shared.tasks.segmentation.grids import UPRIGHT, as_image_lies, on_upright_grid, turned_upright
from shared.tasks.segmentation.probabilities import ONE
from shared.tasks.segmentation.restoring import RestoreLabelsd

SHAPE = (20, 24, 28)
AFFINE = np.array([[0, -2.0, 0, 40], [0, 0, 1.5, -12], [-1.0, 0, 0, 3], [0, 0, 0, 1]])  # axes to bottom, left, front


def scan_of_two() -> MetaTensor:
    """Two balls, of intensities 1 and 2, and a speck of 1 far from the first; 0 elsewhere."""
    places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    values = np.zeros(SHAPE, dtype=np.float32)
    values[np.linalg.norm(places - [7, 8, 9], axis=-1) < 5] = 1
    values[np.linalg.norm(places - [13, 16, 19], axis=-1) < 4] = 2
    values[16:18, 3:5, 23:25] = 1
    return MetaTensor(torch.from_numpy(values)[None], affine=torch.as_tensor(AFFINE))


def restored(image: MetaTensor, pixdim: float, **options: Any) -> Sample:
    """By a network that tells intensities 0, 1 and 2 apart."""
    upright = on_upright_grid(image, [pixdim] * 3)
    logits = torch.stack([-20 * (upright.as_tensor()[0] - value).abs() for value in (0, 1, 2)])
    return RestoreLabelsd(keys="pred", **options)(
        {"image": upright, f"image{UPRIGHT}": torch.from_numpy(turned_upright(image)), "pred": logits}
    )


@pytest.mark.parametrize("pixdim", [1.0, 2.0])
def test_labels_lie_where_the_scan_has_what_they_stand_for(pixdim: float) -> None:
    image = scan_of_two()
    out = restored(image, pixdim, largest_part=False)
    labels, truth = out["pred"][0].numpy(), image[0].numpy()
    np.testing.assert_array_equal(out["pred"].affine, AFFINE)
    for value in (1, 2):
        dice = 2 * ((labels == value) & (truth == value)).sum() / ((labels == value).sum() + (truth == value).sum())
        # Balls some 8 voxels wide, blurred by a voxel of the upright grid; mirrored they would not meet at all. Round
        # the second, intensities pass 1 on their way to 0.
        assert dice > (0.85 if pixdim == 1 else 0.7)


def test_a_speck_is_left_out_where_a_class_is_one_part_and_stays_where_it_may_be_scattered_and_is_near() -> None:
    image = scan_of_two()
    cases: list[tuple[dict[str, Any], bool]] = [
        ({}, False),
        ({"scattered": [1]}, False),  # 20 mm from the rest, the second ball
        ({"scattered": [1], "near_mm": 30.0}, True),
        ({"largest_part": False}, True),
    ]
    for options, kept in cases:
        labels = restored(image, 1.0, **options)["pred"][0].numpy()
        assert (labels[16:18, 3:5, 23:25] == 1).any() == kept


@pytest.mark.parametrize("pixdim", [1.0, 1.5, 3.0])
def test_without_the_image_all_are_of_the_probabilities_resampled(pixdim: float) -> None:
    image = scan_of_two()
    logits = torch.stack([-20 * (on_upright_grid(image, [pixdim] * 3)[0] - value).abs() for value in (0, 1, 2)])
    whole = resized(logits.softmax(dim=0).numpy(), turned_upright(image).shape[1:])
    expected = np.stack([as_image_lies(of_class, AFFINE) for of_class in whole])
    out = restored(image, pixdim, largest_part=False, probabilities=True, confidence=True)
    np.testing.assert_allclose(out["probabilities"] / ONE, expected, atol=1 / ONE)
    np.testing.assert_allclose(out["confidence"], expected.max(axis=0), atol=1e-4)
    top = np.sort(expected, axis=0)
    clear = top[-1] - top[-2] > 1e-5  # else either is right
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(out["pred"][0].numpy()[clear], expected.argmax(axis=0)[clear])
    np.testing.assert_allclose(out["posterior"].volumes, expected.sum(axis=(1, 2, 3), dtype=float) * 3.0, atol=0.5)


def test_borders_follow_the_image_on_its_own_grid() -> None:
    image = scan_of_two()
    wrong = []
    for weight in (0.0, 0.6):
        out = restored(image, 3.0, tissues=[0, 1, 2], intensity_weight=weight, largest_part=False)
        wrong.append((out["pred"] != image).sum())
    assert wrong[1] < 0.7 * wrong[0]


def test_of_a_weight_that_is_none_the_option_is_named() -> None:
    with pytest.raises(InputError, match=r"^--intensity_weight: expected a number from 0 to 1, got 1\.5; 0 asks the"):
        RestoreLabelsd(keys="pred", intensity_weight=1.5)


def test_where_nothing_is_found_all_is_background() -> None:
    upright = on_upright_grid(scan_of_two(), [1.5] * 3)
    logits = torch.stack([100.0 + 0 * upright.as_tensor()[0], *2 * [0 * upright.as_tensor()[0]]])
    own = torch.from_numpy(turned_upright(scan_of_two()))
    found = RestoreLabelsd(keys="pred", tissues=[0, 1, 1], intensity_weight=0.6, confidence=True)(
        {"image": upright, f"image{UPRIGHT}": own, "pred": logits}
    )
    assert not found["pred"].any()
    assert (found["confidence"] == 1).all()


def test_volumes_are_in_mm3_on_whichever_grid() -> None:
    truth = (scan_of_two()[0].numpy() == 1).sum() * abs(np.linalg.det(AFFINE[:3, :3]))
    for pixdim in (1.0, 1.5):
        volumes = restored(scan_of_two(), pixdim, largest_part=False)["posterior"].volumes
        assert volumes.sum() == pytest.approx(np.prod(SHAPE) * 3.0)  # the box of the scan, of voxels of 3 mm³
        # The shell of the second ball, of 40 % of the first one's volume, passes for the first: at most half as much.
        assert truth * 0.9 < volumes[1] < truth * 1.5


def test_probabilities_lie_on_the_grid_of_the_scan() -> None:
    out = restored(scan_of_two(), 1.5, probabilities=True)
    assert out["probabilities"].shape == (3, *SHAPE)
    agreed = out["probabilities"].argmax(axis=0) == out["pred"][0].numpy()
    assert agreed.mean() > 0.999
    assert nib.aff2axcodes(out["pred"].affine.numpy()) == ("I", "L", "A")


def test_confidence_is_the_probability_of_the_label_on_the_grid_of_the_scan() -> None:
    out = restored(scan_of_two(), 1.5, probabilities=True, confidence=True)
    assert out["confidence"].shape == SHAPE
    # As 16 bits hold probabilities, rounded to 1 / 65535.
    np.testing.assert_allclose(out["confidence"], out["probabilities"].max(axis=0) / 65535, atol=2e-5)
    assert "confidence" not in restored(scan_of_two(), 1.5)
