"""Views of the same instances, fused to one list."""

import numpy as np
import pytest

from shared.detection.fusing import Seen, fuse_views


def seen(boxes: list[list[float]], scores: list[float], *, labels: list[int] | None = None, mask: float = 1) -> Seen:
    masks = np.full((len(scores), 4, 4), mask, dtype=np.float32)
    corners = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return Seen(corners, np.array(scores, dtype=np.float32), np.array(labels or [0] * len(scores)), masks)


def test_a_single_view_stays_as_it_is() -> None:
    view = seen([[0, 0, 9, 9], [1, 1, 9, 9]], [0.3, 0.6])
    assert fuse_views([view]) is view


def test_views_that_agree_give_what_each_of_them_shows() -> None:
    view = seen([[0, 0, 9, 9], [20, 20, 30, 40], [50, 0, 60, 9]], [0.9, 0.7, 0.4], labels=[0, 1, 0], mask=0.5)
    for given, fused in zip(view, fuse_views([view, view, view])):
        np.testing.assert_allclose(fused, given, rtol=1e-6)


def test_box_and_mask_are_means_by_score_and_the_score_is_the_mean() -> None:
    fused = fuse_views([seen([[0, 0, 10, 10]], [0.6], mask=1), seen([[0, 0, 10, 14]], [0.2], mask=0)])
    np.testing.assert_allclose(fused.boxes, [[0, 0, 10, 11]], rtol=1e-6)  # 3/4 of 10 and 1/4 of 14
    np.testing.assert_allclose(fused.scores, [0.4], rtol=1e-6)
    np.testing.assert_allclose(fused.masks, np.full((1, 4, 4), 0.75), rtol=1e-6)


def test_what_one_view_alone_shows_has_half_its_score_and_comes_later() -> None:
    fused = fuse_views([seen([[0, 0, 9, 9], [50, 50, 60, 60]], [0.9, 0.5]), seen([[50, 50, 60, 60]], [0.6])])
    np.testing.assert_allclose(fused.boxes, [[50, 50, 60, 60], [0, 0, 9, 9]], rtol=1e-6)
    np.testing.assert_allclose(fused.scores, [0.55, 0.45], rtol=1e-6)


@pytest.mark.parametrize("other", [([[0, 0, 10, 4]], [0]), ([[0, 0, 10, 10]], [1])], ids=["little overlap", "label"])
def test_boxes_of_little_overlap_or_another_label_stay_apart(other: tuple) -> None:
    boxes, labels = other
    fused = fuse_views([seen([[0, 0, 10, 10]], [0.8]), seen(boxes, [0.4], labels=labels)])
    np.testing.assert_allclose(fused.scores, [0.4, 0.2], rtol=1e-6)
    assert fused.labels.tolist() == [0, labels[0]]


def test_two_of_one_view_are_never_one_and_each_takes_the_nearest_of_the_other() -> None:
    two = seen([[0, 0, 10, 10], [0, 2, 10, 12]], [0.8, 0.6])
    fused = fuse_views([two, seen([[0, 2, 10, 12], [0, 0, 10, 10]], [0.5, 0.3])])
    np.testing.assert_allclose(fused.boxes, two.boxes, rtol=1e-6)
    np.testing.assert_allclose(fused.scores, [0.55, 0.55], rtol=1e-6)


def test_views_of_nothing_are_no_hindrance() -> None:
    nothing = seen([], [])
    assert len(fuse_views([nothing, nothing]).scores) == 0
    for views in ([nothing, seen([[0, 0, 9, 9]], [0.8])], [seen([[0, 0, 9, 9]], [0.8]), nothing]):
        np.testing.assert_allclose(fuse_views(views).scores, [0.4], rtol=1e-6)
