"""Which files of a folder are cases, what they are called, and which of them train and validate."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from shared.errors import InputError
from shared.images.cases import find_cases, find_labelled_cases, select_cases, split_by_name, split_cases, survey


def make(root: Path, *names: str) -> Path:
    """Empty files: nothing here reads an image. A name ending in / makes a folder."""
    for name in names:
        (root / name if name.endswith("/") else (root / name).parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            (root / name).write_bytes(b"")
    return root


def dicom(path: Path) -> Path:
    """A file that part 10 of the standard calls DICOM: 128 bytes of anything, then its magic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(128) + b"DICM")
    return path


def found(root: Path, output_dir: Path | None = None) -> dict[str, str]:
    """Case name -> path of its image below `root`, in the order in which they were found."""
    cases = find_cases(root, output_dir)
    assert len({case["case"] for case in cases}) == len(cases)
    return {case["case"]: Path(case["image"]).relative_to(root).as_posix() for case in cases}


def refused(words: str, path: Path) -> Any:
    """Expect an InputError of one line that names `path`, what was expected, what was given, and a fix."""
    line = rf"(?s)\A{re.escape(str(path))}: expected (?!.*\n).*{words}.*\Z"
    return pytest.raises(InputError, match=line)


def test_a_case_is_named_by_its_path_without_the_ending_and_the_names_are_sorted(tmp_path: Path) -> None:
    make(
        tmp_path, "b.nii.gz", "sub 1/a.v1.2.NII", "sub 1/deep/c.PNG", "a.TIFF", "notes.txt", "dataset.json", "d.tif.bak"
    )
    assert list(found(tmp_path).items()) == [
        ("a", "a.TIFF"), ("b", "b.nii.gz"), ("sub 1/a.v1.2", "sub 1/a.v1.2.NII"), ("sub 1/deep/c", "sub 1/deep/c.PNG"),
    ]  # fmt: skip


def test_hidden_files_label_folders_and_results_are_no_cases(tmp_path: Path) -> None:
    make(
        tmp_path,
        "imagesTr/a.nii",
        "imagesTr/._a.nii",
        "labelsTr/a.nii",
        ".cache/b.nii",
        "out/overlays/a.png",
        "out/a.nii",
    )
    assert found(tmp_path, tmp_path / "out") == {"imagesTr/a": "imagesTr/a.nii"}
    make(tmp_path, "plain/labels/x.png")  # no images/ beside it: whatever its name, these are the images
    assert "plain/labels/x" in found(tmp_path, tmp_path / "other" / ".." / "out")


def test_results_among_the_images_are_refused(tmp_path: Path) -> None:
    with refused("--output_dir", make(tmp_path, "a.png")):  # else the next run would segment the label maps
        find_cases(tmp_path, tmp_path / "b" / "..")


@pytest.mark.parametrize("names", [["IM0", "IM1"], ["1.dcm", "2.DCM"], ["MR.1.2.840.1", "MR.1.2.840.2"]])
def test_a_folder_with_dicom_files_is_one_case_whatever_their_names(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        dicom(tmp_path / "patient" / "t1" / name)
    make(tmp_path, "patient/t1/readme", "patient/b.nii")
    assert found(tmp_path) == {"patient/b": "patient/b.nii", "patient/t1": "patient/t1"}
    assert find_cases(tmp_path / "patient" / "t1") == [{"case": "t1", "image": str(tmp_path / "patient" / "t1")}]


def test_a_cds_directory_file_is_no_image(tmp_path: Path) -> None:
    dicom(tmp_path / "DICOMDIR")  # part 3 of the standard: the root of every DICOM medium has one
    dicom(tmp_path / "DICOM" / "S1" / "IM0")
    assert found(tmp_path) == {"DICOM/S1": "DICOM/S1"}


def test_a_stray_dicom_file_does_not_hide_the_images_beside_it(tmp_path: Path) -> None:
    dicom(make(tmp_path, "a.nii.gz", "b.nii.gz") / "localizer.dcm")
    assert {"a", "b"} <= set(found(tmp_path))


@pytest.mark.parametrize("name", ["a.v1.nii.gz", "slice.dcm", "picture.JPG"])
def test_one_file_is_one_case_named_by_itself(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name, "other.nii") / name
    assert find_cases(path) == [{"case": name.rsplit(".", 2 if "nii" in name else 1)[0], "image": str(path)}]


def test_a_series_that_is_the_working_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dicom(tmp_path / "t1" / "IM0").parent)
    assert [case["case"] for case in find_cases(".")] == ["t1"]


