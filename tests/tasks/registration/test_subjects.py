"""Which images of a folder are subjects, which label maps are theirs, and which pairs are made of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.images.cases import Case
from shared.tasks.registration.subjects import find_subjects, pair_of, ring_of_pairs, select_pairs, split_subjects


def make(root: Path, *names: str) -> Path:
    """Empty files: nothing here reads an image."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def found(root: Path, label_suffix: str = "") -> dict[str, tuple[str, ...]]:
    """Subject -> its image and, where there is one, its label, as paths below `root`."""
    subjects = find_subjects(root, label_suffix)
    assert all({"case", "image"} <= subject.keys() <= {"case", "image", "label"} for subject in subjects)
    paths = [[subject[key] for key in ("image", "label") if key in subject] for subject in subjects]
    return {
        subject["case"]: tuple(Path(path).relative_to(root).as_posix() for path in own)
        for subject, own in zip(subjects, paths)
    }


def refused(words: str) -> Any:
    return pytest.raises(InputError, match=rf"\A[^\n]*expected [^\n]*{re.escape(words)}[^\n]*\Z")


@pytest.mark.parametrize(("images", "labels"), [("imagesTr", "labelsTr"), ("images", "labels")])
def test_labels_lie_in_a_folder_beside_that_of_the_images(tmp_path: Path, images: str, labels: str) -> None:
    make(tmp_path, f"{images}/b.tif", f"{labels}/b.png", f"{images}/s/a.nii.gz", f"{labels}/s/a.nii")
    assert found(tmp_path) == {
        "b": (f"{images}/b.tif", f"{labels}/b.png"),
        "s/a": (f"{images}/s/a.nii.gz", f"{labels}/s/a.nii"),
    }


def oasis(root: Path, count: int = 2) -> Path:
    """Folders as Neurite-OASIS has them: a slice and two label maps a subject."""
    files = ("slice_norm.nii.gz", "slice_seg4.nii.gz", "slice_seg24.nii.gz")
    return make(root, *(f"OASIS_{number}/{file}" for number in range(count) for file in files))


@pytest.mark.parametrize("suffix", ["_seg24", "_seg4", "24"])
def test_an_image_with_a_folder_for_itself_bears_its_name_and_a_suffix_chooses_of_its_labels(
    tmp_path: Path, suffix: str
) -> None:
    chosen = "slice_seg4" if suffix == "_seg4" else "slice_seg24"
    assert found(oasis(tmp_path), suffix) == {
        f"OASIS_{number}": (f"OASIS_{number}/slice_norm.nii.gz", f"OASIS_{number}/{chosen}.nii.gz")
        for number in range(2)
    }


@pytest.mark.parametrize("suffix", ["", "_seg", "_seg2"])
def test_several_labels_of_which_the_suffix_chooses_none_are_refused(tmp_path: Path, suffix: str) -> None:
    words = "one label map beside it, got slice_seg24.nii.gz, slice_seg4.nii.gz; choose one by its ending with --label_"
    with refused(words):
        find_subjects(oasis(tmp_path), suffix)


@pytest.mark.parametrize("ending", ["_seg", "-label", "_labels", ".mask", "_segmentation", "_SEG24"])
def test_in_a_folder_of_many_a_label_is_called_after_its_image(tmp_path: Path, ending: str) -> None:
    make(tmp_path, "a.nii.gz", f"a{ending}.nii.gz", "a_2.nrrd", f"a_2{ending}.mha")  # of other formats, too
    assert found(tmp_path) == {"a": ("a.nii.gz", f"a{ending}.nii.gz"), "a_2": ("a_2.nrrd", f"a_2{ending}.mha")}


def test_a_label_alone_with_its_image_needs_not_its_name(tmp_path: Path) -> None:
    make(tmp_path, "1/t1.nii.gz", "1/label.nii.gz", "2/deep/t1.nii.gz", "2/deep/manual_mask.nii.gz")
    assert found(tmp_path) == {
        "1": ("1/t1.nii.gz", "1/label.nii.gz"),
        "2/deep": ("2/deep/t1.nii.gz", "2/deep/manual_mask.nii.gz"),
    }


def test_images_whose_names_only_resemble_a_labels_are_images(tmp_path: Path) -> None:
    names = ("labelled", "seg_a", "unmask", "a_segment")
    assert found(make(tmp_path, *(f"{name}.png" for name in names))) == {
        name: (f"{name}.png",) for name in sorted(names)
    }


