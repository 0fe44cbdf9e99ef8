"""The JSON configs of bundles, from their recipes."""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from shared.engine.recipe import Config
from shared.errors import InputError
from shared.files import visible

WIDTH, INDENT = 140, 4  # of the files, in columns


def all_recipes(root: Path) -> list[Path]:
    """The recipe.py of every bundle of the checkout `root`."""
    return visible(root, "bundles/*/recipe.py")


def load_recipe(path: Path) -> ModuleType:
    """The module in `path`, a bundle's recipe.py: its RECIPE gives, by `configs`, the configs by name."""
    spec = importlib.util.spec_from_file_location(f"recipe_of_{path.parent.name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(path, expected="the recipe of a bundle", got="no such file", fix="write it, or name another")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_json(config: Config) -> str:
    """The groups of `config` as one JSON object, a blank line between them; what fits stands on one line."""
    groups = [",\n".join(_entries(group, INDENT)) for group in config]
    return "{\n" + ",\n\n".join(groups) + "\n}\n"


def _entries(group: Mapping[str, object], column: int) -> list[str]:
    return [_value(value, column, prefix=f"{json.dumps(key)}: ") for key, value in group.items()]


def _value(value: object, column: int, prefix: str = "") -> str:
    """`value` behind `prefix`, from `column` on: on one line where it fits with a comma, else opened up."""
    line = " " * column + prefix + json.dumps(value, ensure_ascii=False)
    if len(line) < WIDTH or not isinstance(value, dict | list):
        return line
    opened, inner = (
        ("{}", _items(value, column + INDENT)) if isinstance(value, dict) else ("[]", _list(value, column + INDENT))
    )
    return f"{' ' * column}{prefix}{opened[0]}\n{inner}\n{' ' * column}{opened[1]}"


def _items(content: Mapping[str, object], column: int) -> str:
    """The entries of a dictionary: one a line, but those of a component as the arguments of a call are written."""
    entries = _entries(content, column)
    return ",\n".join(_filled(entries, column) if "_target_" in content else entries)


def _list(items: Sequence[object], column: int) -> str:
    """Dictionaries and lists one a line, numbers and words as many as fit."""
    texts = [_value(item, column) for item in items]
    return ",\n".join(texts if any(isinstance(item, dict | list) for item in items) else _filled(texts, column))


def _filled(texts: list[str], column: int) -> list[str]:
    """`texts`, which begin at `column`, as many on a line as fit with a comma; what has several lines stands alone."""
    lines: list[str] = []
    for text in texts:
        joined = f"{lines[-1]}, {text[column:]}" if lines else ""
        if lines and "\n" not in joined and len(joined) < WIDTH:
            lines[-1] = joined
        else:
            lines.append(text)
    return lines
