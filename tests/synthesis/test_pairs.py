from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from shared.synthesis.brain import brain_labels
from shared.synthesis.dataset import SyntheticDataset
from shared.synthesis.pairs import SyntheticPairs

OPTIONS = {"labels_of": partial(brain_labels, learned=[0, 2, 41]), "size": [8, 8, 8], "spacing": 2.0, "seed": 3}


@pytest.fixture
def cases(tmp_path: Path) -> list[dict[str, str]]:
    ids = np.zeros((12, 12, 12), dtype=np.int16)
    ids[1:6, 1:11, 1:11], ids[6:11, 1:11, 1:11] = 2, 41
    nib.save(nib.Nifti1Image(ids, np.diag([2.0, 2, 2, 1])), tmp_path / "map.nii.gz")
    return [{"image": str(tmp_path / "map.nii.gz")}]


def test_a_pair_is_two_synthetic_images_drawn_one_after_another(cases: list[dict[str, str]]) -> None:
    pairs = SyntheticPairs(cases, samples=3, **OPTIONS)  # type: ignore[arg-type]
    images = SyntheticDataset(cases, samples=6, **OPTIONS)  # type: ignore[arg-type]
    for key in ("image", "label"):
        assert torch.equal(pairs[1][key], torch.cat([images[2][key], images[3][key]]))
    assert not torch.equal(*pairs[1]["image"])


def test_another_epoch_has_other_pairs_and_the_same_one_the_same(cases: list[dict[str, str]]) -> None:
    pairs = SyntheticPairs(cases, samples=2, **OPTIONS)  # type: ignore[arg-type]
    first = pairs[0]["image"]
    pairs.set_epoch(2)
    assert not torch.equal(first, pairs[0]["image"])
    pairs.set_epoch(1)
    assert torch.equal(first, pairs[0]["image"])
