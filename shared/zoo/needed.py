"""Which files of `shared` a bundle needs: those that its configs name, and those that these import in turn."""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from shared.errors import InputError

NAME = re.compile(r"\bshared(?:\.\w+)+")


def needed_files(root: Path, configs: Iterable[Path], scripts: Iterable[Path] = ()) -> list[Path]:
    """Paths relative to `root` of the parts of `root`/shared that `configs` (JSON) and `scripts` (Python) need.

    Every package on the way comes with its __init__.py, and a module with a JSON file of its name. Raises InputError
    where a config is no JSON or names what is not there.
    """
    waiting = [_file_of(root, name, path) for path in configs for name in _names_in_config(path)]
    waiting += [_file_of(root, name, path) for path in scripts for name in _names_in_source(path, root)]
    found: set[Path] = set()
    tables: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.with_suffix(".json").is_file():  # a module's table
            tables.add(path.with_suffix(".json"))
        waiting += [_file_of(root, name, path) for name in _names_in_source(path, root)]
        waiting += [folder / "__init__.py" for folder in path.parents if folder.is_relative_to(root / "shared")]
    return sorted(path.relative_to(root) for path in found | tables)


def imported_packages(files: Iterable[Path]) -> set[str]:
    """Top-level names of what is neither `shared` nor of the standard library, and imported as the `files` are loaded.

    What a function imports when it is called, an option's, is not among them.
    """
    names = {name.split(".")[0] for path in files for name in _imports(path, path.parent, called=False)}
    return names - sys.stdlib_module_names - {"shared"}


def _names_in_config(path: Path) -> Iterator[str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, expected="a config in JSON", got=error, fix="mend the file") from error
    yield from _names_in_value(content)


def _names_in_value(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from NAME.findall(value)
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _names_in_value(part)


def _names_in_source(path: Path, root: Path) -> Iterator[str]:
    """What the file imports of `shared`, and names of its parts that are kept as text, as a `_target_` is."""
    yield from (name for name in _imports(path, root) if name.split(".")[0] == "shared")
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
            yield node.value


def _imports(path: Path, root: Path, *, called: bool = True) -> Iterator[str]:
    """Dotted names; relative ones are told from `root`. called: also those that functions import when called."""
    waiting: list[ast.AST] = [_parsed(path)]
    while waiting:
        node = waiting.pop()
        if called or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = path.relative_to(root).parts[: -node.level] if node.level else ()
            module = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(path, expected="a file of Python", got=error, fix="mend the file") from error


def _file_of(root: Path, name: str, named_in: Path) -> Path:
    """The module that the dotted `name` is or lies in; `shared.nets.yolo.Yolo` lies in shared/nets/yolo.py."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        base = root.joinpath(*parts[:length])
        if base.with_suffix(".py").is_file():
            return base.with_suffix(".py")
        if (base / "__init__.py").is_file() and length >= len(parts) - 1:
            return base / "__init__.py"
    raise InputError(named_in, expected="names of parts of shared/", got=name, fix="correct the name")
