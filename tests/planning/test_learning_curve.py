"""A training on a share of the cases takes as many steps, and its config fits every bundle of the zoo that has one."""

import json
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigParser

from shared.places import all_bundles
from shared.planning.cases import ENTRIES
from shared.planning.learning_curve import overlay, stretched


@pytest.mark.parametrize("bundle", all_bundles(), ids=lambda path: path.name)
def test_a_training_on_a_share_has_that_share_of_the_cases_that_it_asks_for(bundle: Path) -> None:
    config: dict[str, Any] = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    (entry,) = [name for name in ENTRIES if name in config]
    assert f"@{entry}['training']" in json.dumps(config)  # and from nowhere else
    cases = {"training": [*range(8)], "validation": [*range(8, 10)], "all": [*range(10)]}
    whole = {entry: {"_target_": "builtins.dict", **cases}}  # in place of what reads a folder
    parser = ConfigParser(whole | overlay(whole, 0.5))
    assert len(parser.get_parsed_content(entry)["training"]) == 4
    assert parser.get_parsed_content(entry)["validation"] == [8, 9]


def test_options_in_epochs_grow_as_epochs_shrink_and_whole_numbers_stay_whole() -> None:
    detection = {"max_epochs": 28, "val_interval": 2, "epochs_without_mosaic": 0, "warmup_epochs": 0.5, "seed": 0}
    assert stretched(detection, 4.0) == {
        "max_epochs": 112, "val_interval": 8, "epochs_without_mosaic": 0, "warmup_epochs": 2.0
    }  # fmt: skip
    assert all(type(value) is type(detection[name]) for name, value in stretched(detection, 8 / 3).items())
    assert stretched({"max_epochs": 5, "val_interval": 1, "pairs_per_epoch": 20}, 4.0) == {}  # as long with any cases
