import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, gaussian_filter
from scipy.spatial.distance import cdist
from torch import Tensor

from shared.tasks.segmentation.metrics import mean_dice, segmentation_scores


def boxes(shape: tuple[int, ...], *corners: tuple[int, ...], size: int = 2) -> Tensor:
    """Class 1 in a box of `size` voxels a side at the first corner, class 2 at the second, and so on."""
    labels = torch.zeros(shape, dtype=torch.uint8)
    for index, corner in enumerate(corners, start=1):
        labels[tuple(slice(c, c + size) for c in corner)] = index
    return labels


@pytest.mark.parametrize(
    ("corner", "hd95"),
    [
        ((2, 4), 0.5),  # one column along
        ((3, 3), 2.0),  # one row down
    ],
)
def test_squares_of_four_pixels_that_share_two(corner: tuple[int, int], hd95: float) -> None:
    a, b = boxes((6, 8), (2, 3)), boxes((6, 8), corner)
    scores = segmentation_scores(a, b, class_names=["background", "it"], spacing=(2.0, 0.5))
    # Dice 2 · 2 / (4 + 4), Jaccard 2 / 6. Two pixels of each are off by one step, which is 2 mm down and 0.5 mm along.
    assert scores == pytest.approx(
        {f"{metric}_{name}": value for metric, value in (("dice", 1 / 2), ("jaccard", 1 / 3), ("hd95_mm", hd95))
         for name in ("it", "mean")}
    )  # fmt: skip


def test_the_first_class_is_scored_too_where_it_is_included_and_counts_in_the_means() -> None:
    a, b = boxes((6, 8), (2, 3)), boxes((6, 8), (2, 4))  # one column along, so that two of four pixels are shared
    scores = segmentation_scores(
        a, b, class_names=["around", "it"], spacing=(2.0, 0.5), unit="px", include_background=True
    )
    # Around are 48 - 4 pixels of each and 48 - 6 of both: Dice 2 · 42 / 88, Jaccard 42 / 46. Its surface is the 24
    # pixels of the border and the 8 beside the square, of which 6 have the nearest of the other's a column of 0.5 away:
    # more than one in twenty. The same holds for the square, of which 2 of 4 have.
    around, it = (
        {"dice": 84 / 88, "jaccard": 42 / 46, "hd95_px": 0.5},
        {"dice": 1 / 2, "jaccard": 1 / 3, "hd95_px": 0.5},
    )
    expected = {f"{metric}_{name}": part[metric] for name, part in (("around", around), ("it", it)) for metric in part}
    expected |= {f"{metric}_mean": (around[metric] + it[metric]) / 2 for metric in it}
    assert scores == pytest.approx(expected)


def test_a_first_class_that_fills_the_reference_has_scores_where_the_others_are_missing() -> None:
    a, b = boxes((5, 4), (1, 1)), boxes((5, 4))
    scores = segmentation_scores(a, b, class_names=["around", "it"], spacing=(1, 1), include_background=True)
    assert scores["dice_around"] == pytest.approx(2 * 16 / 36)
    assert (scores["dice_it"], scores["jaccard_mean"]) == (0, pytest.approx(16 / 20 / 2))
    assert math.isnan(scores["hd95_mm_it"])
    # Of the 20 pixels around the square 16 are seen: each has a place; the mean leaves out what does not exist.
    assert scores["hd95_mm_mean"] == scores["hd95_mm_around"] > 0


def test_hd95_is_a_percentile_of_distances_not_the_farthest() -> None:
    a, b = boxes((4, 4, 9), (1, 1, 1), size=1), boxes((4, 4, 9), (1, 1, 1), size=1)
    a[1, 1, 5] = 1
    scores = segmentation_scores(a, b, class_names=["background", "it"], spacing=(1.0, 1.0, 3.0))
    # From a to b 0 and 4 · 3 mm, of which the 95th percentile is 0.95 · 12; from b to a 0; the larger counts.
    assert scores["hd95_mm_it"] == pytest.approx(11.4)
    assert scores["dice_it"] == pytest.approx(2 / 3)  # 2 · 1 / (2 + 1)
    assert scores["jaccard_it"] == pytest.approx(1 / 2)


