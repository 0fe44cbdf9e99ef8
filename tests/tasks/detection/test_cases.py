import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shared.errors import InputError
from shared.tasks.detection.cases import NOTHING, boxed_cases, clip_objects, collate_objects, select_boxed

NAMES = ["round", "square"]


def voc(root: Path, images: dict[str, list[tuple[str, int, int, int, int]]]) -> Path:
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, objects in images.items():
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(root / "JPEGImages" / f"{name}.png")
        inner = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
            "</bndbox></object>"
            for label, a, b, c, d in objects
        )
        text = f"<annotation><filename>{name}.png</filename>{inner}</annotation>"
        (root / "Annotations" / f"{name}.xml").write_text(text)
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    boxes = [("round", 10, 5, 30, 25), ("square", 1, 2, 3, 4)]
    return voc(tmp_path / "data", {f"im{i}": boxes[: i % 3] for i in range(10)})


def test_an_object_is_its_corners_along_the_axes_of_the_image_and_its_class(data: Path) -> None:
    cases = {case["case"]: case["label"] for case in select_boxed(data, NAMES)}
    np.testing.assert_array_equal(cases["im2"], [[5, 10, 25, 30, 0], [2, 1, 4, 3, 1]])  # rows first
    assert cases["im0"].shape == (0, 5)


def test_the_lists_of_the_data_set_decide_and_what_is_in_neither_is_left_out(data: Path) -> None:
    (data / "ImageSets/Main/val.txt").write_text("im1\nim4\n\n")
    without = boxed_cases(data, NAMES)
    assert [c["case"] for c in without["validation"]] == ["im1", "im4"]
    assert len(without["training"]) == 8
    (data / "ImageSets/Main/train.txt").write_text("im2 1\nim3 -1\n")  # VOC's lists of a class have a second column
    both = boxed_cases(data, NAMES)
    assert [c["case"] for c in both["training"]] == ["im2", "im3"]
    assert len(both["all"]) == 10
    assert [c["case"] for c in select_boxed(data, NAMES, part="validation")] == ["im1", "im4"]


def test_without_lists_the_split_is_seeded_and_its_parts_have_nothing_in_common(data: Path) -> None:
    first, again, other = (boxed_cases(data, NAMES, fraction=0.3, seed=seed) for seed in (0, 0, 1))
    names = [{c["case"] for c in first[part]} for part in ("training", "validation")]
    assert names[0].isdisjoint(names[1])
    assert (len(names[0]), len(names[1])) == (7, 3)
    assert [c["case"] for c in again["validation"]] == [c["case"] for c in first["validation"]]
    assert [c["case"] for c in other["validation"]] != [c["case"] for c in first["validation"]]


def test_an_unknown_class_and_an_unknown_name_in_a_list_are_told_of_in_a_line(data: Path) -> None:
    with pytest.raises(InputError, match="expected objects of the classes round, got square; correct the annotation"):
        boxed_cases(data, ["round"])
    (data / "ImageSets/Main/val.txt").write_text("im1\nim77\n")
    with pytest.raises(InputError, match=r"val.txt: expected names of annotated images, got 1 unknown, such as im77"):
        boxed_cases(data, NAMES)
    shutil.rmtree(data / "ImageSets")
    with pytest.raises(InputError, match="part: expected one of training, validation, all, got 'test'"):
        select_boxed(data, NAMES, part="test")


def test_boxes_are_cut_to_the_image_and_those_without_area_go() -> None:
    objects = torch.tensor([
        [-5.0, 10, 10, 20, 0],  # two thirds of it are within
        [0.0, 0, 40, 60, 1],
        [7.0, 7, 7, 9, 0],  # a line
        [50.0, 0, 60, 9, 1],  # beyond
        [30.0, 50, 50, 70, 1],  # a quarter of it is within
    ])  # fmt: skip
    cut = clip_objects(objects, (40, 60))
    assert cut.tolist() == [[0, 10, 10, 20, 0], [0, 0, 40, 60, 1], [30, 50, 40, 60, 1]]
    assert clip_objects(objects, (40, 60), visible=0.3).tolist() == cut[:2].tolist()
    assert clip_objects(torch.zeros(0, 5), (40, 60)).shape == (0, 5)
    volume = clip_objects(torch.tensor([[-1.0, 2, 3, 4, 5, 9, 2]]), (3, 4, 5))
    assert volume.tolist() == [[0, 2, 3, 3, 4, 5, 2]]


def test_a_batch_is_filled_up_with_rows_that_are_no_object() -> None:
    samples = [{"image": torch.zeros(3, 4, 4), "label": torch.ones(count, 5)} for count in (0, 2)]
    labels = collate_objects(samples)["label"]
    assert labels.shape == (2, 2, 5)
    assert (labels[0] == NOTHING).all()
    assert (labels[1] == 1).all()
    assert collate_objects(samples[:1])["label"].tolist() == [[[NOTHING] * 5]]  # a row at least, for the loss


def test_several_data_sets_are_split_each_on_its_own_and_their_cases_called_after_them(
    data: Path, tmp_path: Path
) -> None:
    (data / "ImageSets/Main/val.txt").write_text("im1\nim4\n")
    other = voc(tmp_path / "other", {f"im{i}": [("square", 1, 2, 30, 40)] for i in range(4)})
    parts = boxed_cases([data, other], NAMES, fraction=0.25)
    assert [c["case"] for c in parts["validation"][:2]] == ["data/im1", "data/im4"]
    assert len(parts["validation"]) == 3  # and a quarter of the four
    assert len(parts["training"]) == 8 + 3
    every = select_boxed(f"['{data}', '{other}']", NAMES)
    assert [c["case"] for c in every] == [c["case"] for c in parts["all"]]
    assert {c["case"]: c["label"][:, 4].tolist() for c in every}["other/im0"] == [1]
    twice = boxed_cases([data, other, data], NAMES, fraction=0.25)
    assert len(twice["training"]) == 2 * 8 + 3
    assert len(twice["validation"]) == 3  # each scored once


def test_pictures_that_look_alike_are_in_one_part(tmp_path: Path) -> None:
    """Of each of six pictures there is one that is turned; pictures of noise are like no other."""
    data = voc(tmp_path / "data", {f"{i}{side}": [] for i in range(6) for side in "ab"})
    for i in range(6):
        noise = np.random.default_rng(i).integers(0, 255, (24, 24, 3), dtype=np.uint8)
        for side, picture in (("a", noise), ("b", np.rot90(noise))):
            Image.fromarray(np.ascontiguousarray(picture)).save(data / "JPEGImages" / f"{i}{side}.png")
    for seed in range(4):
        parts = boxed_cases(data, NAMES, fraction=0.34, seed=seed)
        first, second = ({c["case"][0] for c in parts[part]} for part in ("training", "validation"))
        assert first.isdisjoint(second)
        assert len(second) == 2  # of six
