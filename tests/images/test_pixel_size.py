"""The size of pixels as files say it: written by tifffile, in the words of OME, ImageJ and plain TIFF."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from shared.errors import InputError
from shared.images.checking import ReadCased
from shared.images.pixel_size import in_micrometres
from shared.images.reading import read_image

PIXELS = np.arange(48, dtype=np.uint8).reshape(6, 8)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}}, 0.25),  # µm is OME's own unit
        ({"ome": True, "metadata": {"PhysicalSizeX": 4, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.004}}, 0.004),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.5, "PhysicalSizeY": 2}}, 1.0),  # the square of the same area
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25}}, None),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "micron"}}, 0.25),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "\\u00B5m"}}, 0.25),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "pixel"}}, None),
        ({"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}, 0.25),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),  # a screen's
        ({}, None),
    ],
)
def test_a_tiff_says_how_large_its_pixels_are(tmp_path: Path, options: dict[str, Any], expected: float | None) -> None:
    path = tmp_path / ("a.ome.tif" if options.get("ome") else "a.tif")
    tifffile.imwrite(path, PIXELS, **options)
    found = read_image(path).pixel_size
    assert found == (None if expected is None else pytest.approx(expected))


def test_what_the_user_says_stands_in_place_of_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, imagej=True, resolution=(4, 4), metadata={"unit": "um"})
    sizes = {}
    for option in ("", "0.5"):
        sample: Any = {"image": str(path), "files": {}}
        read = ReadCased("image", spatial_dims=2, pixel_size=option)(sample)
        sizes[option] = (read["image"].meta["pixel_size"], read["files"]["image"].pixel_size)
    assert sizes == {"": (0.25, 0.25), "0.5": (0.5, 0.5)}


@pytest.mark.parametrize("option", ["0", -1, "small"])
def test_a_size_that_is_none_is_refused(option: object) -> None:
    with pytest.raises(InputError, match="--pixel_size: expected micrometres a pixel, above 0"):
        ReadCased("image", spatial_dims=2, pixel_size=option)


def test_a_length_without_a_unit_of_length_is_not_known() -> None:
    assert (in_micrometres(1, "mm"), in_micrometres(1, "Å"), in_micrometres(1, "px"), in_micrometres(-1, "µm")) == (
        1000, 1e-4, None, None,
    )  # fmt: skip
