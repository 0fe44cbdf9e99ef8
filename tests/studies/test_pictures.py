from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.studies.pictures import draw_comparison, draw_curves


def test_a_curve_is_the_mean_of_its_repetitions_and_its_shade_their_range(tmp_path: Path, figures: list) -> None:
    curves = {"U-Net": ([1, 2], [[0.2, 0.4], [0.4, 0.8]])}
    draw_curves(tmp_path / "a.png", {"epoch": curves, "level": curves}, ylabel="Jaccard", baseline="U-Net")
    first, second = figures[0].axes
    for axes in (first, second):
        np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.3, 0.6])
        shade = axes.collections[0].get_paths()[0].vertices
        assert (shade[:, 1].min(), shade[:, 1].max()) == pytest.approx((0.2, 0.8))
        np.testing.assert_allclose(axes.lines[1].get_ydata(), 0.99 * 0.6)
    assert (first.get_xlabel(), second.get_xlabel(), first.get_ylabel()) == ("epoch", "level", "Jaccard")


def test_panels_may_stand_in_several_rows_and_name_their_levels(tmp_path: Path, figures: list) -> None:
    curves = {"U-Net": ([1, 2], [[0.2, 0.4]])}
    draw_curves(tmp_path / "a.png", dict.fromkeys("abc", curves), ylabel="Dice", columns=2, ticks={"c": ["no", "all"]})
    first, _, third = figures[0].axes
    assert (first.get_ylabel(), third.get_ylabel()) == ("Dice", "Dice")
    assert [label.get_text() for label in third.get_xticklabels()] == ["no", "all"]


def test_label_maps_are_black_where_they_are_class_0_even_if_that_is_all_they_hold(
    tmp_path: Path, figures: list
) -> None:
    ones, zeros = np.ones((8, 8), dtype=np.uint8), np.zeros((8, 8), dtype=np.uint8)
    image = np.linspace(0, 900, 64, dtype=np.float32).reshape(8, 8)
    path = draw_comparison(tmp_path / "a.png", {"easy": {"image": (image, ""), "A": (ones, "x"), "B": (zeros, "")}})
    axes = figures[0].axes
    assert [tuple(axes[i].images[0].get_clim()) for i in (1, 2)] == [(0, 1), (0, 1)]
    assert tuple(axes[0].images[0].get_clim()) == (0, 900)
    assert [a.get_title() for a in axes] == ["image", "A\nx", "B"]
    assert Image.open(path).width > Image.open(path).height
