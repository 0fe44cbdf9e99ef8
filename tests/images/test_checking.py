"""Labels whose classes are stored as other numbers than 0, 1, 2, …: which are understood, and which refused."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from shared.errors import InputError
from shared.images import reading
from shared.images.checking import ReadCased, ReadLabeld

IDS = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0]], dtype=np.uint8)  # no symmetry
THREE = np.array([[0, 1, 2, 0, 1], [1, 2, 0, 0, 0], [0, 0, 1, 1, 2]], dtype=np.uint8)


def read(folder: Path, stored: np.ndarray, *, num_classes: int = 2, values: Sequence[int] = ()) -> MetaTensor:
    """Read `stored` as the label of some picture of its size."""
    picture = np.arange(stored.size, dtype=np.uint8).reshape(stored.shape)
    case: dict[Any, Any] = {}
    for key, array in (("image", picture), ("label", stored)):
        case[key] = str(folder / f"{key}.png")
        Image.fromarray(array.astype(np.uint8)).save(case[key])
    reader = ReadLabeld("label", image_key="image", num_classes=num_classes, values=values)
    return reader(ReadCased("image", spatial_dims=2)(case))["label"]


def refusal(folder: Path, stored: np.ndarray, **kwargs: Any) -> str:
    """The message with which the label is refused, once it is known to name all that it must, in one line."""
    with pytest.raises(InputError) as caught:
        read(folder, stored, **kwargs)
    path = re.escape(str(folder / "label.png"))
    assert re.fullmatch(rf"{path}: expected [^\n]+, got [^\n]+; [^\n]+", str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("values", [[0, 255], [255, 0], [7, 200], (128, 3)])
def test_the_value_of_a_class_becomes_its_place_in_the_list(tmp_path: Path, values: Sequence[int]) -> None:
    label = read(tmp_path, np.array(values)[IDS], values=values)
    np.testing.assert_array_equal(label[0], IDS)


def test_turning_the_list_round_turns_the_classes_round(tmp_path: Path) -> None:
    stored = 255 * IDS
    np.testing.assert_array_equal(read(tmp_path, stored, values=[0, 255])[0], IDS)
    np.testing.assert_array_equal(read(tmp_path, stored, values=[255, 0])[0], 1 - IDS)
    np.testing.assert_array_equal(read(tmp_path, IDS, values=[1, 0])[0], 1 - IDS)  # the list has the first word


@pytest.mark.parametrize("values", [(), [0, 255], [255, 0]])
def test_a_file_of_class_ids_is_read_as_it_is(tmp_path: Path, values: Sequence[int]) -> None:
    np.testing.assert_array_equal(read(tmp_path, IDS, values=values)[0], IDS)


@pytest.mark.parametrize(("values", "expected"), [([0, 255], 0), ([255, 0], 1)])
def test_a_file_of_one_class_alone_is_that_class(tmp_path: Path, values: Sequence[int], expected: int) -> None:
    assert (read(tmp_path, 0 * IDS, values=values) == expected).all()
    assert (read(tmp_path, 0 * IDS + 255, values=values) == 1 - expected).all()


def test_values_of_three_classes_may_lack_one_in_a_file(tmp_path: Path) -> None:
    values = np.array([50, 0, 255])
    np.testing.assert_array_equal(read(tmp_path, values[THREE], num_classes=3, values=values.tolist())[0], THREE)
    without = np.where(THREE == 1, 2, THREE)
    np.testing.assert_array_equal(read(tmp_path, values[without], num_classes=3, values=values.tolist())[0], without)


def test_a_label_keeps_its_place_in_the_world_and_its_file_when_its_values_change(tmp_path: Path) -> None:
    label = read(tmp_path, 255 * IDS, values=[0, 255])
    np.testing.assert_array_equal(label.affine, np.eye(4))
    assert label.meta["filename_or_obj"] == str(tmp_path / "label.png")


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        (7 * IDS, "got 7;"),
        (np.where(IDS, 255, 3), "got 3, 255;"),  # neither all of the one kind nor all of the other
        (254 * IDS, "got 254;"),
        (np.arange(15).reshape(3, 5), "got 2, 3, 4, 5, 6;"),  # the first five are enough
    ],
)
def test_other_values_are_refused_and_named_with_both_kinds_that_would_do(
    tmp_path: Path, stored: np.ndarray, given: str
) -> None:
    message = refusal(tmp_path, stored, values=[0, 255])
    assert "expected class ids 0 to 1, or the values [0, 255]," in message
    assert given in message


def test_ids_and_values_in_one_file_are_refused(tmp_path: Path) -> None:
    mixed = IDS.copy()
    mixed[0, 0] = 255
    refusal(tmp_path, mixed, values=[0, 255])


def test_without_values_255_is_no_class(tmp_path: Path) -> None:
    message = refusal(tmp_path, 255 * IDS)
    assert "expected class ids 0 to 1, got 255;" in message


@pytest.mark.parametrize("values", [[0], [0, 0], [0, 128, 255], [0, 255, 255]])
def test_another_number_of_values_than_classes_is_refused_at_once(values: list[int]) -> None:
    with pytest.raises(InputError) as caught:
        ReadLabeld("label", image_key="image", num_classes=2, values=values)
    assert re.fullmatch(
        rf"--label_values: expected 2 different values, one a class, got {re.escape(str(values))}; [^\n]+",
        str(caught.value),
    )


def test_only_a_large_picture_stays_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(5, 12)).save(path)
    reader = ReadCased("image", spatial_dims=2, channels=3, in_bytes=True)
    small = reader({"image": str(path)})["image"]
    monkeypatch.setattr(reading, "LARGE", 59)
    large = reader({"image": str(path)})["image"]
    assert (small.dtype, large.dtype) == (torch.float32, torch.uint8)
    assert torch.equal(small, large.float())
    gray = ReadCased("image", spatial_dims=2, channels=1, in_bytes=True)
    Image.fromarray(np.arange(180, dtype=np.uint8).reshape(5, 12, 3)).save(path)
    assert gray({"image": str(path)})["image"].is_floating_point()  # luminance has fractions
