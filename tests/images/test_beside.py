"""Labels that lie beside their images."""

from pathlib import Path

import pytest

from shared.errors import InputError
from shared.images.beside import with_labels_beside
from shared.images.cases import find_cases, find_labelled_cases


def make(root: Path, *names: str) -> Path:
    """Empty files: nothing here reads an image."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("ending", ["_seg", "_label", "-labels", ".segmentation", "_SEG", "_gt"])
def test_the_label_of_an_image_may_lie_beside_it(tmp_path: Path, ending: str) -> None:
    make(tmp_path, "a_t1.nii.gz", f"a_t1{ending}.nii", f"s/a_t1{ending}.nii.gz", "s/a_t1.nii.gz")
    assert find_labelled_cases(tmp_path) == [
        {"case": "a_t1", "image": f"{tmp_path}/a_t1.nii.gz", "label": f"{tmp_path}/a_t1{ending}.nii"},
        {"case": "s/a_t1", "image": f"{tmp_path}/s/a_t1.nii.gz", "label": f"{tmp_path}/s/a_t1{ending}.nii.gz"},
    ]


def test_each_contrast_of_a_subject_has_its_own_label(tmp_path: Path) -> None:
    make(tmp_path, *(f"a_{contrast}{end}.nii.gz" for contrast in ("t1", "flair") for end in ("", "_seg")))
    pairs = {Path(case["image"]).name: Path(case["label"]).name for case in find_labelled_cases(tmp_path)}
    assert pairs == {"a_t1.nii.gz": "a_t1_seg.nii.gz", "a_flair.nii.gz": "a_flair_seg.nii.gz"}


def test_folders_of_images_and_labels_come_first(tmp_path: Path) -> None:
    make(tmp_path, "images/a.png", "labels/a.png", "b.png", "b_seg.png")
    assert [case["case"] for case in find_labelled_cases(tmp_path)] == ["images/a"]


def test_names_of_labels_without_an_image_are_images(tmp_path: Path) -> None:
    """As a folder of label maps alone has, from which synthetic images are made; and a mask is no label."""
    make(tmp_path, "training_seg.nii.gz", "b.nii.gz", "b_mask.nii.gz", "_seg.nii.gz")
    assert with_labels_beside(tmp_path, find_cases(tmp_path)) == []


def test_where_there_are_no_labels_the_mask_of_each_image_is_its_label(tmp_path: Path) -> None:
    make(tmp_path, "s/a.tif", "s/a_mask.tif", "b.png", "b_mask.png")
    assert [Path(case["label"]).name for case in find_labelled_cases(tmp_path)] == ["b_mask.png", "a_mask.tif"]


@pytest.mark.parametrize(
    ("more", "got"), [(["b.nii.gz"], "got none"), (["b.nii.gz", "b_seg.nii", "b_label.nii"], "got b_label.nii, b_seg")]
)
def test_an_image_with_no_label_or_with_several_is_reported(tmp_path: Path, more: list[str], got: str) -> None:
    make(tmp_path, "a.nii.gz", "a_seg.nii.gz", *more)
    with pytest.raises(InputError, match=rf"b\.nii\.gz: expected one label beside it, such as b_seg\.\*, {got}"):
        find_labelled_cases(tmp_path)