def test_means_are_over_classes_and_over_the_distances_that_exist() -> None:
    a, b = boxes((9, 9), (0, 0), (3, 3), (6, 6)), boxes((9, 9), (0, 0), (3, 4))
    scores = segmentation_scores(a, b, class_names=["background", "x", "y", "z", "nowhere"], spacing=(1, 1))
    dice = {name: scores[f"dice_{name}"] for name in ("x", "y", "z", "nowhere", "mean")}
    # Found, half found, made up, rightly not found; mean 2.5 / 4.
    assert dice == pytest.approx({"x": 1, "y": 0.5, "z": 0, "nowhere": 1, "mean": 0.625})
    assert scores["jaccard_mean"] == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)
    assert scores["hd95_mm_mean"] == pytest.approx((0 + 1) / 2)
    assert math.isnan(scores["hd95_mm_z"])
    assert math.isnan(scores["hd95_mm_nowhere"])


@pytest.mark.parametrize("missing", ["labels", "reference", "both"])
def test_a_missing_class_has_no_distance(missing: str) -> None:
    full, empty = boxes((5, 5), (1, 2)), boxes((5, 5))
    a = full if missing == "reference" else empty
    b = full if missing == "labels" else empty
    scores = segmentation_scores(a, b, class_names=["background", "it"], spacing=(1, 1))
    overlap = float(missing == "both")  # nothing was to be found and nothing was
    assert (scores["dice_it"], scores["jaccard_it"]) == (overlap, overlap)
    assert math.isnan(scores["hd95_mm_it"])
    assert math.isnan(scores["hd95_mm_mean"])


@pytest.mark.parametrize(("shape", "spacing"), [((24, 31), (0.4, 1.5)), ((12, 9, 14), (3.0, 0.7, 1.2))])
def test_scores_equal_those_of_set_arithmetic_and_of_all_pairs_of_surface_voxels(
    shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(0)
    base = gaussian_filter(rng.normal(size=shape), 1.5)
    a, b = (base + 0.5 * gaussian_filter(rng.normal(size=shape), 1.5) > 0.05 for _ in range(2))  # reach the border too
    scores = segmentation_scores(
        torch.from_numpy(a), torch.from_numpy(b), class_names=["background", "it"], spacing=spacing
    )
    # A surface voxel has a neighbour outside, face to face; beyond the border is outside.
    surfaces = [np.argwhere(m & ~binary_erosion(m)) * spacing for m in (a, b)]
    pairs = cdist(*surfaces)
    directed = [np.percentile(pairs.min(axis=axis), 95) for axis in (0, 1)]
    assert min(directed) > 0
    assert directed[0] != directed[1]
    expected = {"dice": 2 * (a & b).sum() / (a.sum() + b.sum()), "jaccard": (a & b).sum() / (a | b).sum()}
    for metric, value in (expected | {"hd95_mm": max(directed)}).items():
        assert scores[f"{metric}_it"] == pytest.approx(value, rel=1e-5)  # computed in float32


def test_label_maps_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 5\) and \(5, 4\)"):
        segmentation_scores(torch.zeros(4, 5), torch.zeros(5, 4), class_names=["background", "it"], spacing=(1, 1))


def test_a_class_that_the_reference_lacks_is_not_scored_where_that_is_asked_for() -> None:
    a, b = boxes((6, 8), (2, 3), (4, 6)), boxes((6, 8), (2, 3))
    every, known = (
        segmentation_scores(a, b, class_names=["0", "it", "other"], spacing=(1, 1), only_in_reference=only)
        for only in (False, True)
    )
    assert (every["dice_other"], every["dice_mean"]) == (0, 0.5)
    assert math.isnan(known["dice_other"])
    assert math.isnan(known["jaccard_other"])
    assert (known["dice_it"], known["dice_mean"], known["hd95_mm_mean"]) == (1, 1, 0)


def test_distances_of_masks_at_the_border_of_an_image_are_those_of_the_image() -> None:
    """The box in which distances are measured ends where the image does, and has a margin elsewhere."""
    a, b = boxes((7, 9), (0, 0), size=3), boxes((7, 9), (0, 2), size=3)
    inner_a, inner_b = (torch.nn.functional.pad(m, (4, 4, 4, 4)) for m in (a, b))
    at_border, inside = (
        segmentation_scores(*pair, class_names=["0", "it"], spacing=(1, 2))["hd95_mm_it"]
        for pair in ((a, b), (inner_a, inner_b))
    )
    assert at_border == inside == 4  # two columns of 2 mm


def test_the_mean_dice_is_over_the_classes_of_the_reference() -> None:
    labels, reference = np.array([0, 1, 1, 2, 3, 3]), np.array([0, 1, 1, 1, 2, 0])
    # Class 1: 2 · 2 / (2 + 3); 2 is where it is not; 3 is not drawn.
    assert mean_dice(labels, reference, 4) == pytest.approx((0.8 + 0) / 2)
    assert np.isnan(mean_dice(labels, 0 * reference, 4))
