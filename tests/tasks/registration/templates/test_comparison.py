"""Two groups of maps: effect sizes and false discoveries by their definitions, and tables that name two groups."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_ind

from shared.errors import InputError
from shared.tasks.registration.templates.comparison import groups_in
from shared.tasks.registration.templates.effects import Moments, effect_size, q_values

SIZE = (20, 30)
INSIDE = np.arange(600).reshape(SIZE) < 500


def groups() -> tuple[np.ndarray, np.ndarray]:
    """9 and 7 maps of noise, of which the second ones are larger by 2 deviations in the first 100 voxels."""
    generator = np.random.default_rng(0)
    first, second = (generator.normal(size=(count, *SIZE)) for count in (9, 7))
    second.reshape(7, -1)[:, :100] += 2
    return first, second


def moments(maps: np.ndarray) -> Moments:
    sums = Moments()
    for values in maps:
        sums.add(values)
    return sums


def test_the_effect_size_is_the_difference_in_pooled_deviations() -> None:
    first, second = groups()
    pooled = np.sqrt((8 * first.var(axis=0, ddof=1) + 6 * second.var(axis=0, ddof=1)) / 14)
    expected = (second.mean(axis=0) - first.mean(axis=0)) / pooled * (1 - 3 / (4 * 14 - 1))
    np.testing.assert_allclose(effect_size(moments(first), moments(second)), expected, rtol=1e-9)


def test_a_voxel_that_is_the_same_in_all_has_no_effect_and_does_not_differ() -> None:
    same = moments(np.ones((3, *SIZE)))
    assert not effect_size(same, same).any()
    assert (q_values(same, same, inside=INSIDE) == 1).all()


def test_q_values_are_those_of_benjamini_and_hochberg_inside() -> None:
    first, second = groups()
    q = q_values(moments(first), moments(second), inside=INSIDE)
    p = ttest_ind(second, first, equal_var=False).pvalue[INSIDE]
    order = p.argsort()
    stepped = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    np.testing.assert_allclose(q[INSIDE][order], np.minimum(stepped, 1), rtol=1e-9)
    assert (q[~INSIDE] == 1).all()
    found = q <= 0.05
    assert found.flat[:100].sum() > 60  # of 100; a difference of 2 deviations is seen in most of them with 16 maps
    assert found.flat[100:].sum() <= 10  # 5 % of what is found, and chance


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_cases_without_a_group_are_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "groups.csv", "id,age,group", "1,20,young", "2,80,old", "3,50,", "01,30,young")
    assert groups_in(path) == {"1": "young", "2": "old", "01": "young"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["id,age", "1,20"], "a table with the columns id, group, got id, age"),
        (["id,group", "1,a", "1,b"], "each id once, got one again"),
        (["id,group", "1,a", "2,a"], "two groups, got a;"),
        (["id,group", "1,a", "2,b", "3,c"], "two groups, got a, b, c;"),
        (["id,group"], "a table with the columns id, group, got none"),
    ],
)
def test_a_table_of_other_than_two_groups_is_refused(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(InputError, match=rf"groups\.csv: expected {re.escape(words)}"):
        groups_in(table(tmp_path / "groups.csv", *lines))
