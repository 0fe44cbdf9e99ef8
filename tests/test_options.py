"""An option that MONAI would ignore, or take for something else, is refused before anything runs."""

import re
from typing import Any

import pytest

from shared.bundle import check_options
from shared.errors import InputError

FILE: dict[str, Any] = {
    "dataset_dir": "$@bundle_root + '/sample_data'",
    "output_dir": "outputs",
    "max_epochs": 200,
    "learning_rate": 0.002,
    "resume": False,
    "finetune_from": None,
    "roi_size": [96, 96, 96],
    "network_def": {"_target_": "UNet", "channels": 1},
}


@pytest.mark.parametrize(
    ("given", "meant"),
    [("datset_dir", "dataset_dir"), ("output-dir", "output_dir"), ("max_epoch", "max_epochs"), ("Resume", "resume")],
)
def test_a_misspelt_option_is_refused_with_the_one_meant(given: str, meant: str) -> None:
    line = f"--{given}: expected an option of this bundle, got one it does not know; did you mean --{meant}?"
    with pytest.raises(InputError, match=f"^{re.escape(line)}$"):
        check_options({**FILE, given: "x"}, [FILE])


def test_an_option_like_no_other_is_refused_with_a_list_of_those_there_are() -> None:
    options = "dataset_dir, finetune_from, learning_rate, max_epochs, output_dir, resume, roi_size"  # no components
    with pytest.raises(InputError, match=f"^--xyz: .*; it knows {options}$"):
        check_options({**FILE, "xyz": 1}, [FILE])


@pytest.mark.parametrize(
    ("key", "value", "like"),
    [
        ("max_epochs", "ten", "200"), ("max_epochs", True, "200"), ("max_epochs", None, "200"),
        ("learning_rate", "0,002", "0.002"), ("learning_rate", [0.1], "0.002"),
        ("resume", "yes", "false"), ("resume", 1, "false"), ("resume", None, "false"),
        ("roi_size", 96, "[96, 96, 96]"), ("roi_size", "96,96,96", "[96, 96, 96]"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_the_default_as_the_example(key: str, value: Any, like: str) -> None:
    line = f"--{key}: expected a value like {like}, got {value!r}; "
    with pytest.raises(InputError, match=f"^{re.escape(line)}[^\n]+$"):
        check_options({**FILE, key: value}, [FILE])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset_dir", "/data"), ("output_dir", "$'a' + 'b'"), ("max_epochs", 5), ("max_epochs", "$2 * 3"),
        ("learning_rate", 1), ("resume", True), ("finetune_from", "pretrained"), ("roi_size", (64, 64, 64)),
        ("network_def", {"_target_": "UNet", "channels": 2}), ("network_def", {"_target_": "Other"}),
        ("network_def", "@other"), ("_meta_", {"version": "1"}), ("tracking_uri", "file:runs"),
    ],
)  # fmt: skip
def test_a_value_of_the_defaults_type_an_expression_or_a_component_is_allowed(key: str, value: Any) -> None:
    check_options({**FILE, key: value}, [FILE])


def test_the_keys_of_every_file_of_the_run_are_known_and_the_last_ones_default_counts() -> None:
    second = {"backend": "nccl", "max_epochs": "$@epochs"}
    check_options({**FILE, **second, "backend": "gloo", "max_epochs": "$3"}, [FILE, second])
    with pytest.raises(InputError, match="did you mean --backend"):
        check_options({**FILE, **second, "backnd": "gloo"}, [FILE, second])


def test_a_count_is_a_whole_number() -> None:
    with pytest.raises(InputError, match=r"^--max_epochs: expected a value like 200, got 2\.5; "):
        check_options({**FILE, "max_epochs": 2.5}, [FILE])
