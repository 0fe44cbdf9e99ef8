import numpy as np
import torch
from skimage.color import hed2rgb, rgb2hed, rgb_from_hed

from shared.images.accepting import LUMINANCE
from shared.images.colours import RandSaturationd, RandStainJitterd, RandWhiteBalanced, stained

COLOURS = torch.as_tensor(rgb_from_hed, dtype=torch.float32)


def test_stains_left_as_they_are_leave_the_image_as_it_is() -> None:
    image = torch.rand(3, 5, 7).clamp(min=0.01)
    torch.testing.assert_close(stained(image, COLOURS, torch.ones(3), torch.zeros(3)), image, rtol=1e-4, atol=1e-5)


def test_a_stain_is_made_stronger_and_raised_as_scikit_image_parts_it() -> None:
    """Oracle: skimage's rgb2hed and hed2rgb; it counts density in powers of 10⁻⁶, we in powers of e."""
    hed = np.random.default_rng(0).uniform(0.01, 0.06, (6, 8, 3))
    image = hed2rgb(hed)
    assert image.min() > 0
    assert image.max() < 1  # nothing was clipped
    factor, offset = np.array([1.3, 0.8, 1.1]), np.array([0.08, -0.05, 0.02])
    expected = hed2rgb(rgb2hed(image) * factor + offset / np.log(1e6))
    given = stained(
        torch.tensor(image, dtype=torch.float32).permute(2, 0, 1), COLOURS,
        torch.tensor(factor, dtype=torch.float32), torch.tensor(offset, dtype=torch.float32),
    )  # fmt: skip
    np.testing.assert_allclose(given.permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_saturation_keeps_the_luminance_and_brightness_scales_it() -> None:
    image = torch.rand(3, 9, 9) * 0.2 + 0.4  # so that nothing is clipped
    weights = torch.tensor(LUMINANCE)[:, None, None]
    gray = (image * weights).sum(dim=0)
    more = RandSaturationd("image", prob=1.0, saturation=0.5, brightness=0.0)({"image": image})["image"]
    torch.testing.assert_close((more * weights).sum(dim=0), gray, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(more, image)
    dark = RandSaturationd("image", prob=1.0, saturation=0.0, brightness=0.3)({"image": image})["image"]
    ratio = dark / image
    assert float(ratio.std()) < 1e-6
    assert 0.7 <= float(ratio.mean()) <= 1.3


def test_white_balance_multiplies_each_colour_by_a_factor_of_its_own_within_the_cast() -> None:
    image = torch.rand(3, 9, 9) * 0.3 + 0.2  # so that nothing is clipped: 0.5 · 1.5 < 1
    balance, drawn = RandWhiteBalanced("image", prob=1.0, cast=1.5), []
    balance.set_random_state(0)
    for _ in range(50):
        ratio = (balance({"image": image})["image"] / image).flatten(1)
        assert float(ratio.std(dim=1).max()) < 1e-5
        drawn.append(ratio.mean(dim=1))
    factors = torch.stack(drawn)
    assert 1 / 1.5 <= float(factors.min()) < 0.75  # of 150 draws some are near either end
    assert 1.33 < float(factors.max()) <= 1.5
    assert float((factors[:, 0] - factors[:, 2]).abs().mean()) > 0.1


def test_with_probability_zero_nothing_changes_and_one_state_gives_one_image() -> None:
    image = torch.rand(3, 4, 4)
    for kind in (RandStainJitterd, RandSaturationd, RandWhiteBalanced):
        assert torch.equal(kind("image", prob=0.0)({"image": image})["image"], image)
        jitters = [kind("image", prob=1.0) for _ in range(2)]
        for jitter in jitters:
            jitter.set_random_state(5)
        first, again = (jitter({"image": image})["image"] for jitter in jitters)
        assert torch.equal(first, again)
        assert not torch.equal(first, image)


def test_stains_are_parted_in_the_same_way_whatever_the_value_of_black() -> None:
    image = torch.rand(3, 6, 5).clamp(min=0.01)
    from_zero, from_below = (RandStainJitterd("image", prob=1.0, black=black) for black in (0, -1))
    for jitter in (from_zero, from_below):
        jitter.set_random_state(3)
    expected = 2 * from_zero({"image": image})["image"] - 1
    torch.testing.assert_close(from_below({"image": 2 * image - 1})["image"], expected, rtol=0, atol=1e-5)


def test_a_gray_image_has_no_stains_to_change() -> None:
    gray = torch.rand(1, 6, 5).expand(3, -1, -1)
    assert torch.equal(RandStainJitterd("image", prob=1.0)({"image": gray})["image"], gray)
