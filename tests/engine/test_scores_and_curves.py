import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from shared.engine.curves import draw_training_curve
from shared.engine.scores import draw_scores

HISTORY = [
    {"epoch": 1, "loss": 0.9},
    {"epoch": 2, "loss": 0.7, "val_mean_dice": 0.5},
    {"epoch": 3, "loss": 0.4},
    {"epoch": 4, "loss": 0.3, "val_mean_dice": 0.82345},
    {"epoch": 6, "loss": 0.1, "val_mean_dice": 0.8},
]
SCORES = {
    "dice_mean": [0.5, 0.75],
    "dice_left_lung": [0.25, 1.0],
    "hd95_mm_mean": [math.nan, math.nan],
    "hd95_mm_left_lung": [3.5, math.nan],
}


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_training_curve_shows_each_loss_and_the_metric_where_it_was_taken(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_training_curve(tmp_path / "a.png", HISTORY, "val_mean_dice")
    loss, metric = figures[0].axes
    assert np.array_equal(loss.lines[0].get_xydata(), [(1, 0.9), (2, 0.7), (3, 0.4), (4, 0.3), (6, 0.1)])
    assert np.array_equal(metric.lines[0].get_xydata(), [(2, 0.5), (4, 0.82345), (6, 0.8)])
    assert metric.get_title() == "best val_mean_dice 0.8235 at epoch 4"  # the best, not the last


def test_scores_have_a_panel_a_kind_and_a_box_a_class_over_finite_values(tmp_path: Path, figures: list[Figure]) -> None:
    draw_scores(tmp_path / "a.png", SCORES)
    shown = {}
    for axes in figures[0].axes:
        for position, name in enumerate(axes.get_xticklabels(), start=1):
            points = [line for line in axes.lines if line.get_marker() == "o"][position - 1]
            assert np.allclose(points.get_xdata(), position, atol=0.12)  # spread over half the box at most
            shown[axes.get_title(), name.get_text()] = np.asarray(points.get_ydata()).tolist()
    assert shown == {
        ("dice", "mean"): [0.5, 0.75],
        ("dice", "left_lung"): [0.25, 1.0],
        ("hd95 (mm)", "mean"): [],
        ("hd95 (mm)", "left_lung"): [3.5],
    }


@pytest.mark.parametrize("unit", ["mm", "px"])
def test_the_unit_of_a_distance_stands_with_its_kind_not_with_its_classes(
    tmp_path: Path, figures: list[Figure], unit: str
) -> None:
    draw_scores(tmp_path / "a.png", {"jaccard_inside": [0.5], f"hd95_{unit}_inside": [2.0], f"hd95_{unit}_mean": [2.0]})
    panels = {axes.get_title(): [name.get_text() for name in axes.get_xticklabels()] for axes in figures[0].axes}
    assert panels == {"jaccard": ["inside"], f"hd95 ({unit})": ["inside", "mean"]}


def test_pictures_repeat_and_follow_the_data(tmp_path: Path) -> None:
    curves = [
        read(draw_training_curve(tmp_path / "curve.png", history, "val_mean_dice"))
        for history in (HISTORY, HISTORY, HISTORY[:-1])
    ]
    scores = [
        read(draw_scores(tmp_path / "scores.png", {**SCORES, "dice_mean": values}))
        for values in ([0.5, 0.75], [0.5, 0.75], [0.5, 0.76])
    ]
    for first, again, other in (curves, scores):
        assert first.std() > 10  # lines and letters on white
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
