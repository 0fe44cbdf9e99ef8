from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from shared.errors import InputError
from shared.images.cases import split_cases
from shared.studies.federated import Federation, mean, write_report
from shared.studies.sites import halves
from tests.running import ROOT

BUNDLE = ROOT / "bundles" / "hippocampus_mr_segmentation"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """16 cases: number i has (i + 5)³ labelled voxels; of 4.5 mm where i is even, else of 1 mm."""
    folder = tmp_path / "labelled"
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(16):
        label = np.zeros((20, 20, 20), np.uint8)
        label[: number + 5, : number + 5, : number + 5] = 1
        affine = np.diag([*[1.0 if number % 2 else 4.5] * 3, 1])
        for part, array in (("imagesTr", label + rng.normal(size=label.shape)), ("labelsTr", label)):
            nib.save(nib.Nifti1Image(array.astype(label.dtype), affine), folder / part / f"{number:02}.nii.gz")
    return folder


def test_sites_differ_by_the_labelled_volume_in_mm_and_share_no_case_with_the_test(labelled: Path) -> None:
    sets = halves(labelled, labelled.parent / "sites", cases=16)
    names = {name: {path.name[:2] for path in (folder / "imagesTr").iterdir()} for name, folder in sets.items()}
    # Of 8 each the first and the fifth, from the smallest on, are kept; the largest odd one has 20³ mm³, 00 has 22.5³.
    assert names["small"] == {"03", "05", "07", "11", "13", "15"}
    assert names["large"] == {"02", "04", "06", "10", "12", "14"}
    assert names["all"] == names["small"] | names["large"]
    kept = sorted(path.name for path in (sets["test"] / "labelsTr").iterdir())
    assert kept == [f"{name}.nii.gz" for name in ("large_00", "large_08", "small_01", "small_09")]
    split = split_cases(sets["all"], fraction=0.5)
    assert [case["case"] for case in split["validation"]] == ["imagesTr/03"]
    with pytest.raises(InputError, match="--cases: expected up to 16, got 18"):
        halves(labelled, labelled.parent / "more", cases=18)


def test_the_mean_of_states_is_in_float32() -> None:
    states = [
        {"w": torch.tensor([1.0, 3.0]), "n": torch.tensor(2)},
        {"w": torch.tensor([3.0, 5.0]), "n": torch.tensor(3)},
    ]
    found = mean(states)
    assert found["w"].tolist() == [2, 4]
    assert found["n"] == 2.5


def test_the_report_has_the_means_by_kind(tmp_path: Path) -> None:
    scores = {name: {"small_a": 0.5, "small_b": 0.7, "large_c": high} for name, high in
              zip(("small", "large", "together", "all"), (0.3, 0.9, 0.8, 0.6))}  # fmt: skip
    text = write_report(tmp_path, scores, Federation(BUNDLE, tmp_path, 3, 4, {}), cases=11, command="python x.py")
    assert "| the site of small ones alone | 0.600 | 0.300 | 0.500 |" in text
    assert "one large ones, 4 cases each" in text
    # 0.5, 0.7 and 0.3 have a standard deviation of 0.2, as wide as any of the four: 0.2 / √3.
    assert "about 0.115" in text


@pytest.mark.slow
def test_sites_learn_together_what_is_then_scored(labelled: Path) -> None:
    sets = halves(labelled, labelled.parent / "sites", cases=16)
    federation = Federation(BUNDLE, labelled.parent / "out", 2, 1, {"network_def#filters": [4, 8]})
    weights = federation.learned("together", [sets["small"], sets["large"]])
    alone = federation.learned("small", [sets["small"]])
    states = [torch.load(path, weights_only=True) for path in (weights, alone)]
    assert any(not torch.equal(states[0][name], states[1][name]) for name in states[0])
    scores = federation.scores(weights, sets["test"])
    assert scores.keys() == {"large_00", "large_08", "small_01", "small_09"}
