"""Which images are segmented by which atlases."""

from pathlib import Path

import pytest

from shared.atlases.cases import find_targets, pairs_of
from shared.errors import InputError


def make(root: Path, *names: str) -> Path:
    """Empty files: nothing here reads an image."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_every_atlas_is_paired_with_a_target_and_the_targets_label_takes_no_part(tmp_path: Path) -> None:
    atlases = make(
        tmp_path / "atlases", "imagesTr/a.nii.gz", "labelsTr/a.nii.gz", "imagesTr/b.nii.gz", "labelsTr/b.nii.gz"
    )
    targets = make(tmp_path / "targets", "t.nii.gz", "t_seg.nii.gz")
    (target,) = find_targets(targets, atlases)
    assert target["fixed_label"] == str(targets / "t_seg.nii.gz")
    assert pairs_of(target) == [
        {
            "case": "t",
            "moving": str(atlases / f"imagesTr/{name}.nii.gz"),
            "moving_label": str(atlases / f"labelsTr/{name}.nii.gz"),
            "fixed": str(targets / "t.nii.gz"),
        }
        for name in "ab"
    ]


def test_an_image_is_no_atlas_of_itself_whatever_its_name(tmp_path: Path) -> None:
    atlases = make(tmp_path / "atlases", "a.nii.gz", "a_seg.nii.gz", "b.nii.gz", "b_seg.nii.gz")
    (tmp_path / "link.nii.gz").symlink_to(atlases / "b.nii.gz")
    (target,) = find_targets(tmp_path / "link.nii.gz", atlases)
    assert [Path(pair["moving"]).name for pair in pairs_of(target)] == ["a.nii.gz"]
    assert target["left_out"] == str(atlases / "b.nii.gz")


def test_an_image_that_is_the_only_atlas_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = make(tmp_path, "a.nii.gz", "a_seg.nii.gz")
    with pytest.raises(InputError, match=r"of a: expected an atlas other than the image itself, got none; add"):
        pairs_of(find_targets(folder, folder)[0])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], r"--atlases: expected a folder of images with label maps"),
        (["a.nii.gz", "b.nii.gz"], r"expected a label map for every atlas, .*, got images alone"),
        (["a.nii.gz", "a_seg.nii.gz", "b.nii.gz"], r"expected a label map beside every image .*, got 1 of 2"),
    ],
)
def test_a_folder_without_label_maps_is_refused_in_a_line(tmp_path: Path, names: list[str], words: str) -> None:
    target = make(tmp_path, "t.nii.gz") / "t.nii.gz"
    with pytest.raises(InputError, match=words):
        find_targets(target, make(tmp_path / "atlases", *names))


def test_earlier_results_are_no_images(tmp_path: Path) -> None:
    atlases = make(tmp_path / "atlases", "a.nii.gz", "a_seg.nii.gz")
    make(tmp_path / "own", "t.nii.gz", "results/t.nii.gz")
    cases = find_targets(tmp_path / "own", atlases, output_dir=tmp_path / "own" / "results")
    assert [case["case"] for case in cases] == ["t"]
