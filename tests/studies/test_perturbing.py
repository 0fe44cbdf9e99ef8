import numpy as np
import pytest

from shared.studies.perturbing import PERTURBATIONS, perturb


@pytest.fixture
def image() -> np.ndarray:
    """Values from 100 to 300, evenly spread; the percentiles that bound the range are 101 and 299."""
    return np.random.default_rng(0).permutation(np.linspace(100, 300, 64 * 96)).reshape(1, 64, 96)


def changed(image: np.ndarray, name: str, level: float) -> np.ndarray:
    return perturb(image, name, level, np.random.default_rng(1))


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_levels_get_worse_and_the_result_keeps_shape_and_range(image: np.ndarray, name: str) -> None:
    levels = PERTURBATIONS[name][1]
    distances = [float(np.abs(changed(image, name, level) - image).mean()) for level in levels]
    assert distances == sorted(distances)
    assert distances[0] > 1  # of a range of 198; rounding to 256 steps is 0.4 at most
    for level in levels:
        result = changed(image, name, level)
        assert (result.shape, result.dtype) == (image.shape, np.float32)
        assert 100.9 < result.min() <= result.max() < 299.1


def test_noise_has_the_standard_deviation_that_it_is_called_by() -> None:
    gray = np.full((1, 256, 256), 150.0)
    gray[0, 0, :2] = gray[0, 1, :2] = 100.0  # too few to move a percentile, so that the range would be nothing
    gray[:, 128:] = np.linspace(100, 200, 256)
    noisy = changed(gray, "Gaussian noise (sd)", 0.1)
    # A tenth of the range of some 99; 32,768 samples give 0.4 %, and rounding to 0.39 adds as little.
    assert (noisy - gray)[0, 2:128].std() == pytest.approx(0.1 * 99, rel=0.03)


def test_brightness_and_contrast_move_what_does_not_saturate_and_nothing_else(image: np.ndarray) -> None:
    step = 198 / 255  # what values are rounded to
    middle = (image > 150) & (image < 230)
    brighter = changed(image, "brightness (added)", 0.2)
    np.testing.assert_allclose(brighter[middle], image[middle] + 0.2 * 198, atol=step)
    assert (brighter[image > 270] == brighter.max()).all()
    steeper = changed(image, "contrast (factor)", 1.5)
    np.testing.assert_allclose(steeper[middle], 200 + 1.5 * (image[middle] - 200), atol=2 * step)


def test_missing_patches_are_black_squares_of_the_share_asked_for(image: np.ndarray) -> None:
    result = changed(image, "missing patches (share)", 0.1)
    lost = np.abs(result - image) > 1  # the darkest pixels are black already: some 1 of 200
    assert lost.mean() == pytest.approx(0.1, abs=0.01)
    blocks = lost[0].reshape(16, 4, 24, 4).mean(axis=(1, 3))  # the 16th of 64 pixels is 4
    assert ((blocks == 0) | (blocks > 0.7)).all()
    assert result[lost].max() < 102


def test_a_perturbation_is_repeated_by_its_seed(image: np.ndarray) -> None:
    np.testing.assert_array_equal(
        changed(image, "missing patches (share)", 0.05), changed(image, "missing patches (share)", 0.05)
    )
