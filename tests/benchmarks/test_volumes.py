"""The synthetic pair: it can be registered, and is."""

import re
from pathlib import Path

import torch

from shared.benchmarks.volumes import measure_volume, synthetic_pair


def test_the_pair_is_between_0_and_1_differs_and_is_the_same_each_time() -> None:
    moving, fixed = synthetic_pair((24, 28, 32))
    for image in (moving, fixed):
        assert image.shape == (24, 28, 32)
        assert image.min() >= 0
        assert image.max() <= 1
    assert (moving - fixed).square().mean() > 0.1 * moving.var()
    torch.testing.assert_close(synthetic_pair((24, 28, 32)), (moving, fixed), rtol=0, atol=0)


def test_a_registered_pair_is_nearer_and_its_seconds_are_given(root: Path) -> None:
    table = measure_volume(root / "bundles" / "brain_mr_nodeo_registration", size=(32, 40, 36), threads=1)
    before, after = map(float, re.findall(r"from ([\d.e-]+) to ([\d.e-]+)\.$", table.notes[0])[0])
    assert after < before / 2  # a wrong sign would make it larger
    alone, whole = table.rows
    assert alone["pair_s"] > 0
    assert whole["pair_s"] > 0
    assert "32 × 40 × 36" in table.caption
