import pytest

from shared.errors import InputError
from shared.images.magnifying import Magnification

KNOWN = {"known_px": 40, "known_um": 8.0}  # so that 0.2 µm a pixel is what is known


@pytest.mark.parametrize(
    ("diameter", "pixel_size", "estimate", "factor"),
    [
        ("20", None, None, 2.0),
        (80, 0.1, None, 0.5),  # a number goes before the size of pixels
        ("", 0.1, None, 0.5),
        ("auto", 0.4, 20.0, 2.0),  # and that before an estimate
        ("auto", None, 10.0, 4.0),
        ("auto", None, 50.0, 1.0),  # near enough
        ("auto", None, None, 1.0),  # nothing was seen
        ("", None, 10.0, 1.0),  # nobody asked for it
    ],
)
def test_what_is_known_of_an_image_decides_by_how_much_it_is_enlarged(
    diameter: object, pixel_size: float | None, estimate: float | None, factor: float
) -> None:
    known = Magnification(**KNOWN, diameter=diameter, without_change=[30, 60])  # type: ignore[arg-type]
    assert known.factor((100, 200), pixel_size, lambda: estimate) == pytest.approx(factor)


@pytest.mark.parametrize("diameter", [0, "-3", "large", "nan", True])
def test_a_diameter_that_is_none_is_refused_in_a_line(diameter: object) -> None:
    with pytest.raises(InputError, match="--diameter: expected auto, or pixels, above 0") as error:
        Magnification(**KNOWN, diameter=diameter)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("diameter", "pixel_size"), [(201, None), (1.9, None), ("", 0.03), ("auto", 5.0)])
def test_objects_wider_than_the_image_or_of_no_pixels_are_refused(diameter: object, pixel_size: float | None) -> None:
    """8 µm are 267 pixels of 0.03 µm, and 1.6 of 5 µm."""
    with pytest.raises(InputError, match="an image of 200 × 100: expected objects 2 to 200 pixels wide"):
        Magnification(**KNOWN, diameter=diameter).factor((100, 200), pixel_size)  # type: ignore[arg-type]
