"""Label maps come into memory upright, cropped and centred, whatever the file's orientation."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from shared.errors import InputError
from shared.synthesis.dataset import SyntheticDataset
from shared.synthesis.labels import Labels
from shared.synthesis.maps import read_label_maps, split_label_maps


def labels_of(ids: object) -> Labels:
    return Labels.make(ids, learned=[0, 2, 41], sides={2: 41}, merged={}, tissues={"brain": [2]})  # type: ignore[arg-type]


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """30 × 40 × 50 voxels of 2 mm: skin (507) from 5 to 24, in it left (2) below x = 12 and right (41) above."""
    ids = np.zeros((30, 40, 50), np.uint16)
    ids[5:25, 8:30, 10:40] = 507
    ids[8:12, 12:20, 15:30] = 2
    ids[12:22, 12:20, 15:30] = 41
    nib.save(nib.Nifti1Image(ids, np.diag([2.0, 2.0, 2.0, 1.0])), tmp_path / "head.nii.gz")
    return tmp_path / "head.nii.gz"


def turned(path: Path, axes: str) -> Path:
    image = nib.Nifti1Image.from_filename(path)
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axes))
    other = path.with_name(f"{axes}.nii.gz")
    nib.save(image.as_reoriented(turn), other)
    return other


def test_a_map_is_cropped_to_what_is_in_it_and_centred_on_what_is_learned(head: Path) -> None:
    labels, (label_map,) = read_label_maps([head], labels_of)
    assert labels.ids.tolist() == [0, 2, 41, 507]
    assert label_map.indices.shape == (22, 24, 32)  # a voxel of margin on either side
    assert label_map.indices.dtype == torch.uint8
    assert label_map.spacing == 2
    # x: 8 … 21 of the file are 4 … 17 of the crop; y: 12 … 19 are 5 … 12; z: 15 … 29 are 6 … 20.
    assert label_map.centre.tolist() == pytest.approx([10.5, 8.5, 13])


def test_orientation_in_the_file_does_not_matter(head: Path) -> None:
    _, (upright,) = read_label_maps([head], labels_of)
    for axes in ("LIA", "PSR"):
        _, (same,) = read_label_maps([turned(head, axes)], labels_of)
        assert torch.equal(same.indices, upright.indices)


def test_label_maps_are_those_of_a_folder_or_the_labels_of_images(head: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        for folder in ("maps", "set/imagesTr", "set/labelsTr"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / f"{name}.nii.gz").write_bytes(head.read_bytes())
    plain, labelled = (split_label_maps(tmp_path / folder, fraction=0.3) for folder in ("maps", "set"))
    for parts, folder in ((plain, "maps"), (labelled, "set/labelsTr")):
        assert {Path(case["image"]).parent for case in parts["all"]} == {tmp_path / folder}
        assert [len(parts[part]) for part in ("training", "validation", "all")] == [2, 1, 3]


def test_images_with_labels_beside_them_are_not_label_maps(head: Path, tmp_path: Path) -> None:
    (tmp_path / "head_seg.nii.gz").write_bytes(head.read_bytes())
    (tmp_path / "b.nii.gz").write_bytes(head.read_bytes())
    (tmp_path / "b_seg.nii.gz").write_bytes(head.read_bytes())
    found = split_label_maps(tmp_path)["all"]
    assert [Path(case["image"]).name for case in found] == ["b_seg.nii.gz", "head_seg.nii.gz"]


def test_what_cannot_be_painted_is_refused(head: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), np.diag([1.0, 1.0, 3.0, 1.0])), flat)
    with pytest.raises(InputError, match="cubic"):
        read_label_maps([flat], labels_of)
    empty = tmp_path / "empty.nii.gz"
    nib.save(nib.Nifti1Image(np.full((9, 9, 9), 507, np.uint16), np.eye(4)), empty)
    with pytest.raises(InputError, match="none of them"):
        read_label_maps([head, empty], labels_of)


def test_samples_depend_on_seed_epoch_and_index_alone(head: Path) -> None:
    def dataset(seed: int) -> SyntheticDataset:
        return SyntheticDataset([{"image": str(head)}], labels_of, size=[16] * 3, spacing=4.0, samples=3, seed=seed)

    one, same, other = dataset(0), dataset(0), dataset(1)
    assert len(one) == 3
    assert torch.equal(one[2]["image"], same[2]["image"])
    assert not torch.equal(one[2]["image"], one[1]["image"])
    assert not torch.equal(one[2]["image"], other[2]["image"])
    same.set_epoch(2)
    assert not torch.equal(one[2]["image"], same[2]["image"])
    same.set_epoch(1)
    assert torch.equal(one[2]["label"], same[2]["label"])


def test_ranges_widen_over_the_first_epochs(head: Path) -> None:
    growing = SyntheticDataset(
        [{"image": str(head)}], labels_of, size=[16] * 3, spacing=4.0, samples=1, seed=0, widening_epochs=4,
        ranges={"rotation": 20},
    )  # fmt: skip
    assert growing.synthesiser.widened(growing.width).ranges.rotation == 5
    growing.set_epoch(9)
    assert growing.synthesiser.widened(growing.width).ranges.rotation == 20
