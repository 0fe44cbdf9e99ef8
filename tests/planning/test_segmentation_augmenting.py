"""Where patches are cut out depends on how much of an image they show."""

import pytest

from shared.planning.segmentation_augmenting import Views, augmentation


@pytest.mark.parametrize(("patch", "expected"), [([64] * 3, 1 / 3), ([40] * 3, 2 / 3)])
def test_patches_that_show_little_are_more_often_centred_on_a_class(patch: list[int], expected: float) -> None:
    changes = augmentation(Views(patch, [100, 100, 100], [1.0] * 3, ["background", "a", "b"]))
    (crop,) = (change for change in changes if change["_target_"] == "RandCropByLabelClassesd")
    background, *others = crop["ratios"]
    assert sum(others) / (background + sum(others)) == pytest.approx(expected, abs=0.01)
