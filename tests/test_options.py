"""An option that MONAI would ignore, or take for something else, is refused before anything runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigWorkflow, run

from shared.errors import InputError, input_error_behind
from shared.options import check_options

FILE: dict[str, Any] = {
    "dataset_dir": "$@bundle_root + '/sample_data'",
    "output_dir": "outputs",
    "max_epochs": 200,
    "learning_rate": 0.002,
    "resume": False,
    "finetune_from": None,
    "roi_size": [96, 96, 96],
    "threshold": {"a": 0.4, "b": 0.6},
    "network_def": {"_target_": "UNet", "channels": 1},
}


@pytest.mark.parametrize(
    ("given", "meant"),
    [("datset_dir", "dataset_dir"), ("output-dir", "output_dir"), ("max_epoch", "max_epochs"), ("Resume", "resume")],
)
def test_a_misspelt_option_is_refused_with_the_one_meant(given: str, meant: str) -> None:
    line = f"--{given}: expected an option of this config, got one it does not know; did you mean --{meant}?"
    with pytest.raises(InputError, match=f"^{re.escape(line)}$"):
        check_options({**FILE, given: "x"}, FILE)


def test_an_option_like_no_other_is_refused_with_a_list_of_those_there_are() -> None:
    options = "dataset_dir, finetune_from, learning_rate, max_epochs, output_dir, resume, roi_size"  # no components
    with pytest.raises(InputError, match=f"^--xyz: .*; it knows {options}$"):
        check_options({**FILE, "xyz": 1}, FILE)


@pytest.mark.parametrize(
    ("key", "value", "like"),
    [
        ("max_epochs", "ten", "200"), ("max_epochs", True, "200"), ("max_epochs", None, "200"),
        ("learning_rate", "0,002", "0.002"), ("learning_rate", [0.1], "0.002"),
        ("resume", "yes", "false"), ("resume", 1, "false"), ("resume", None, "false"),
        ("roi_size", 96, "[96, 96, 96]"), ("roi_size", "96,96,96", "[96, 96, 96]"), ("roi_size", [], "[96, 96, 96]"),
        ("roi_size", [96, None, 96], "[96, 96, 96]"), ("roi_size", [96], "[96, 96, 96]"),
        ("threshold", {"c": 1}, '{"a": 0.4, "b": 0.6}'),
        ("threshold", "high", '{"a": 0.4, "b": 0.6}'), ("threshold", [0.4, None], '{"a": 0.4, "b": 0.6}'),
        ("network_def", "UNet", '{"_target_": "UNet", "channels": 1}'), ("output_dir", ["a"], '"outputs"'),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_the_default_as_the_example(key: str, value: Any, like: str) -> None:
    line = f"--{key}: expected a value like {like}, got {value!r}; "
    with pytest.raises(InputError, match=f"^{re.escape(line)}[^\n]+$"):
        check_options({**FILE, key: value}, FILE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset_dir", "/data"), ("output_dir", "$'a' + 'b'"), ("max_epochs", 5), ("max_epochs", "$2 * 3"),
        ("learning_rate", 1), ("resume", True), ("finetune_from", "pretrained"), ("roi_size", (64, 64, 64)),
        ("network_def", {"_target_": "UNet", "channels": 2}), ("network_def", {"_target_": "Other"}),
        ("threshold", 0.3), ("threshold", [0.1, 0.2]), ("threshold", {"b": 1}), ("threshold", "$[0.1, 0.2]"),
        ("network_def", "@other"), ("_meta_", {"version": "1"}), ("tracking_uri", "file:runs"),
    ],
)  # fmt: skip
def test_a_value_of_the_defaults_type_an_expression_or_a_component_is_allowed(key: str, value: Any) -> None:
    check_options({**FILE, key: value}, FILE)


def test_an_overlay_is_held_against_the_bundles_own_config() -> None:
    with pytest.raises(InputError, match=r"^--max_epochs: expected a value like 200, got 'ten'; "):
        check_options({**FILE, "max_epochs": "ten"}, {**FILE, "max_epochs": "ten"}, own=FILE)
    check_options({**FILE, "more": 1}, {**FILE, "more": 1}, own=FILE)


def test_a_count_is_a_whole_number() -> None:
    with pytest.raises(InputError, match=r"^--max_epochs: expected a value like 200, got 2\.5; "):
        check_options({**FILE, "max_epochs": 2.5}, FILE)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """The file of a config that starts, and does nothing."""
    return write(tmp_path / "configs" / "inference.json", {
        "start": {"_target_": "shared.bundle.start", "bundle_root": "."},
        "max_epochs": 200, "train": {"sampler": None, "size": 1},
        "initialize": ["$@start"], "run": ["$@train"],
    })  # fmt: skip


def write(path: Path, content: Any) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def refused(**options: Any) -> str:
    """The line with which a run ends."""
    with pytest.raises(RuntimeError) as raised:  # MONAI's, around ours
        run(**options)
    return str(input_error_behind(raised.value))


def test_only_the_files_of_the_run_are_read(config: str) -> None:
    folder = Path(config).parent
    (folder / "broken.json").write_text("{", encoding="utf-8")
    (folder / "._inference.json").write_bytes(b"\x00\x05\x16\x07")
    write(folder / "stray.json", {"other": 1})
    run(config_file=config, max_epochs=3)
    assert refused(config_file=config, other=2).startswith("--other: expected an option of this config")


def test_an_option_of_another_config_of_the_bundle_leads_to_that(config: str, tmp_path: Path) -> None:
    write(Path(config).parent / "other.json", {"_desc_": "Another.", "atlases": ""})
    write(Path(config).parent / "metadata.json", {"atlases": ""})
    (Path(config).parent / "broken.json").write_text("{")
    assert refused(config_file=config, atlases="a").endswith("got one it does not know; other.json beside it has it")


def test_a_file_of_the_users_from_elsewhere_may_add_keys_that_are_then_options(config: str, tmp_path: Path) -> None:
    nested = {"train#sampler": "$[1]", "train::size": 2, "+initialize": ["$@noise"]}
    mine = write(tmp_path / "mine" / "my.json", {"noise": 0.5, "max_epochs": "$100", **nested})
    files = [config, mine]
    run(config_file=files)
    run(config_file=files, noise=0.1, max_epochs="$7")
    assert refused(config_file=files, niose=0.1).endswith("did you mean --noise?")
    assert refused(config_file=files, noise="much").startswith("--noise: expected a value like 0.5, got 'much'; ")
    assert refused(config_file=config, noise=0.1).startswith("--noise: expected an option of this config")


def test_options_that_a_file_of_arguments_gives_are_checked_as_well(config: str, tmp_path: Path) -> None:
    run(args_file=write(tmp_path / "good.json", {"config_file": config, "max_epochs": 3}))
    line = refused(args_file=write(tmp_path / "bad.json", {"config_file": config, "max_epoch": 3}))
    assert line.endswith("did you mean --max_epochs?")


def test_a_workflow_made_without_a_command_starts_though_its_files_are_not_known(config: str) -> None:
    workflow = ConfigWorkflow(config, workflow_type="infer")
    workflow.initialize()
    assert workflow.run() == [{"sampler": None, "size": 1}]


def test_a_number_by_class_may_be_of_the_users_own_classes() -> None:
    check_options({**FILE, "class_names": ["c"], "threshold": {"c": 1}}, {**FILE, "class_names": ["a", "b"]})