def test_without_labels_there_are_images_alone(tmp_path: Path) -> None:
    make(tmp_path, "b.nii.gz", "sub/a.nii.gz", "sub/c.nii.gz", "alone/x.nii")
    assert found(tmp_path) == {
        "alone": ("alone/x.nii",), "b": ("b.nii.gz",), "sub/a": ("sub/a.nii.gz",), "sub/c": ("sub/c.nii.gz",)
    }  # fmt: skip


def test_pictures_beside_scans_are_no_subjects(tmp_path: Path) -> None:
    make(tmp_path, "sub-01.nii.gz", "sub-01.png", "sub-02.nii.gz", "preview.jpg")
    assert found(tmp_path) == {"sub-01": ("sub-01.nii.gz",), "sub-02": ("sub-02.nii.gz",)}


def test_labels_for_some_images_or_for_none_and_no_image_at_all_are_refused(tmp_path: Path) -> None:
    with refused("a label map beside every image or beside none, got 1 of 2; add the missing ones"):
        find_subjects(make(tmp_path / "some", "a.png", "a_mask.png", "b.png"))
    with refused("images, got label maps alone; check --dataset_dir"):
        find_subjects(make(tmp_path / "labels", "a_mask.png", "b_seg.png"))
    (tmp_path / "empty").mkdir()
    with refused("got 0 files, none of them an image"):
        find_subjects(tmp_path / "empty")


def names(subjects: list[Case]) -> list[str]:
    return [subject["case"] for subject in subjects]


@pytest.mark.parametrize(
    ("count", "fraction", "expected"),
    [(4, 0.15, 2), (4, 0.5, 2), (20, 0.15, 3), (20, 0.01, 2), (20, 0.9, 18)],  # the nearest number, at least two
)
def test_both_parts_have_two_or_more_which_are_all_and_no_one_twice(
    tmp_path: Path, count: int, fraction: float, expected: int
) -> None:
    parts = split_subjects(oasis(tmp_path, count), label_suffix="_seg24", fraction=fraction)
    assert len(parts["validation"]) == expected
    assert sorted(names(parts["training"] + parts["validation"])) == sorted(f"OASIS_{n}" for n in range(count))
    assert parts["all"] == find_subjects(tmp_path, "_seg24")
    assert all(subject in parts["all"] for part in ("training", "validation") for subject in parts[part])


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_three_subjects_are_too_few_for_two_parts_of_pairs(tmp_path: Path, fraction: float) -> None:
    with refused("at least 2 cases for training, got 3 cases in all; add cases"):
        split_subjects(oasis(tmp_path, 3), label_suffix="_seg4", fraction=fraction)


def test_the_split_is_by_the_seed(tmp_path: Path) -> None:
    make(tmp_path, *(f"{number:02}.png" for number in range(20)))
    chosen = [names(split_subjects(tmp_path, seed=seed)["validation"]) for seed in (0, 1, 2)]
    assert chosen == [names(split_subjects(tmp_path, seed=seed)["validation"]) for seed in (0, 1, 2)]
    assert len({tuple(choice) for choice in chosen}) > 1


def test_a_validation_list_decides_whatever_the_seed(tmp_path: Path) -> None:
    decathlon = make(tmp_path / "d", *(f"{part}/c{n}.nii.gz" for n in range(6) for part in ("imagesTr", "labelsTr")))
    (decathlon / "dataset.json").write_text('{"validation": [{"image": "./imagesTr/c4.nii.gz"}, "imagesTr/c1.nii.gz"]}')
    folders = oasis(tmp_path / "o", 6)
    (folders / "dataset.json").write_text(json.dumps({"validation": ["OASIS_5", "OASIS_0"]}))
    for seed in range(3):
        assert names(split_subjects(decathlon, seed=seed)["validation"]) == ["c1", "c4"]
        parts = split_subjects(folders, label_suffix="_seg24", seed=seed)
        assert names(parts["validation"]) == ["OASIS_0", "OASIS_5"]
        assert names(parts["training"]) == ["OASIS_1", "OASIS_2", "OASIS_3", "OASIS_4"]
    (folders / "dataset.json").write_text('{"validation": ["OASIS_5"]}')  # of one there is no pair
    with refused("at least 2 cases for validation"):
        split_subjects(folders, label_suffix="_seg24")


