"""The COCO file of a run is one that pycocotools, CVAT's import, FiftyOne and this zoo's own training read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from shared.images.coco import open_coco
from shared.images.coco_writing import AnnotatedImage, file_name_of, write_coco
from shared.tasks.instances.files import coco_annotations, instance_table

IDS = np.zeros((30, 40), dtype=np.int32)
IDS[2:10, 3:15], IDS[12:28, 20:26] = 1, 2
BOXES = [
    {"category_id": 2, "bbox": [3.5, 2, 10, 6.25], "score": 0.9},
    {"category_id": 1, "bbox": [20, 12, 6, 16], "score": 0.5},
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Boxes in one image, outlines in another, nothing in a third."""
    masks = list(coco_annotations(IDS, instance_table(IDS, [0.8, 0.7], ["b", "a"]), ["a", "b"]))
    found: dict[str, list[dict[str, Any]]] = {"boxes.png": BOXES, "in/masks.png": masks, "none.png": []}
    for name in found:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (40, 30)).save(tmp_path / name)
    return write_coco(
        tmp_path / "coco.json", [AnnotatedImage(name, 40, 30, one) for name, one in found.items()], ["a", "b"]
    )


@pytest.mark.parametrize(
    ("case", "image", "expected"),
    [
        ("a", "a.png", "a.png"),
        ("in/a.b", "a.b.tif", "in/a.b.tif"),
        ("in/stack/z003", "stack.tif#z003", "in/stack.tif#z003"),
        ("a.png", "a.png", "a.png"),  # where another image has the name without the ending
    ],
)
def test_an_image_is_named_by_its_path_below_the_data_set(case: str, image: str, expected: str) -> None:
    assert file_name_of(case, image) == expected


def test_pycocotools_opens_it_and_takes_its_annotations_as_results(written: Path) -> None:
    truth = COCO(str(written))
    results = json.loads(written.read_text(encoding="utf-8"))["annotations"]
    for kind, of_kind in (("bbox", results), ("segm", [one for one in results if one["segmentation"]])):
        evaluation = COCOeval(truth, truth.loadRes(of_kind), kind)
        evaluation.params.imgIds = sorted({one["image_id"] for one in of_kind})
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(1)  # each is its own partner
    assert [image["id"] for image in truth.imgs.values()] == [1, 2, 3]
    np.testing.assert_array_equal(truth.annToMask(truth.anns[3]), IDS == 1)
    assert truth.anns[1]["area"] == 62.5


def test_training_reads_it_back(written: Path) -> None:
    coco = open_coco(written)
    boxes, masks, none = coco.images
    assert [coco.label(one) for one in coco.annotations(boxes)] == ["b", "a"]
    assert coco.box(coco.annotations(boxes)[0], (40, 30)) == [3.5, 2, 13.5, 8.25]
    np.testing.assert_array_equal(coco.draw(masks, (40, 30)), IDS)
    assert coco.annotations(none) == []


@pytest.mark.client
def test_the_library_that_cvat_imports_with_finds_the_same_boxes_and_masks(written: Path, tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro", reason="needs datumaro, which wants numpy of before 2.4")
    for folder in ("annotations", "images"):
        (tmp_path / folder).mkdir()
    path = written.rename(tmp_path / "annotations" / "instances_default.json")  # as CVAT's own exports are called
    found = datumaro.Dataset.import_from(str(path), "coco_instances")
    names = [label.name for label in found.categories()[datumaro.AnnotationType.label]]
    items = {item.id: item.annotations for item in found}
    boxes = [(names[one.label], list(one.get_bbox()), one.attributes["score"]) for one in items["boxes"]]
    assert sorted(boxes) == [("a", [20, 12, 6, 16], 0.5), ("b", [3.5, 2, 10, 6.25], 0.9)]
    masks = [one for one in items["in/masks"] if one.type == datumaro.AnnotationType.mask]  # each has a box besides
    assert len(masks) == IDS.max()
    for number, one in enumerate(sorted(masks, key=lambda one: -one.attributes["score"]), start=1):
        np.testing.assert_array_equal(one.image, number == IDS)


@pytest.mark.client
def test_fiftyones_importer_finds_the_same_boxes_and_masks(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIFTYONE_DISABLE_SERVICES", "1")  # its data base, which an importer does not need
    coco = pytest.importorskip("fiftyone.utils.coco", reason="needs fiftyone, in an environment of its own")
    kinds = ["detections", "segmentations"]
    places = {"data_path": str(written.parent), "labels_path": str(written)}
    with coco.COCODetectionDatasetImporter(**places, label_types=kinds) as importer:
        found = {Path(path).relative_to(written.parent).as_posix(): labels for path, _, labels in importer}
    assert found.keys() == {"boxes.png", "in/masks.png", "none.png"}
    boxes = [(one.label, one.bounding_box, one.confidence) for one in found["boxes.png"]["detections"].detections]
    assert boxes == [
        ("b", pytest.approx([3.5 / 40, 2 / 30, 10 / 40, 6.25 / 30]), 0.9),  # in shares of the image
        ("a", pytest.approx([20 / 40, 12 / 30, 6 / 40, 16 / 30]), 0.5),
    ]
    masks = found["in/masks.png"]["segmentations"].detections
    assert [one.mask.shape for one in masks] == [(8, 12), (16, 6)]  # of the boxes alone, which the objects fill
    assert all(one.mask.all() for one in masks)
    assert not found["none.png"]
