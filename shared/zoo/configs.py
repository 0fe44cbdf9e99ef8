"""The JSON configs of bundles, written from their recipes, and held against them.

`python -m shared.zoo.configs` writes those of every bundle of a checkout; with `--check` it writes nothing, names each
file that differs from its recipe, and ends with exit code 1 where there is one.
"""

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

from shared.engine.recipe import Config
from shared.errors import InputError, report_input_errors_in_one_line
from shared.files import write_atomically

ROOT = Path(__file__).parents[2]
WIDTH, INDENT = 140, 4  # of the files, in columns


def all_recipes(root: Path) -> list[Path]:
    """The recipe.py of every bundle of the checkout `root`."""
    return sorted((root / "bundles").glob("*/recipe.py"))


def load_recipe(path: Path) -> Any:
    """The module in `path`, a bundle's recipe.py: its RECIPE gives, by `configs`, the configs by name."""
    spec = importlib.util.spec_from_file_location(f"recipe_of_{path.parent.name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(path, expected="the recipe of a bundle", got="no such file", fix="write it, or name another")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts_of(recipe: Path) -> dict[Path, str]:
    """What each config beside `recipe` is to hold, by its path."""
    configs: dict[str, Config] = load_recipe(recipe).RECIPE.configs()
    return {recipe.parent / "configs" / f"{name}.json": as_json(config) for name, config in configs.items()}


def as_json(config: Config) -> str:
    """The groups of `config` as one JSON object, a blank line between them; what fits stands on one line."""
    groups = [",\n".join(_entries(group, INDENT)) for group in config]
    return "{\n" + ",\n\n".join(groups) + "\n}\n"


def write(recipe: Path) -> list[Path]:
    """Write the configs beside `recipe`; those that were changed."""
    texts = texts_of(recipe)
    return [_write_text(path, texts[path]) for path in differing(recipe)]


def differing(recipe: Path) -> list[Path]:
    """The configs beside `recipe` that are not, to the letter, what it gives."""
    return [path for path, text in texts_of(recipe).items() if _content(path) != text]


def _entries(group: dict[str, Any], column: int) -> list[str]:
    return [_value(value, column, prefix=f"{json.dumps(key)}: ") for key, value in group.items()]


def _value(value: Any, column: int, prefix: str = "") -> str:
    """`value` behind `prefix`, from `column` on: on one line where it fits with a comma, else opened up."""
    line = " " * column + prefix + json.dumps(value, ensure_ascii=False)
    if len(line) < WIDTH or not isinstance(value, dict | list):
        return line
    opened, inner = (
        ("{}", _items(value, column + INDENT)) if isinstance(value, dict) else ("[]", _list(value, column + INDENT))
    )
    return f"{' ' * column}{prefix}{opened[0]}\n{inner}\n{' ' * column}{opened[1]}"


def _items(content: dict[str, Any], column: int) -> str:
    """The entries of a dictionary: one a line, but those of a component as the arguments of a call are written."""
    entries = _entries(content, column)
    return ",\n".join(_filled(entries, column) if "_target_" in content else entries)


def _list(items: list[Any], column: int) -> str:
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


def _write_text(path: Path, text: str) -> Path:
    return write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main(root: Path = ROOT) -> None:
    parser = argparse.ArgumentParser(description="Write the configs of every bundle from its recipe.py.")
    parser.add_argument("--check", action="store_true", help="write nothing, name the files that differ")
    report_input_errors_in_one_line()
    if parser.parse_args().check:
        found = [path for recipe in all_recipes(root) for path in differing(recipe)]
        for path in found:
            print(f"{path.relative_to(root)}: differs from its bundle's recipe.py; run make configs")
        raise SystemExit(1 if found else 0)
    for recipe in all_recipes(root):
        for path in write(recipe):
            print(path.relative_to(root))


if __name__ == "__main__":
    main()
