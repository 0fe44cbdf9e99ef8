from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from torch import Tensor

from shared.engine.magnified import MagnifiedInferer
from shared.errors import InputError
from shared.images.magnifying import Magnification

KNOWN: Any = {"known_px": 20, "known_um": 10}  # 0.5 µm a pixel


def test_the_network_sees_the_enlarged_image_and_its_maps_come_back_on_the_images_grid() -> None:
    shown: list[tuple[int, ...]] = []

    def network(image: Tensor) -> Tensor:
        shown.append(tuple(image.shape))
        return torch.cat([image, -image], dim=1)

    slope = torch.arange(60.0)[:, None].expand(60, 40)[None, None]
    for diameter, pixel_size, size in ((10, None, (120, 80)), ("", 0.25, (30, 20)), ("", None, (60, 40))):
        magnified = MagnifiedInferer(SimpleInferer(), Magnification(**KNOWN, diameter=diameter))
        image = slope if pixel_size is None else MetaTensor(slope, meta={"pixel_size": pixel_size})
        maps = magnified(image, network)
        assert shown.pop() == (1, 1, *size)
        assert maps.shape == (1, 2, 60, 40)
        # A line stays one, but for the ends: a mean at the border is of fewer pixels.
        torch.testing.assert_close(torch.as_tensor(maps[0, 0, 6:-6]), slope[0, 0, 6:-6], atol=1e-4, rtol=0)


def test_an_image_that_would_not_fit_into_memory_once_enlarged_is_refused() -> None:
    image = torch.zeros(1, 1, 2000, 2000)  # six times as high and wide is more than 2 ** 27 pixels
    with pytest.raises(InputError, match="134 million pixels once enlarged, got 12000 × 12000"):
        MagnifiedInferer(SimpleInferer(), Magnification(**KNOWN, diameter=20 / 6))(image, lambda x: x)


def test_a_width_is_not_estimated_where_there_are_no_single_objects() -> None:
    with pytest.raises(InputError, match="--diameter: expected a number of pixels"):
        MagnifiedInferer(SimpleInferer(), Magnification(**KNOWN, diameter="auto"))
