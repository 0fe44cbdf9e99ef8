import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from shared.tasks.detection.metrics import (
    CROWD,
    NOTHING,
    CocoPrecision,
    coco_evaluation,
    coco_scores,
    confusion,
    precision_curves,
    xywh,
)

NAMES = ["a", "b"]
TRUE = torch.tensor([[10.0, 20, 60, 90, 0], [100.0, 100, 150, 150, 1]])


def found(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)


def scores(detections: list[Tensor], objects: list[Tensor]) -> dict[str, float]:
    return coco_scores(coco_evaluation(detections, objects, NAMES), NAMES)


def test_the_true_objects_themselves_score_one_and_nothing_scores_zero() -> None:
    exact = torch.cat([TRUE[:, :4], torch.tensor([[0.9], [0.8]]), TRUE[:, 4:]], dim=1)
    perfect = scores([exact], [TRUE])
    assert [perfect[name] for name in ("ap", "ap50", "ap_a", "ap50_b")] == pytest.approx([1] * 4)
    assert np.isnan(perfect["ap_small"])  # there is none
    none = scores([found()], [TRUE])
    assert none["ap"] == none["ap50"] == 0


def test_a_box_that_overlaps_by_so_much_counts_up_to_that_threshold() -> None:
    """Of width 100 and shifted by 25: IoU 75/125 = 0.6, right at 0.5, 0.55 and 0.6 of ten thresholds (COCO's ≥)."""
    given = scores([found((0, 25, 50, 125, 0.9, 0))], [torch.tensor([[0.0, 0, 50, 100, 0]])])
    assert given["ap50_a"] == pytest.approx(1)
    assert given["ap_a"] == pytest.approx(0.3)
    assert given["ap75"] == 0
    assert np.isnan(given["ap_b"])  # a class that is not there takes no part in the mean
    assert given["ap"] == pytest.approx(0.3)


def test_a_false_alarm_before_the_hit_halves_the_precision() -> None:
    """Precision is 0 after the first box and 1/2 at recall 1, and so 1/2 at each of the 101 recalls."""
    detections = found((200, 200, 250, 250, 0.9, 0), (10, 20, 60, 90, 0.5, 0))
    assert scores([detections], [TRUE[:1]])["ap50_a"] == pytest.approx(0.5)
    curve = precision_curves(coco_evaluation([detections], [TRUE[:1]], NAMES), NAMES)
    assert curve.keys() == {"a"}
    np.testing.assert_allclose(curve["a"], 0.5)


def test_boxes_of_another_image_do_not_count() -> None:
    hit = found((10, 20, 60, 90, 0.9, 0))
    assert scores([hit, found()], [torch.zeros(0, 5), TRUE[:1]])["ap50_a"] == 0
    assert scores([found(), hit], [torch.zeros(0, 5), TRUE[:1]])["ap50_a"] == pytest.approx(1)


def test_columns_come_first_in_cocos_boxes() -> None:
    assert xywh(TRUE).tolist() == [[20, 10, 70, 50], [100, 100, 50, 50]]


def test_confusions_are_those_counted_by_hand() -> None:
    objects = torch.cat([TRUE, torch.tensor([[200.0, 200, 240, 240, 0]])])
    detections = found(
        (10, 20, 60, 90, 0.9, 0),  # right
        (11, 20, 60, 90, 0.8, 0),  # the same object again: too many
        (100, 100, 150, 150, 0.7, 0),  # a "b" taken for an "a"
        (400, 400, 420, 420, 0.6, 1),  # nothing there
    )
    given = confusion([detections, found()], [objects, TRUE[1:]], 2)
    # Rows: true a, b, nothing; columns: found as a, b, not at all.
    assert given.tolist() == [[1, 0, 1], [1, 0, 1], [1, 1, 0]]
    assert confusion([found()], [torch.zeros(0, 5)], 2).sum() == 0


def test_the_metric_of_a_run_is_that_of_all_its_images() -> None:
    exact = torch.cat([TRUE[:, :4], torch.tensor([[0.9], [0.8]]), TRUE[:, 4:]], dim=1)
    metric = CocoPrecision(NAMES)
    metric.update(([exact], [TRUE]))
    assert metric.compute() == pytest.approx(1)
    metric.update(([found()], [TRUE]))
    half = metric.compute()
    # Of two equal objects one is found: precision 1 up to recall 1/2, which is 51 of 101 points.
    assert half == pytest.approx(51 / 101)
    assert CocoPrecision(NAMES, at="ap50_a").at == "ap50_a"


def test_detections_in_a_crowd_count_as_pycocotools_counts_them() -> None:
    """One right detection, one in a crowd, one that is neither: a crowd is neither found nor missed."""
    truth = torch.tensor([[10.0, 10, 30, 30, 0], [50, 50, 100, 100, CROWD - 0], [NOTHING] * 5])
    detections = torch.tensor([[60.0, 60, 70, 70, 0.9, 0], [10, 10, 30, 30, 0.8, 0], [60, 60, 70, 70, 0.7, 1]])
    boxes = [[10, 10, 20, 20], [50, 50, 50, 50]]
    coco = COCO()
    coco.dataset = {
        "images": [{"id": 1}],
        "categories": [{"id": 1}, {"id": 2}],
        "annotations": [
            {"id": i + 1, "image_id": 1, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": i}
            for i, box in enumerate(boxes)
        ],
    }
    coco.createIndex()
    results = [
        {"image_id": 1, "category_id": int(label) + 1, "bbox": [c, r, c2 - c, r2 - r], "score": score}
        for r, c, r2, c2, score, label in detections.tolist()
    ]
    expected = COCOeval(coco, coco.loadRes(results), "bbox")
    expected.evaluate()
    expected.accumulate()
    expected.summarize()
    given = coco_scores(coco_evaluation([detections], [truth], NAMES), NAMES)
    assert given["ap"] == pytest.approx(expected.stats[0]) == 1
    counted = confusion([detections], [truth], 2)
    # Of the other class the detection in the crowd is one too many.
    assert counted.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
