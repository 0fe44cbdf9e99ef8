"""YOLO's texts: boxes, outlines, splits, and what is wrong with a line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from shared.errors import InputError
from shared.tasks.detection.annotations import read_boxes
from shared.tasks.detection.cases import boxed_cases

SIZE = (100, 80)
LINE = "1 0.25 0.5 0.1 0.2"  # a box from 20, 32 to 30, 48
NAMES = "names: [platelet, red cell]\n"


def dataset(root: Path, *names: str, line: str = LINE, yaml: str = NAMES) -> Path:
    """A picture for each name below `root`, whose text lies in labels/ in place of its last images/."""
    for name in names:
        image = root / f"{name}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE).save(image)
        before, found, after = name.rpartition("images/")
        label = root / f"{before}{'labels/' if found else ''}{after}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(line)
    if yaml:
        (root / "data.yaml").write_text(yaml)
    return root


def boxes(root: Path) -> list[list[float]]:
    return [one.box for image in read_boxes(root) for one in image.objects]


def split(root: Path) -> dict[str, list[str]]:
    parts = boxed_cases(root, ["platelet", "red cell"])
    return {part: [case["case"] for case in cases] for part, cases in parts.items() if part != "all"}


@pytest.mark.parametrize("corners", [3, 4, 16])
def test_an_outline_becomes_the_box_around_it(corners: int, tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    points = np.stack([0.5 + 0.2 * np.cos(angles), 0.5 + 0.3 * np.sin(angles)], axis=1)
    root = dataset(tmp_path, "images/a", line="0 " + " ".join(f"{value:.6f}" for value in points.ravel()))
    expected = np.concatenate([points.min(axis=0), points.max(axis=0)]) * np.tile(SIZE, 2)
    np.testing.assert_allclose(boxes(root), expected[None], atol=1e-3)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_shares_are_of_the_upright_picture(orientation: int, tmp_path: Path) -> None:
    root = dataset(tmp_path, "images/a")
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = root / "images" / "a.jpg"
    Image.new("RGB", SIZE).save(path, exif=exif)
    with Image.open(path) as picture:
        width, height = ImageOps.exif_transpose(picture).size
    assert boxes(root)[0] == pytest.approx([0.2 * width, 0.4 * height, 0.3 * width, 0.6 * height])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("red 0.5 0.5 0.1 0.1", "expected lines of a class and four shares"),
        ("1 0.5 0.5 0.1", "expected lines of a class and four shares of the picture, [^;]*, got 3 numbers"),
        ("1 0.5 0.5 0.1 0.1 0.9", "expected lines of a class and four shares"),
        ("1 0.5 nan 0.1 0.1", "expected lines of a class and four shares"),
        ("1 0.5 inf 0.1 0.1", "expected lines of a class and four shares"),
        ("1 50 40 10 16", "expected shares of the picture, from 0 to 1, got 10 to 50; divide pixels"),
        ("2 0.5 0.5 0.1 0.1", r"expected one of the classes 0 \(platelet\), 1 \(red cell\), got 2"),
        ("-1 0.5 0.5 0.1 0.1", "expected one of the classes"),
        ("0.5 0.5 0.5 0.1 0.1", "expected one of the classes"),
    ],
)
def test_what_is_wrong_with_a_line_is_reported_with_its_number(line: str, words: str, tmp_path: Path) -> None:
    root = dataset(tmp_path, "images/a", line=f"{LINE}\n\n{line}\n")
    with pytest.raises(InputError, match=rf"\A[^\n]*a\.txt, line 3: {words}[^\n]*\Z"):
        read_boxes(root)


def test_names_by_number_keep_their_numbers_and_a_mark_before_the_text_does_no_harm(tmp_path: Path) -> None:
    root = dataset(tmp_path, "images/a", line="\ufeff5 0.5 0.5 0.1 0.1", yaml="names: {2: platelet, 5: red cell}\n")
    assert [one.label for image in read_boxes(root) for one in image.objects] == ["red cell"]


def test_texts_beside_the_pictures_are_read_where_a_file_names_the_classes(tmp_path: Path) -> None:
    root = dataset(tmp_path, "a", "sub/b", yaml="")
    (root / "classes.txt").write_text("platelet\nred cell\n")
    assert [image.case for image in read_boxes(root)] == ["a", "sub/b"]
    assert len(boxes(root)) == 2


def test_a_text_without_a_picture_is_refused(tmp_path: Path) -> None:
    root = dataset(tmp_path, "images/a", "images/b")
    (root / "images" / "b.jpg").unlink()
    with pytest.raises(InputError, match=r"labels/b\.txt: expected a picture of its name, got none"):
        read_boxes(root)


BESIDE = ["train/images/a", "train/images/b", "valid/images/c"]
BELOW = ["images/train/a", "images/train/b", "images/val/c"]
LAYOUTS: dict[str, tuple[list[str], str]] = {
    "ultralytics": (BELOW, "path: .\ntrain: images/train\nval: images/val\n"),
    "named folders alone": (BELOW, ""),
    "valid": (["images/train/a", "images/train/b", "images/valid/c"], ""),
    "roboflow": (BESIDE, "train: ../train/images\nval: ../valid/images\n"),
    "moved": (["x/images/a", "x/images/b", "y/images/c"], "train: /content/set/x/images\nval: /content/set/y/images\n"),
    "path that is gone": (["x/images/a", "x/images/b", "y/images/c"], "path: /data/set\ntrain: [x/images]\nval: y\n"),
    "missing test": (BESIDE, "train: train/images\nval: valid/images\ntest: ../test/images\n"),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_split_of_the_data_set_is_obeyed(layout: str, tmp_path: Path) -> None:
    names, yaml = LAYOUTS[layout]
    parts = split(dataset(tmp_path, *names, yaml=NAMES + yaml))
    assert {part: [name[-1] for name in cases] for part, cases in parts.items()} == {
        "training": ["a", "b"], "validation": ["c"],
    }  # fmt: skip


def test_absolute_paths_and_lists_of_pictures_are_followed(tmp_path: Path) -> None:
    root = dataset(tmp_path / "set", "images/a", "images/b", "images/c", yaml="")
    far = dataset(tmp_path / "far", "images/d", yaml="")
    (root / "train.txt").write_text("./images/a.jpg\nimages/b.jpg\n")
    (root / "data.yaml").write_text(f"{NAMES}train: train.txt\nval: {far}/images\ntest:\n")
    assert split(root) == {"training": ["a", "b"], "validation": ["far/images/d"]}
    assert len(boxes(root)) == 3


def test_a_test_set_neither_trains_nor_validates(tmp_path: Path) -> None:
    root = dataset(tmp_path, *(f"images/{name}" for name in ("train/a", "val/b", "test/c")))
    assert split(root) == {"training": ["train/a"], "validation": ["val/b"], "test": ["test/c"]}


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("train: images\nval: nowhere\n", "data.yaml, val: expected a folder or a list of pictures, got nowhere"),
        ("train: images\nval: images\n", "data.yaml, val: expected pictures that are in no other part, got "),
        ("train: list.txt\n", "list.txt: expected pictures that exist, got images/gone.jpg"),
        ("train: [\n", "data.yaml: expected YAML, got"),
    ],
)
def test_a_split_that_cannot_be_obeyed_is_refused(yaml: str, words: str, tmp_path: Path) -> None:
    root = dataset(tmp_path, "images/a", "images/b", yaml=NAMES + yaml)
    (root / "list.txt").write_text("images/gone.jpg\n")
    with pytest.raises(InputError, match=rf"\A[^\n]*{words}[^\n]*\Z"):
        read_boxes(root)


def test_without_names_they_are_asked_for(tmp_path: Path) -> None:
    root = dataset(tmp_path, "images/a", yaml="")
    with pytest.raises(InputError, match=r"expected classes\.txt or data\.yaml with names, got neither"):
        read_boxes(root)
    (root / "data.yaml").write_text("names: 3\n")
    with pytest.raises(InputError, match="expected names as a list, or by number, got 3"):
        read_boxes(root)


def test_a_picture_that_cannot_be_opened_is_a_case_that_fails_alone(tmp_path: Path) -> None:
    root = dataset(tmp_path, "images/a", "images/b")
    (root / "images" / "a.jpg").write_bytes(b"broken")
    found: Any = {image.case: len(image.objects) for image in read_boxes(root)}
    assert found == {"a": 1, "b": 1}
