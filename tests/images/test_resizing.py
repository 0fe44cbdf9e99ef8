"""Arrays of another size, held against torch's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from shared.images.resizing import resized, shares


@pytest.mark.parametrize("size", [(13, 40), (50, 61), (31, 9), (24, 30), (1, 1)])
def test_it_is_torchs_antialiased_interpolation(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((3, 24, 30), dtype=np.float32)
    expected = F.interpolate(torch.from_numpy(image)[None], size, mode="bilinear", antialias=True)[0].numpy()
    np.testing.assert_allclose(resized(image, size), expected, rtol=0, atol=2e-6)  # sums in another order


def test_a_volume_is_enlarged_as_torch_does_it() -> None:
    image = np.random.default_rng(0).random((2, 6, 7, 8), dtype=np.float32)
    expected = F.interpolate(torch.from_numpy(image)[None], (9, 7, 13), mode="trilinear")[0].numpy()
    np.testing.assert_allclose(resized(image, (9, 7, 13)), expected, rtol=0, atol=2e-6)


def test_the_same_size_is_the_same_image_and_shares_sum_to_one() -> None:
    image = np.random.default_rng(0).random((1, 5, 6), dtype=np.float32)
    assert np.array_equal(resized(image, (5, 6)), image)
    np.testing.assert_allclose(shares(37, 11).sum(axis=1), 1, rtol=1e-6)
