import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.errors import InputError
from shared.images.labelme import labelme_files, labelme_image, labelme_shapes

SIZE = (80, 60)


def annotated(root: Path, *shapes: Any, **changes: Any) -> Path:
    Image.new("L", SIZE).save(root / "a.png")
    content = {"shapes": shapes, "imagePath": "a.png", "imageHeight": SIZE[1], "imageWidth": SIZE[0], **changes}
    (root / "a.json").write_text(json.dumps(content))
    return root / "a.json"


@pytest.mark.parametrize("kind", ["polygon", None])
def test_a_polygon_and_both_forms_of_a_rectangle_have_the_box_around_them(kind: str | None, tmp_path: Path) -> None:
    shapes = [
        {"label": "a", "points": [[5, 6], [20, 8], [9, 30]], "shape_type": kind},
        {"label": "b", "points": [[20, 30], [5, 6]], "shape_type": "rectangle"},
        {"label": "c", "points": [[5, 6], [20, 6], [20, 30], [5, 30]], "shape_type": "rectangle"},
        {"label": "d", "points": [[30, 30], [30, 40]], "shape_type": "circle"},
    ]
    path = annotated(tmp_path, *shapes)
    assert labelme_files(tmp_path) == [path]
    *boxes, circle = [[*sorted(s.box[::2]), *sorted(s.box[1::2])] for s in labelme_shapes(path, SIZE)]
    assert boxes == [[5, 20, 6, 30]] * 3
    assert circle == pytest.approx([20, 40, 20, 40])


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"points": [[1, 1], [9, 9]], "shape_type": "rectangle"}, "expected a shape with a label"),
        (
            {"label": "a", "points": [[1, 1]], "shape_type": "point"},
            "expected a polygon, rectangle or circle, got a point",
        ),
        (
            {"label": "a", "points": [[1, 1]] * 3, "shape_type": ["star"]},
            "expected a polygon, rectangle or circle, got",
        ),
        ({"label": "a", "points": [[1, 1], [2, 2]]}, "expected a polygon, rectangle or circle, got a polygon of 2"),
        ({"label": "a", "points": [[1, 1], [2, "x"], [3, 3]]}, "expected points of two numbers"),
        ({"label": "a", "points": [[1], [2], [3]]}, "expected points of two numbers"),
        ({"label": "a", "points": [[1, 1], [1e8, 1], [3, 3]]}, "expected coordinates within the picture"),
        ("nonsense", "expected a shape with a label"),
    ],
)
def test_a_shape_that_cannot_be_used_is_named(shape: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"\A[^\n]*a\.json, shape 1: {words}[^\n]*\Z"):
        list(labelme_shapes(annotated(tmp_path, shape), SIZE))


def test_the_picture_lies_beside_the_file_or_in_the_data_set_whatever_path_is_named(tmp_path: Path) -> None:
    for named in ("a.png", "..\\a.png", "/home/someone/a.png", "C:\\pictures\\a.png", None):
        assert labelme_image(annotated(tmp_path, imagePath=named), tmp_path) == tmp_path / "a.png"
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.json: expected its image beside it, got none"):
        labelme_image(tmp_path / "a.json", tmp_path)


def test_a_broken_file_beside_a_picture_is_among_them_so_that_it_is_reported(tmp_path: Path) -> None:
    path = annotated(tmp_path)
    path.write_text(path.read_text()[:-5])
    (tmp_path / "other.json").write_text("{")
    assert labelme_files(tmp_path) == [path]
    with pytest.raises(InputError, match=r"a\.json: expected JSON"):
        labelme_image(path, tmp_path)


def test_another_size_than_the_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="upright picture, 80 × 60, got 60 × 80"):
        list(labelme_shapes(annotated(tmp_path, imageWidth=60, imageHeight=80), SIZE))
