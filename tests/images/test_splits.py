"""What a data set says of its parts is obeyed; the rest is drawn."""

from pathlib import Path

import pytest

from shared.errors import InputError
from shared.images.cases import select_cases, split_cases
from shared.images.layouts import part_named
from shared.images.splits import choose_part, several_parts, split_by_name, with_training_share


@pytest.mark.parametrize(
    ("name", "part"),
    [("train", "training"), ("Training", "training"), ("train2017", "training"), ("val", "validation"),
     ("valid", "validation"), ("validation", "validation"), ("test", "test"), ("test-1", "test"), ("trainer", ""),
     ("default", ""), ("", ""), ("2017", "")],
)  # fmt: skip
def test_folders_called_after_a_part(name: str, part: str) -> None:
    assert part_named(name) == part


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("layout", ["{kind}/{part}", "{part}/{kind}"])
def test_folders_of_parts_decide_on_either_side_of_the_folder_of_images(layout: str, tmp_path: Path) -> None:
    parts = {"train": "abc", "valid": "d", "test": "ef"}
    for part, names in parts.items():
        for kind in ("images", "labels"):
            make(tmp_path, *(f"{layout.format(kind=kind, part=part)}/{name}.png" for name in names))
    for seed in (0, 1):
        split = {
            name: "".join(case["case"][-1] for case in cases)
            for name, cases in split_cases(tmp_path, seed=seed).items()
        }
        assert {name: "".join(sorted(cases)) for name, cases in split.items()} == {
            "training": "abc", "validation": "d", "test": "ef", "all": "abcdef",
        }  # fmt: skip
    assert [case["case"][-1] for case in select_cases(tmp_path, part="test")] == ["e", "f"]


def test_folders_among_which_one_is_no_part_decide_nothing(tmp_path: Path) -> None:
    make(tmp_path, *(f"{kind}/{name}.png" for kind in ("images", "labels") for name in ("train/a", "val/b", "more/c")))
    assert len({split_cases(tmp_path, seed=seed)["validation"][0]["case"] for seed in range(20)}) == 3


def test_where_parts_name_none_for_validation_it_is_drawn_from_those_not_for_testing(tmp_path: Path) -> None:
    names = [f"train/{number}" for number in range(8)] + ["test/8", "test/9"]
    parts = split_by_name(tmp_path, names, names, fraction=0.25)
    assert (len(parts["validation"]), len(parts["training"])) == (2, 6)
    assert parts["test"] == ["test/8", "test/9"]
    # The names that are drawn from are those of a data set without the test set.
    assert parts["validation"] == split_by_name(tmp_path, names[:8], names[:8], fraction=0.25)["validation"]


def test_what_is_assigned_to_no_part_trains_unless_others_are_listed_for_that(tmp_path: Path) -> None:
    names = list("abcd")
    assert split_by_name(tmp_path, names, names, assigned={"b": "validation"})["training"] == ["a", "c", "d"]
    both = split_by_name(tmp_path, names, names, assigned={"b": "validation", "c": "training"})
    assert (both["training"], both["validation"], both["all"]) == (["c"], ["b"], names)


def test_one_part_alone_is_no_split() -> None:
    assert several_parts({"a": "validation", "b": "validation", "c": ""}) == {}
    assert several_parts({"a": "validation", "b": "training", "c": ""}) == {"a": "validation", "b": "training"}


def test_all_is_chosen_without_a_split_that_might_not_be_possible() -> None:
    assert choose_part("all", lambda: [1], dict) == [1]
    assert choose_part("test", lambda: [1], lambda: {"test": [2]}) == [2]
    with pytest.raises(InputError, match="part: expected one of training, got 'test'"):
        choose_part("test", lambda: [1], lambda: {"training": [1]})


def test_groups_are_drawn_whole_and_a_single_one_is_left_alone(tmp_path: Path) -> None:
    names = list("abcdefghij")
    heads = {"b": "a", "c": "a", "i": "h"}  # seven groups, the first of three
    for seed in range(8):
        parts = split_by_name(
            tmp_path, names, names, fraction=0.3, seed=seed, grouped=lambda n: [heads.get(x, x) for x in n]
        )
        validation = set(parts["validation"])
        assert len({heads.get(name, name) for name in validation}) == 2  # 0.3 of seven
        assert {heads.get(name, name) for name in parts["training"]}.isdisjoint(validation)
    of_one = split_by_name(tmp_path, names, names, seed=1, grouped=lambda n: ["a"] * len(n))
    assert of_one == split_by_name(tmp_path, names, names, seed=1)


def test_a_smaller_share_of_the_training_cases_lies_within_a_larger_one_and_no_other_part_changes() -> None:
    parts = {"training": [*"abcdefghijkl"], "validation": ["x", "y"], "all": [*"abcdefghijklxy"]}
    quarter, half, least = (with_training_share(parts, share) for share in (0.25, 0.5, 0.01))
    assert [len(of["training"]) for of in (quarter, half, least)] == [3, 6, 2]  # two at least, for a pair
    assert set(least["training"]) < set(quarter["training"]) < set(half["training"]) < set(parts["training"])
    assert all(of["validation"] == ["x", "y"] for of in (quarter, half))
    assert with_training_share(parts, 0.5, seed=1)["training"] != half["training"]
    assert with_training_share(parts, 1.0) == parts
