import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco
from skimage.draw import polygon2mask

from shared.errors import InputError
from shared.images.reading import read_image
from shared.tasks.instances.files import (
    coco_annotations,
    compressed,
    instance_table,
    outline_of,
    run_lengths,
    write_geojson,
    write_ids,
)  # fmt: skip


@pytest.fixture
def ids() -> np.ndarray:
    """A block at the corner, an L, a bar to the far corner; rows, columns and sizes differ."""
    ids = np.zeros((12, 20), dtype=np.int32)
    ids[:3, :5] = 1
    ids[5:9, 3:5] = ids[8:10, 3:11] = 2
    ids[11, 12:] = 3
    return ids


def test_ids_are_written_with_16_bits_and_no_more(ids: np.ndarray, tmp_path: Path) -> None:
    many = ids.copy()
    many[0, 0] = 65535
    path = write_ids(tmp_path / "a.png", many)
    with Image.open(path) as picture:
        assert picture.mode == "I;16"
    np.testing.assert_array_equal(read_image(path, as_ids=True).values[0], many)
    many[0, 0] = 65536
    with pytest.raises(InputError, match="65,535"):
        write_ids(tmp_path / "b.png", many)
    assert not (tmp_path / "b.png").exists()


def test_the_table_tells_box_and_area_of_each_id(ids: np.ndarray) -> None:
    table = instance_table(ids, [0.9, 0.8, 0.7], ["a", "b", "a"])
    assert [row["id"] for row in table] == [1, 2, 3]
    assert [row["box"] for row in table] == [[0, 0, 5, 3], [3, 5, 11, 10], [12, 11, 20, 12]]  # x before y
    assert [row["area_px"] for row in table] == [15, 6 + 16, 8]
    assert [row["label"] for row in table] == ["a", "b", "a"]
    assert instance_table(np.zeros((4, 5), dtype=np.int32), [], []) == []


def test_run_lengths_decode_to_the_mask_by_pycocotools(ids: np.ndarray) -> None:
    found = dict(run_lengths(ids))
    assert found.keys() == {1, 2, 3}
    for number, rle in found.items():
        packed = compressed(rle)
        np.testing.assert_array_equal(coco.decode(packed), ids == number)
        expected = coco.encode(np.asfortranarray(ids == number, dtype=np.uint8))
        assert packed["counts"] == expected["counts"].decode()
        assert sum(rle["counts"]) == ids.size


def test_cocos_annotations_count_categories_from_1(ids: np.ndarray) -> None:
    table = instance_table(ids, [0.9, 0.8, 0.7], ["a", "b", "a"])
    results = list(coco_annotations(ids, table, ["a", "b"]))
    assert [r["category_id"] for r in results] == [1, 2, 1]
    assert results[1]["bbox"] == [3, 5, 8, 5]
    assert [r["area"] for r in results] == [row["area_px"] for row in table]


def test_outlines_drawn_again_are_the_masks(ids: np.ndarray, tmp_path: Path) -> None:
    table = instance_table(ids, [0.9, 0.8, 0.7], ["a", "b", "a"])
    content = json.loads(write_geojson(tmp_path / "a.geojson", ids, table).read_text())
    assert content["type"] == "FeatureCollection"
    for number, feature in enumerate(content["features"], start=1):
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert feature["properties"]["objectType"] == "detection"
        drawn = polygon2mask(ids.shape, np.array(ring)[:, ::-1] - 0.5)  # skimage's centres are at whole numbers
        np.testing.assert_array_equal(drawn, ids == number)


def test_of_a_ring_the_outer_border_is_the_outline() -> None:
    ring = np.ones((7, 9), dtype=bool)
    ring[2:5, 3:6] = False
    outline = outline_of(ring)
    assert (outline.min(), outline[:, 0].max(), outline[:, 1].max()) == (0, 9, 7)