def subjects(count: int) -> list[Case]:
    return [{"case": f"c{n}", "image": f"c{n}.nii", "label": f"c{n}_seg.nii"} for n in range(count)]


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_ring_has_each_subject_once_moving_and_once_fixed_and_leads_through_all(count: int, seed: int) -> None:
    pairs = ring_of_pairs(subjects(count), seed)
    following = {pair["moving"]: pair["fixed"] for pair in pairs}
    images = [subject["image"] for subject in subjects(count)]
    assert len(pairs) == count
    assert sorted(following) == sorted(following.values()) == images
    place, seen = images[0], set()
    for _ in range(count):  # one ring and not several: after as many steps as subjects, all were seen
        seen.add(place)
        place = following[place]
    assert (len(seen), place) == (count, images[0])  # so that none is its own partner
    assert all(pair[f"{role}_label"] == pair[role].replace(".nii", "_seg.nii")
               for pair in pairs for role in ("moving", "fixed"))  # fmt: skip


def test_the_order_of_a_ring_is_by_the_seed() -> None:
    rings = [names(ring_of_pairs(subjects(7), seed)) for seed in range(4)]
    assert rings == [names(ring_of_pairs(subjects(7), seed)) for seed in range(4)]
    assert len({tuple(ring) for ring in rings}) > 1


def test_a_pair_has_the_keys_of_the_table_of_pairs_and_an_id_that_can_name_a_folder() -> None:
    moving, fixed = {"case": "s/a", "image": "a.nii", "label": "l.nii"}, {"case": "b", "image": "b.nii"}
    assert pair_of(moving, fixed) == {
        "case": "s_a_to_b", "moving": "a.nii", "moving_label": "l.nii", "fixed": "b.nii"
    }  # fmt: skip


def test_a_table_of_pairs_is_preferred_to_the_images_beside_it(tmp_path: Path) -> None:
    folder = make(tmp_path, *(f"{n}.png" for n in range(6)))
    (folder / "pairs.csv").write_text("moving,fixed\n3.png,1.png\n")
    expected = [{"case": "3_to_1", "moving": str(folder / "3.png"), "fixed": str(folder / "1.png")}]
    for given in (folder, folder / "pairs.csv"):
        for part in ("all", "validation"):
            assert select_pairs(given, part=part) == expected


@pytest.mark.parametrize("part", ["all", "training", "validation"])
def test_a_part_makes_a_ring_of_its_own_subjects(tmp_path: Path, part: str) -> None:
    oasis(tmp_path, 10)
    members = split_subjects(tmp_path, label_suffix="_seg24", fraction=0.3, seed=2)[part]
    pairs = select_pairs(tmp_path, part=part, label_suffix="_seg24", fraction=0.3, seed=2)
    assert pairs == ring_of_pairs(members, 2)
    assert len(pairs) == {"all": 10, "training": 7, "validation": 3}[part]


def test_a_part_of_another_name_and_a_single_image_make_no_pairs(tmp_path: Path) -> None:
    with refused("one of training, validation, all, got 'test'; choose one of these"):
        select_pairs(oasis(tmp_path / "o", 4), part="test", label_suffix="_seg4")
    with refused("pairs.csv, or two images or more, got one image; add images"):
        select_pairs(make(tmp_path / "one", "a.png"))


@pytest.mark.parametrize("name", ["a.nii.gz", "series"])
def test_the_one_image_or_series_that_the_path_names_is_a_subject(tmp_path: Path, name: str) -> None:
    """As it is a case for `find_cases`."""
    if name == "series":
        (tmp_path / name).mkdir()
        (tmp_path / name / "IM0").write_bytes(bytes(128) + b"DICM")  # what part 10 of the standard calls DICOM
    else:
        make(tmp_path, name)
    assert find_subjects(tmp_path / name) == [{"case": name.partition(".")[0], "image": str(tmp_path / name)}]


@pytest.mark.parametrize("files", [("a.png", "a/x.png", "b.png"), ("s/a.png", "s/c.png", "s_a.png", "b.png")])
def test_no_two_pairs_of_a_ring_share_an_id(tmp_path: Path, files: tuple[str, ...]) -> None:
    """Their results would lie in one folder: such names are refused, or told apart."""
    make(tmp_path, *files)
    for seed in range(6):
        try:
            ids = names(ring_of_pairs(find_subjects(tmp_path), seed))
        except InputError:
            continue
        assert all(moving != fixed for moving, fixed in (name.split("_to_") for name in ids))
        assert len(set(ids)) == len(ids)


def test_a_validation_list_of_the_decathlon_decides_without_labels_too(tmp_path: Path) -> None:
    make(tmp_path, *(f"imagesTr/c{n}.nii.gz" for n in range(6)))
    (tmp_path / "dataset.json").write_text('{"validation": ["./imagesTr/c4.nii.gz", "./imagesTr/c1.nii.gz"]}')
    assert [Path(s["image"]).name for s in split_subjects(tmp_path)["validation"]] == ["c1.nii.gz", "c4.nii.gz"]
