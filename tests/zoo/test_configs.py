"""Configs are what the recipes give, read from top to bottom, and are found by programs that never run them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigParser

from shared.errors import InputError
from shared.zoo import configs

ROOT = Path(__file__).parents[2]
RECIPES = configs.all_recipes(ROOT)
each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.parent.name for recipe in RECIPES])
REFERENCE = re.compile(r"@(\w+(?:(?:#|::)\w+)*)")


def read(recipe: Path, name: str) -> dict[str, Any]:
    return json.loads((recipe.parent / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def test_a_bundle_without_a_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the recipe of a bundle, got no such file"):
        configs.load_recipe(tmp_path / "recipe.py")


def test_what_fits_stands_on_a_line_and_all_of_it_is_there() -> None:
    short: dict[str, Any] = {
        "_target_": "Compose",
        "transforms": [{"_target_": "A", "keys": ["image"]}, "$@b + [1, 2]"],
    }
    long = {"_target_": "B", "names": [f"name number {i}" for i in range(40)], "numbers": list(range(200)), "a": None}
    nested = {"levels": {"2": [long, short], "3": []}, "text": "ü" * 150}
    groups: list[dict[str, Any]] = [{"_desc_": "A config."}, {"short": short, "long": long}, {"nested": nested}]
    text = configs.as_json(groups)
    assert json.loads(text) == {key: value for group in groups for key, value in group.items()}
    assert f'    "short": {json.dumps(short)},\n' in text
    assert text.count("\n\n") == 2
    assert [line for line in text.splitlines() if len(line) > configs.WIDTH and "ü" not in line] == []


@each_recipe
def test_a_config_refers_to_nothing_before_it_is_defined(recipe: Path) -> None:
    for name in ("inference", "evaluate"):
        assert list(early_references(read(recipe, name), set())) == [], name
    defined: set[str] = set()
    assert list(early_references(read(recipe, "train"), defined)) == []
    assert list(early_references(read(recipe, "multi_gpu_train"), defined)) == []  # which is laid over it
    for path in recipe.parent.glob("configs/train_*.json"):
        assert list(early_references(read(recipe, path.stem), set())) == [], path


def early_references(content: Any, defined: set[str], place: str = "") -> Iterator[str]:
    """The references in `content` to ids that are not `defined` yet, in the order of the text; defines what it ends."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from early_references(value, defined, f"{place}#{key}".lstrip("#"))
    elif isinstance(content, str) and content.startswith(("$", "@")):
        names = [name.replace("::", "#") for name in REFERENCE.findall(content)]
        yield from (f"{place} refers to @{name}" for name in names if name not in defined)
    defined.add(place)


def test_a_reference_to_what_comes_later_is_seen() -> None:
    content = {"a": "$@b + 1", "b": 2, "train": {"x": "@train#y", "y": ["@b", "@train"]}}
    found = ["a refers to @b", "train#x refers to @train#y", "train#y#1 refers to @train"]
    assert list(early_references(content, set())) == found


def test_what_other_programs_ask_for_is_found_without_running_the_config(tmp_path: Path) -> None:
    """Each key first of all, by a new parser, `shared` neither imported nor on the path; MONAI Label names the root."""
    script = f"""
import sys
from pathlib import Path
from monai.bundle import ConfigParser
paths = list(sys.path)
wanted = "device bundle_root network_def network preprocessing postprocessing inferer".split()
for config in sorted(Path({str(ROOT)!r}).glob("bundles/*/configs/[ite]*.json")):
    for key in wanted if config.stem == "inference" else ["network_def"]:
        sys.path[:] = paths
        for name in [name for name in sys.modules if name.split(".")[0] == "shared"]:
            del sys.modules[name]
        parser = ConfigParser()
        parser.read_config(str(config))
        parser.update({{"bundle_root": str(config.parents[1]), "device": "cpu"}})
        assert parser.get_parsed_content(key) is not None, (config, key)
        print(config.parents[1].name, config.stem, key)
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    others = [*ROOT.glob("bundles/*/configs/[te]*.json")]  # evaluate.json, train.json and what else trains
    assert len(done.stdout.splitlines()) == len(RECIPES) * 7 + len(others)


def test_start_is_required_where_other_programs_need_it_and_nowhere_else() -> None:
    needing = {"network_def", "preprocessing", "postprocessing", "inferer"}
    for recipe in RECIPES:
        for name in ("inference", "evaluate", "train"):
            content = read(recipe, name)
            own = {key: value.pop("_requires_", None) for key, value in content.items() if isinstance(value, dict)}
            assert {key for key, value in own.items() if value == ["@start"]} <= needing
            assert "_requires_" not in json.dumps(content)


def test_a_parser_alone_takes_the_working_directory_for_the_bundle() -> None:
    parser = ConfigParser(read(RECIPES[0], "inference"))
    assert parser.get_parsed_content("bundle_root") == "."


def test_inference_is_no_longer_than_a_reader_has_patience_for() -> None:
    lengths = {
        recipe.parent.name: len((recipe.parent / "configs" / "inference.json").read_text().splitlines())
        for recipe in RECIPES
    }
    assert {name: length for name, length in lengths.items() if length > 112} == {}