def test_files_that_differ_in_their_ending_alone_keep_it_in_the_names_of_their_cases(tmp_path: Path) -> None:
    make(tmp_path, "s/a.png", "s/a.jpg", "s/b.png", "a.nii", "a.nii.gz")
    assert found(tmp_path) == {name: name for name in ("a.nii", "a.nii.gz", "s/a.jpg", "s/a.png")} | {"s/b": "s/b.png"}


def test_a_name_that_the_ending_does_not_set_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png.*a\.png"):
        find_cases(make(tmp_path, "a.png", "a.jpg", "a.png.tif"))


def stack(path: Path, count: int = 3, axes: str = "ZYX") -> Path:
    """A stack as ImageJ writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (count, 2, 4, 6)[-len(axes) :] if len(axes) > 3 else (count, 4, 6)
    tifffile.imwrite(path, np.zeros(shape, np.uint8), imagej=True, metadata={"axes": axes})
    return path


def test_the_slices_of_a_stack_are_cases_in_a_folder_named_like_it(tmp_path: Path) -> None:
    stack(tmp_path / "s" / "a.tif")
    stack(tmp_path / "b.ome.png")  # content counts
    make(tmp_path, "s/a.png")
    assert list(found(tmp_path).items()) == [
        *((f"b.ome/z00{z}", f"b.ome.png#z00{z}") for z in (1, 2, 3)),
        ("s/a", "s/a.png"),
        *((f"s/a/z00{z}", f"s/a.tif#z00{z}") for z in (1, 2, 3)),
    ]
    one = find_cases(tmp_path / "s" / "a.tif")
    assert one == [{"case": f"a/z00{z}", "image": f"{tmp_path}/s/a.tif#z00{z}"} for z in (1, 2, 3)]


def test_more_slices_than_three_digits_count_are_in_their_order(tmp_path: Path) -> None:
    cases = find_cases(stack(tmp_path / "a.tif", 1001))
    assert [case["case"] for case in cases][-3:] == ["a/z0999", "a/z1000", "a/z1001"]


def test_the_channels_of_a_stack_are_one_case(tmp_path: Path) -> None:
    assert [case["case"] for case in find_cases(stack(tmp_path / "a.tif", axes="CYX"))] == ["a"]


def test_the_slices_of_a_stack_are_paired_with_those_of_its_label(tmp_path: Path) -> None:
    stack(tmp_path / "images" / "a.tif")
    stack(tmp_path / "labels" / "a.tif")
    cases = find_labelled_cases(tmp_path)
    assert [case["case"] for case in cases] == ["images/a/z001", "images/a/z002", "images/a/z003"]
    assert [case["label"] for case in cases] == [f"{tmp_path}/labels/a.tif#z00{z}" for z in (1, 2, 3)]


def test_what_is_passed_over_is_counted_and_named_in_one_line(tmp_path: Path) -> None:
    make(
        tmp_path, "a.png", "b.SVG", "s/c.svg", "notes", ".DS_Store", "s/._a.png", ".git/x", "labels/q.txt", "out/r.csv"
    )
    make(tmp_path, *(f"{i}.csv" for i in range(5)), "images/x.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "missing.png")
    with tifffile.TiffWriter(tmp_path / "t.tif") as file:
        file.write(np.zeros((40, 60), np.uint8), metadata=None)
        file.write(np.zeros((4, 6), np.uint8), metadata=None, subfiletype=1)
    found = survey(tmp_path, tmp_path / "out")
    assert [case["case"] for case in found.cases] == ["a", "images/x", "t"]
    assert str(found.passed) == (
        "passed over: 5 .csv (0.csv, 1.csv, 2.csv, …), 2 .svg (b.SVG, c.svg), 1 without ending (notes), "
        "1 broken link (link.png), 1 page of another size or kind (t.tif), 3 hidden"
    )


def test_a_name_that_is_no_utf_8_becomes_one_that_tables_can_hold(tmp_path: Path) -> None:
    name = "b\udcff.png"  # of a byte that begins no character
    make(tmp_path, "a.png", name)
    assert found(tmp_path) == {"a": "a.png", "b\ufffd": name}


def test_pipes_are_passed_over_and_counted(tmp_path: Path) -> None:
    make(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    assert str(survey(tmp_path).passed) == "passed over: 1 pipe, socket or device (b.png)"


def test_of_a_data_set_that_is_taken_whole_nothing_is_passed_over(tmp_path: Path) -> None:
    dicom(make(tmp_path, "a.png", "b.nii.gz") / "t1" / "IM0")
    passed = survey(tmp_path).passed
    assert not passed
    assert str(passed) == ""


def test_pictures_are_no_volumes_and_the_other_way_round(tmp_path: Path) -> None:
    dicom(make(tmp_path, "a.png", "a.nii.gz", "s/b.jpg") / "t1" / "1.dcm")
    volumes, pictures = survey(tmp_path, kinds=("volume",)), survey(tmp_path, kinds=("raster",))
    assert [case["case"] for case in volumes.cases] == ["a", "t1"]
    assert [case["case"] for case in pictures.cases] == ["a", "s/b"]
    assert str(volumes.passed) == "passed over: 1 .jpg (b.jpg), 1 .png (a.png)"
    assert str(pictures.passed) == "passed over: 1 .dcm (1.dcm), 1 .gz (a.nii.gz)"
    with refused("none of them an image", make(tmp_path / "pictures", "a.png")):
        find_cases(tmp_path / "pictures", kinds=("volume",))


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path / "far", "b.nii", "c/d.nii")
    make(tmp_path / "near", "a.nii")
    (tmp_path / "near" / "link.nii").symlink_to(tmp_path / "far" / "b.nii")
    (tmp_path / "near" / "c").symlink_to(tmp_path / "far" / "c")
    assert list(found(tmp_path / "near")) == ["a", "c/d", "link"]
    (tmp_path / "near" / "loop").symlink_to(tmp_path / "near")
    assert list(found(tmp_path / "near")) == ["a", "c/d", "link"]


def test_a_folder_without_images_or_none_at_all_is_refused(tmp_path: Path) -> None:
    with refused("nothing there; check --dataset_dir", tmp_path / "missing"):
        find_cases(tmp_path / "missing")
    with refused("got 0 files", tmp_path):
        find_cases(tmp_path)
    with refused("got 2 files, none of them an image", tmp_path):
        find_cases(make(tmp_path, "notes.txt", "sub/.hidden.png"))


def test_a_folder_that_may_not_be_entered_is_told_of(tmp_path: Path) -> None:
    (make(tmp_path, "a.nii", "closed/b.nii") / "closed").chmod(0)
    if os.access(tmp_path / "closed", os.R_OK):
        pytest.skip("root may enter any folder")
    try:
        with refused("ermission", tmp_path / "closed"):
            find_cases(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize(("images", "labels"), [("imagesTr", "labelsTr"), ("images", "labels")])
def test_an_image_and_the_label_of_its_name_are_a_pair_whatever_their_endings(
    tmp_path: Path, images: str, labels: str
) -> None:
    make(
        tmp_path,
        f"{images}/b.tif",
        f"{labels}/b.png",
        f"{images}/s/a.nii.gz",
        f"{labels}/s/a.nii",
        f"{labels}/more.png",
    )
    assert find_labelled_cases(tmp_path) == [
        {"case": f"{images}/b", "image": f"{tmp_path}/{images}/b.tif", "label": f"{tmp_path}/{labels}/b.png"},
        {"case": f"{images}/s/a", "image": f"{tmp_path}/{images}/s/a.nii.gz", "label": f"{tmp_path}/{labels}/s/a.nii"},
    ]


@pytest.mark.parametrize(
    ("folders", "images", "labels"),
    [
        (("imagesTr", "labelsTr"), ["c_100_0000", "c_200_0000"], ["c_100", "c_200"]),  # nnU-Net
        (("images", "1st_manual"), ["21_training", "30_training"], ["21_manual1", "30_manual1"]),  # DRIVE
        (("images", "masks"), ["s/img_1", "s/img_11"], ["s/mask_1", "s/mask_11"]),
        (("images", "ground_truth"), ["ISIC_1", "ISIC_2"], ["ISIC_1_segmentation", "ISIC_2_segmentation"]),
    ],
)  # fmt: skip
def test_names_of_labels_may_differ_from_those_of_images_in_how_all_begin_and_end(
    tmp_path: Path, folders: tuple[str, str], images: list[str], labels: list[str]
) -> None:
    make(tmp_path, *(f"{folders[0]}/{name}.png" for name in images), *(f"{folders[1]}/{name}.gif" for name in labels))
    cases = find_labelled_cases(tmp_path)
    assert [Path(case["case"]).relative_to(folders[0]).as_posix() for case in cases] == images
    assert [
        Path(case["label"]).relative_to(tmp_path / folders[1]).with_suffix("").as_posix() for case in cases
    ] == labels


def test_what_has_a_label_of_its_name_is_never_given_another(tmp_path: Path) -> None:
    make(tmp_path, "images/x_a.png", "images/y_a.png", "labels/x_a.png", "labels/y_b.png")
    with refused(r"a label named y_a\.\*", tmp_path / "images" / "y_a.png"):
        find_labelled_cases(tmp_path)


def test_channels_in_files_of_their_own_are_to_be_merged(tmp_path: Path) -> None:
    make(
        tmp_path,
        *(f"imagesTr/{case}_000{channel}.png" for case in "ab" for channel in (0, 1)),
        "labelsTr/a.png",
        "labelsTr/b.png",
    )
    with refused("channels in files of their own are to be merged", tmp_path / "imagesTr" / "a_0000.png"):
        find_labelled_cases(tmp_path)


def test_what_is_missing_of_a_labelled_data_set_is_told(tmp_path: Path) -> None:
    with refused("got no such folder", tmp_path / "missing"):
        find_labelled_cases(tmp_path / "missing")
    with refused("got pictures;", tmp_path):
        find_labelled_cases(make(tmp_path, "pictures/a.png"))
    with refused("got 0 files", tmp_path / "labels"):
        find_labelled_cases(make(tmp_path, "images/a.png", "images/b.png", "labels/"))
    with refused(r"a label named b\.\*", tmp_path / "images" / "b.png"):
        find_labelled_cases(make(tmp_path, "labels/a.png"))


def test_cases_may_be_chosen_by_their_names(tmp_path: Path) -> None:
    make(tmp_path, *(f"{name}{end}.nii.gz" for name in ("a_t1", "b_flair", "s/c_t1") for end in ("", "_seg")))
    assert [case["case"] for case in select_cases(tmp_path, only="*_t1")] == ["a_t1", "s/c_t1"]
    with pytest.raises(InputError, match=r"--only: expected what matches one of 3 names, such as a_t1, got \*_T1"):
        select_cases(tmp_path, only="*_T1")


def dataset(root: Path, count: int = 20, listed: Any = None) -> Path:
    """`count` labelled cases and, where given, a dataset.json with this validation list."""
    make(root, *(f"{part}/c{number:02}.nii.gz" for number in range(count) for part in ("imagesTr", "labelsTr")))
    if listed is not None:
        (root / "dataset.json").write_text(json.dumps({"name": "x", "validation": listed}))
    return root


def names(root: Path, part: str, **kwargs: Any) -> list[str]:
    return [case["case"] for case in select_cases(root, part=part, **kwargs)]


@pytest.mark.parametrize(("count", "fraction", "expected"), [(20, 0.15, 3), (20, 0.5, 10), (2, 0.01, 1), (3, 0.5, 2)])
def test_the_parts_are_disjoint_cover_all_and_have_their_share(
    tmp_path: Path, count: int, fraction: float, expected: int
) -> None:
    parts = split_cases(dataset(tmp_path, count), fraction=fraction)
    members = [case["case"] for part in ("training", "validation") for case in parts[part]]
    assert sorted(members) == [case["case"] for case in parts["all"]] == [f"imagesTr/c{n:02}" for n in range(count)]
    assert len(parts["validation"]) == expected  # the nearest whole number, at least one


def test_the_split_depends_on_the_seed_and_the_names_alone(tmp_path: Path) -> None:
    first, second = dataset(tmp_path / "a"), tmp_path / "b"
    make(second, *(f"labelsTr/c{n:02}.nii" for n in reversed(range(20))), *(f"imagesTr/c{n:02}.nii" for n in range(20)))
    chosen = [names(first, "validation", seed=seed) for seed in range(5)]
    assert chosen == [names(second, "validation", seed=seed) for seed in range(5)]
    # Of the names in sorted order, not in that of a set of text, which is another in each process.
    dealt = [np.random.default_rng(seed).permutation(20)[:3] for seed in range(5)]
    assert chosen == [[f"imagesTr/c{number:02}" for number in sorted(numbers)] for numbers in dealt]


def test_cases_in_folders_of_their_own_are_split_though_their_files_are_named_alike(tmp_path: Path) -> None:
    make(tmp_path, *(f"{part}/sub-{n}/t1.nii.gz" for n in range(6) for part in ("images", "labels")))
    assert len(names(tmp_path, "validation", fraction=0.5)) == 3


@pytest.mark.parametrize(("count", "folds"), [(20, 5), (24, 5), (7, 3), (10, 4), (3, 3), (49, 49)])
def test_folds_of_a_kth_validate_every_case_once_and_are_as_equal_as_can_be(
    tmp_path: Path, count: int, folds: int
) -> None:
    dataset(tmp_path, count)
    parts = [split_cases(tmp_path, fraction=1 / folds, seed=2, fold=fold) for fold in range(folds)]
    validated = [case["case"] for part in parts for case in part["validation"]]
    assert sorted(validated) == [f"imagesTr/c{n:02}" for n in range(count)]
    assert {len(part["validation"]) for part in parts} <= {count // folds, -(-count // folds)}
    for part in parts:  # whoever validates does not train
        members = [case["case"] for name in ("training", "validation") for case in part[name]]
        assert sorted(members) == [case["case"] for case in part["all"]]


@pytest.mark.parametrize(("count", "fraction"), [(24, 0.15), (20, 0.2), (7, 1 / 3), (3, 0.5), (2, 0.01)])
def test_the_first_fold_is_the_split_there_was_before_folds(tmp_path: Path, count: int, fraction: float) -> None:
    dataset(tmp_path, count)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(count)
        expected = [f"imagesTr/c{n:02}" for n in sorted(order[: max(1, round(fraction * count))])]
        assert names(tmp_path, "validation", fraction=fraction, seed=seed) == expected
        assert names(tmp_path, "validation", fraction=fraction, seed=seed, fold=0) == expected


@pytest.mark.parametrize("fold", [5, 6, 100, -1, -2, -5])
def test_a_fold_that_there_is_not_is_refused(tmp_path: Path, fold: int) -> None:
    # Of a fifth there are the folds 0 to 4; a negative number does not count from the end.
    with refused("the fold", dataset(tmp_path)):
        split_cases(tmp_path, fraction=0.2, fold=fold)


LISTS = {
    "names": ["c03", "c07"],
    "Decathlon": ["./imagesTr/c03.nii.gz", "./imagesTr/c07.nii.gz"],
    "pairs": [{"image": "./imagesTr/c03.nii.gz", "label": "./labelsTr/c03.nii.gz"}, {"image": "imagesTr/c07.nii.gz"}],
}


@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_validation_list_decides_whatever_the_seed(tmp_path: Path, listed: Any, seed: int) -> None:
    root = dataset(tmp_path, listed=listed)
    assert names(root, "validation", seed=seed) == ["imagesTr/c03", "imagesTr/c07"]
    assert len(names(root, "training", seed=seed)) == 18
    assert len(names(root, "all")) == 20


@pytest.mark.parametrize("fold", [0, 1, 4])
def test_a_validation_list_decides_whatever_the_fold(tmp_path: Path, fold: int) -> None:
    root = dataset(tmp_path, listed=["c03", "c07"])
    assert names(root, "validation", fraction=0.2, fold=fold) == ["imagesTr/c03", "imagesTr/c07"]
    assert len(names(root, "training", fraction=0.2, fold=fold)) == 18


def test_a_dataset_json_without_a_validation_list_changes_nothing(tmp_path: Path) -> None:
    expected = names(dataset(tmp_path), "validation")
    for content in ('{"training": []}', '{"validation": []}'):
        (tmp_path / "dataset.json").write_text(content)
        assert names(tmp_path, "validation") == expected


@pytest.mark.parametrize("text", ["", '{"valid', "[]", "\xff", '{"validation": 3}', '{"validation": [3]}',
                                  '{"validation": [{"label": "c03"}]}', '{"validation": [{"image": ["c03"]}]}',
                                  '{"validation": ["c03", "c99"]}', '{"validation": [""]}'])  # fmt: skip
def test_a_dataset_json_that_cannot_be_obeyed_is_refused(tmp_path: Path, text: str) -> None:
    (dataset(tmp_path) / "dataset.json").write_text(text, encoding="latin-1")
    with refused("got .+; (correct the (file|list)|save it as such)", tmp_path / "dataset.json"):
        split_cases(tmp_path)


def test_a_split_with_an_empty_part_and_a_part_of_another_name_are_refused(tmp_path: Path) -> None:
    with refused("at least 1 case for training", dataset(tmp_path, 1)):
        split_cases(tmp_path)
    with refused("at least 1 case for training", tmp_path):
        split_cases(dataset(tmp_path, 3, listed=["c00", "c01", "c02"]))
    with pytest.raises(InputError, match="one of training, validation, all, got 'test'"):
        select_cases(dataset(tmp_path, 4, listed=["c00"]), part="test")


@pytest.mark.parametrize(("fraction", "validating"), [(0.01, 3), (0.3, 3), (0.5, 5), (0.7, 7)])
def test_both_parts_have_the_smallest_number_asked_for(tmp_path: Path, fraction: float, validating: int) -> None:
    cases = [{"case": f"c{number}", "image": ""} for number in range(10)]
    listed = [case["case"] for case in cases]
    parts = split_by_name(tmp_path, cases, listed, fraction=fraction, smallest=3)
    assert (len(parts["validation"]), len(parts["training"])) == (validating, 10 - validating)
    with refused("at least 3 cases for training, got 5 cases in all", tmp_path):
        split_by_name(tmp_path, cases[:5], listed[:5], fraction=fraction, smallest=3)
