"""Label maps that were saved as JPEG."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.errors import InputError
from shared.images.checking import ReadCased, ReadLabeld
from shared.images.snapping import is_lossy

ROWS, COLUMNS = np.indices((64, 96))
DISC = (np.hypot(ROWS - 30, COLUMNS - 40) < 20).astype(np.uint8)


def read(folder: Path, stored: Image.Image, name: str, values: list[int], **options: Any) -> np.ndarray:
    Image.fromarray((ROWS + COLUMNS).astype(np.uint8)).save(folder / "image.png")
    stored.save(folder / name, **options)
    reader = ReadLabeld("label", image_key="image", num_classes=len(values), values=values)
    case: dict[Any, Any] = {"image": str(folder / "image.png"), "label": str(folder / name)}
    return np.asarray(reader(ReadCased("image", spatial_dims=2)(case))["label"])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_values_of_a_jpeg_are_those_of_the_nearest_class_and_are_counted(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = Image.fromarray(DISC * np.uint8(255)).convert(mode)
    with caplog.at_level(logging.WARNING):
        label = read(tmp_path, stored, "a.jpg", [0, 255], quality=75)
    np.testing.assert_array_equal(label[0], DISC)
    blurred = np.asarray(Image.open(tmp_path / "a.jpg").convert("L"))
    changed = int(((blurred != 0) & (blurred != 255)).sum())
    assert changed > 0
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path / 'a.jpg'}: a JPEG; {changed} of {DISC.size} pixels had other values")


def test_three_classes_are_told_apart(tmp_path: Path) -> None:
    classes = DISC + DISC * (COLUMNS > 40)
    label = read(
        tmp_path, Image.fromarray(np.array([0, 128, 255], np.uint8)[classes]), "a.jpg", [0, 128, 255], quality=90
    )
    assert (label[0] != classes).mean() < 0.01  # between 0 and 255 there are pixels near 128


def test_a_photograph_is_no_label_map(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jpg: expected values near \[0, 255\], got others in \d+% of a JPEG"):
        read(tmp_path, Image.fromarray((2 * ROWS + COLUMNS).astype(np.uint8)), "a.jpg", [0, 255])


def test_how_near_is_measured_by_the_two_values_that_are_closest(tmp_path: Path) -> None:
    shades = np.where(COLUMNS < 48, 0, 32).astype(np.uint8)  # 12 from 20: more than a quarter of the way to it from 0
    with pytest.raises(InputError, match=r"values near \[0, 20, 255\], got others in 50% of a JPEG"):
        read(tmp_path, Image.fromarray(shades), "a.jpg", [0, 20, 255], quality=95)


def test_what_is_a_jpeg_its_content_says(tmp_path: Path) -> None:
    Image.fromarray(DISC).save(tmp_path / "a.png", format="JPEG")
    Image.fromarray(DISC).save(tmp_path / "b.jpg", format="PNG")
    assert is_lossy(tmp_path / "a.png")
    assert not is_lossy(tmp_path / "b.jpg")
    assert not is_lossy(tmp_path)
