import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from shared.tasks.instances.mean_ap import MeanAP
from shared.tasks.instances.metrics import (
    THRESHOLDS,
    aggregated_jaccard,
    average_precision,
    coco_average_precision,
    matches,
    overlaps,
    panoptic_quality,
    precision_of,
)  # fmt: skip


def bars(*lengths_and_starts: tuple[int, int], width: int = 100) -> np.ndarray:
    """Ids of bars, a row each: (length, start)."""
    ids = np.zeros((len(lengths_and_starts), width), dtype=np.int32)
    for row, (length, start) in enumerate(lengths_and_starts):
        ids[row, start : start + length] = row + 1
    return ids


# Of the three true bars of 10, one is found exactly (IoU 1), one is found 8 long (0.8), one 6 long (0.6); a fourth that
# was found is none.
TRUE = bars((10, 0), (10, 20), (10, 40), (0, 0))
FOUND = bars((10, 0), (8, 20), (6, 40), (5, 70))


def random_maps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of 6 × 6, and the same moved, lost and cut at random."""
    rng = np.random.default_rng(seed)
    reference, found = np.zeros((2, 64, 64), dtype=np.int32)
    for number, (row, column) in enumerate(np.ndindex(8, 8), start=1):
        reference[8 * row + 1 : 8 * row + 7, 8 * column + 1 : 8 * column + 7] = number
        down, right, height, width = (
            8 * row + rng.integers(0, 4),
            8 * column + rng.integers(0, 4),
            *rng.integers(3, 8, 2),
        )
        found[down : down + height, right : right + width] = 100 - number if rng.uniform() < 0.9 else 0
    return found, reference


def test_common_pixels_and_iou_are_those_of_masks_compared_by_hand() -> None:
    found, reference = random_maps(0)
    common, iou = overlaps(found, reference)
    ids = [np.unique(m)[1:] for m in (found, reference)]
    assert common.shape == iou.shape == (len(ids[0]), len(ids[1]))
    for i, f in enumerate(ids[0][:9]):
        for j, r in enumerate(ids[1]):
            a, b = found == f, reference == r
            assert common[i, j] == (a & b).sum()
            assert iou[i, j] == pytest.approx((a & b).sum() / (a | b).sum())


def test_the_average_precision_of_a_case_counted_by_hand() -> None:
    scores = dict(zip(THRESHOLDS, average_precision(FOUND, TRUE)))
    assert len(scores) == 10
    # TP / (TP + FP + FN): 3 / (3 + 1 + 0), 2 / (2 + 2 + 1), 1 / (1 + 3 + 2). A match is an IoU above the threshold.
    for threshold, expected in {0.5: 3 / 4, 0.55: 3 / 4, 0.6: 2 / 5, 0.75: 2 / 5, 0.8: 1 / 6, 0.95: 1 / 6}.items():
        assert scores[threshold] == pytest.approx(expected), threshold


def test_counts_are_pooled_before_they_are_divided() -> None:
    nothing = np.zeros_like(TRUE)
    counts = np.stack([matches(FOUND, TRUE, [0.5]), matches(nothing, TRUE, [0.5])])
    assert counts[:, 0].tolist() == [[3, 1, 0], [0, 0, 3]]
    assert precision_of(counts.sum(axis=0)).tolist() == [3 / 7]


@pytest.mark.parametrize("seed", range(4))
def test_above_one_half_matches_are_those_of_the_best_assignment(seed: int) -> None:
    """StarDist's `matching` assigns one to one; above an IoU of 1/2 there is nothing to choose."""
    found, reference = random_maps(seed)
    _, iou = overlaps(found, reference)
    for threshold, (true, false, missed) in zip((0.5, 0.7), matches(found, reference, (0.5, 0.7))):
        good = iou > threshold
        assigned = good[linear_sum_assignment(-(good + iou / 1000))].sum()
        assert (true, false, missed) == (assigned, len(iou) - assigned, iou.shape[1] - assigned)
        assert 0 < true < len(iou)


def test_the_aggregated_jaccard_index_counted_by_hand() -> None:
    # Matches have 10 + 8 + 6 pixels in common of 10 + 10 + 10; what was found beside them has 5.
    assert aggregated_jaccard(FOUND, TRUE) == pytest.approx(24 / 35)
    # The other way round: the bar of 5 meets nothing and counts as it is.
    assert aggregated_jaccard(TRUE, FOUND) == pytest.approx(24 / 35)
    merged = np.where(TRUE[:3] > 0, 1, 0)  # one instance for all three: it is the match of each
    assert aggregated_jaccard(merged, TRUE[:3]) == pytest.approx(30 / 90)


def test_the_panoptic_quality_counted_by_hand() -> None:
    assert panoptic_quality(FOUND, TRUE) == pytest.approx((1 + 0.8 + 0.6) / (3 + 1 / 2))


def test_scores_do_not_depend_on_the_names_of_the_ids() -> None:
    found, reference = random_maps(1)
    renamed = np.where(found > 0, 5000 - 7 * found, 0)
    assert average_precision(renamed, reference).tolist() == average_precision(found, reference).tolist()
    assert aggregated_jaccard(renamed, reference) == aggregated_jaccard(found, reference)
    assert panoptic_quality(renamed, reference) == panoptic_quality(found, reference)


def test_the_same_is_perfect_and_of_nothing_nothing_is_perfect() -> None:
    nothing, full = np.zeros((4, 5), dtype=np.int32), np.ones((4, 5), dtype=np.int32)
    for a in (nothing, full, TRUE):
        assert average_precision(a, a).tolist() == [1] * 10
        assert aggregated_jaccard(a, a) == panoptic_quality(a, a) == 1
    for a, b in ((nothing, full), (full, nothing)):
        assert average_precision(a, b).tolist() == [0] * 10
        assert aggregated_jaccard(a, b) == panoptic_quality(a, b) == 0


def test_a_threshold_below_one_half_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.4"):
        average_precision(FOUND, TRUE, [0.4, 0.5])


def test_cocos_precision_of_a_case_counted_by_hand() -> None:
    """Precision at 101 recalls, of which a third each is reached by the first, the second and the third of three."""
    scores = [0.9, 0.8, 0.7, 0.95]  # the surest is the wrong one
    given = coco_average_precision([(FOUND, scores, TRUE)])
    # At IoU 0.5 all are found: after 2 detections precision is 1/2, after 3 it is 2/3, after 4 it is 3/4, and each
    # recall counts the best precision from there on.
    assert given["coco_ap50"] == pytest.approx(3 / 4)
    assert given["coco_ap75"] == pytest.approx(67 / 101 * 2 / 3)  # recalls 0 to 0.66 of 101; the third is not found
    surer = coco_average_precision([(FOUND, [0.9, 0.8, 0.7, 0.1], TRUE)])
    assert surer["coco_ap50"] == pytest.approx(1)
    nothing = np.zeros_like(TRUE)
    assert coco_average_precision([(nothing, [], TRUE)])["coco_ap50"] == 0


def test_more_instances_than_cocos_100_count() -> None:
    ids = (np.arange(200)[:, None] + 1) * np.ones((1, 4), dtype=np.int32)
    assert coco_average_precision([(ids, [0.9] * 200, ids)])["coco_ap"] == pytest.approx(1)


def test_the_mean_over_images_is_of_thresholds_first() -> None:
    metric = MeanAP(lambda x: x)
    for found in (FOUND, np.zeros_like(TRUE)):
        metric.update(([torch.as_tensor(found)[None]], [torch.as_tensor(TRUE)[None]]))
    assert metric.compute() == pytest.approx(average_precision(FOUND, TRUE).mean() / 2)
