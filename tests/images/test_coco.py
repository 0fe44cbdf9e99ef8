"""Entries of COCO files: what is read of them is what pycocotools reads, and what it cannot take never reaches it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as masks

from shared.errors import InputError
from shared.images.coco import CocoImage, coco_files, open_coco
from shared.images.outlines import box_around, unpacked

SIZE = (80, 60)
BLOB = np.zeros(SIZE[::-1], dtype=np.uint8)
BLOB[10:30, 20:50] = 1
BLOB[15:25, 30:35] = 0
PACKED = masks.encode(np.asfortranarray(BLOB))
POLYGON = [[20.5, 10.0, 49.5, 12.0, 40.0, 30.0], [5.0, 40.0, 9.0, 40.0, 9.0, 44.0, 5.0, 44.0]]


def dataset(root: Path, *annotations: dict[str, Any], **changes: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    Image.new("L", SIZE).save(root / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": SIZE[0], "height": SIZE[1]}],
        "categories": [{"id": 4, "name": "cell"}],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 4, **one} for one in annotations],
    }
    (root / "coco.json").write_text(json.dumps({**content, **changes}))
    return root / "coco.json"


def used(path: Path) -> Any:
    """Read and draw all that a file has."""
    file = open_coco(path)
    for image in file.images:
        file.image_path(image, path.parent)
        for annotation in file.annotations(image):
            file.label(annotation)
            file.box(annotation, SIZE)
        return file.draw(image, SIZE)


def refused(words: str) -> Any:
    return pytest.raises(InputError, match=rf"\A[^\n]*coco\.json, {words}[^\n]*; [^\n]+\Z")


OUTLINES: list[Any] = [
    POLYGON,
    {"size": [60, 80], "counts": PACKED["counts"].decode()},
    {"size": [60, 80], "counts": list(unpacked(PACKED["counts"].decode()))},
]


@pytest.mark.parametrize("outline", OUTLINES, ids=["polygons", "packed", "counts"])
def test_outlines_are_drawn_as_pycocotools_draws_them_and_give_the_box_where_there_is_none(
    outline: Any, tmp_path: Path
) -> None:
    path = dataset(tmp_path, {"segmentation": outline})
    rle = outline if isinstance(outline, dict) else masks.merge(masks.frPyObjects(outline, *SIZE[::-1]))
    expected = masks.decode(rle if not isinstance(rle["counts"], list) else masks.frPyObjects(rle, *SIZE[::-1]))
    np.testing.assert_array_equal(used(path), expected)
    box = open_coco(path).box(open_coco(path).annotations({"id": 1})[0], SIZE)
    assert box == ([5, 10, 49.5, 44] if outline is POLYGON else [20, 10, 50, 30])


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_are_unpacked_as_pycocotools_packs_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((37, 53)) < random.random()
    packed = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    flat = np.concatenate([[0], mask.ravel(order="F").astype(int)])
    changes = np.flatnonzero(np.diff(flat))
    assert list(unpacked(packed["counts"].decode())) == np.diff([0, *changes, mask.size]).tolist()
    assert box_around({"size": [37, 53], "counts": packed["counts"].decode()}, (53, 37), "") == [
        *masks.toBbox(packed)[:2], *(masks.toBbox(packed)[:2] + masks.toBbox(packed)[2:])
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("outline", "words"),
    [
        ({"size": [100000, 100000], "counts": "1"}, "expected run lengths of 60 rows and 80 columns"),
        ({"size": [60, 80], "counts": "1"}, "expected run lengths of 4800 pixels in all, got 1"),
        ({"size": [60, 80], "counts": [4800, 10**9]}, "expected run lengths of 4800 pixels in all"),
        ({"size": [60, 80], "counts": [-5, 4805]}, "expected run lengths of 4800 pixels in all, got others"),
        ({"size": [60, 80], "counts": "~~é"}, "expected run lengths of 4800 pixels in all"),
        ({"size": [60, 80]}, "expected run lengths of 4800 pixels in all"),
        ([[1, 1, 1e9, 1, 1e9, 1e9, 1, 1e9]], "expected coordinates within the picture, 80 × 60"),
        ([[1, 1, float("nan"), 1, 5, 5]], "expected a polygon of three points"),
        ([[1, 1, 9, 9]], "expected a polygon of three points or more, or run lengths, got 4 numbers"),
        ([[1, 1, 9, 9, 4]], "expected a polygon of three points"),
        ([], "expected a polygon of three points"),
        ("nonsense", "expected a polygon of three points"),
        (None, "expected a polygon of three points"),
    ],
)
def test_an_outline_that_would_end_the_process_is_refused_before_it_is_drawn(
    outline: Any, words: str, tmp_path: Path
) -> None:
    with refused(f"annotation 7: {words}"):
        used(dataset(tmp_path, {"segmentation": outline, "bbox": [1, 2, 10, 10]}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_id": 99}, "annotation 7: expected an image_id that is among the images, got 99"),
        ({"image_id": "1"}, "annotation 7: expected an image_id that is among the images, got '1'"),
        ({"image_id": None}, "annotation 7: expected an image_id"),
        ({"category_id": "4"}, "annotation 7: expected a category_id that is among the categories, got '4'"),
        ({"category_id": None}, "annotation 7: expected a category_id"),
        ({"category_id": 5}, "annotation 7: expected a category_id that is among the categories, got 5"),
        ({"bbox": [1, 2, "3", 4]}, "annotation 7: expected a bbox of x, y, width and height"),
        ({"bbox": [0.1, 0.1, 0.5, 0.5]}, "annotation 7: expected pixels, got shares"),
        ({"bbox": None}, "annotation 7: expected a bbox of x, y, width and height, or a segmentation, got None"),
    ],
)
def test_an_annotation_that_lacks_something_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with refused(words):
        used(dataset(tmp_path, {"bbox": [1, 2, 10, 10], **changes}))


def test_ids_as_text_hold_where_both_sides_have_them(tmp_path: Path) -> None:
    image: CocoImage = {"id": "one", "file_name": "a.png"}
    path = dataset(tmp_path, {"image_id": "one", "bbox": [9, 4, -5, 4]}, images=[image])
    file = open_coco(path)
    assert [file.box(one, SIZE) for one in file.annotations(image)] == [[4, 4, 9, 8]]
    assert [file.label(one) for one in file.annotations(image)] == ["cell"]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "sub/../../secret.png", "..", ""])
def test_a_file_name_does_not_lead_out_of_the_data_set(name: str, tmp_path: Path) -> None:
    Image.new("L", SIZE).save(tmp_path / "secret.png")
    with refused(r"image 1: expected its image in"):
        used(dataset(tmp_path / "data", images=[{"id": 1, "file_name": name}]))


@pytest.mark.parametrize("images", [[{"id": 1}], [{"file_name": "a.png"}], ["a.png"], {"id": 1}])
def test_images_without_an_id_or_a_name_are_refused(images: Any, tmp_path: Path) -> None:
    with refused("image"):
        used(dataset(tmp_path, images=images))


def test_a_file_name_that_no_file_can_have_is_named(tmp_path: Path) -> None:
    with refused(f"image 1: expected its image in .*, got no {'x' * 300}"):
        used(dataset(tmp_path, images=[{"id": 1, "file_name": "x" * 300}]))


def test_another_size_than_the_pictures_is_refused(tmp_path: Path) -> None:
    image = {"id": 1, "file_name": "a.png", "width": 60, "height": 80}
    with refused("image 1: expected the width and height of the upright picture, 80 × 60, got 60 × 80"):
        used(dataset(tmp_path, images=[image]))


def test_which_files_are_cocos(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    for name in ("annotations/instances_val.json", "annotations/captions_val.json", "train/._x.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(path.read_text())
    (tmp_path / "other.json").write_text("[" * 100_000)
    assert [p.name for p in coco_files(tmp_path)] == ["instances_val.json"]
    (tmp_path / "annotations/instances_val.json").unlink()
    # What cannot be read is among them, so that it is reported; LabelMe's would lie beside its picture.
    (tmp_path / "a.json").write_text("{")
    assert [p.name for p in coco_files(tmp_path)] == ["coco.json", "other.json", "captions_val.json"]
    with pytest.raises(InputError, match=r"other\.json: expected JSON"):
        open_coco(tmp_path / "other.json")
