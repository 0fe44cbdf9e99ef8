"""Plain values and components as Python writes them, laid out as ruff's formatter does."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, INDENT = 120, 4
GLUE = "\0"  # in place of the blanks within an argument, where lines must not be broken


class Name(str):
    """A text that stands for what it names."""

    __slots__ = ()


@dataclass(frozen=True)
class Call:
    """`name(key=value, …)`."""

    name: str
    arguments: Mapping[str, object]


def as_statement(name: str, value: object) -> str:
    """`NAME = value`: on one line, or else opened up, an entry a line."""
    return _placed(f"{name} = ", value, 0, "")


def as_filled_list(name: str, items: Sequence[object]) -> str:
    """`NAME = [ … ]`, a component a line or as few as hold it, of others as many on a line as fit.

    What ruff would lay out otherwise is marked for it.
    """
    line = f"{name} = {_in_line(list(items))}"
    if len(line) <= WIDTH:
        return line
    if any(isinstance(item, Mapping) for item in items):
        lines = [part for item in items for part in _call_lines(item)]
    else:
        lines = textwrap.wrap(", ".join(map(_in_line, items)) + ",", WIDTH - INDENT, break_on_hyphens=False)
    return "\n".join([f"{name} = [", *(" " * INDENT + part for part in lines), "]  # fmt: skip"])


def _placed(prefix: str, value: object, column: int, end: str) -> str:
    line = f"{' ' * column}{prefix}{_in_line(value)}{end}"
    if len(line) <= WIDTH or not isinstance(value, dict | list | tuple | Call) or not value:
        return line
    inner = [_placed(before, entry, column + INDENT, ",") for before, entry in _entries(value)]
    opened, closed = _brackets(value)
    return "\n".join([f"{' ' * column}{prefix}{opened}", *inner, f"{' ' * column}{closed}{end}"])


def _in_line(value: object) -> str:
    if isinstance(value, Name):
        return value
    if isinstance(value, str):
        return _quoted(value)
    if not isinstance(value, dict | list | tuple | Call):
        return repr(value)
    opened, closed = _brackets(value)
    single = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return f"{opened}{', '.join(before + _in_line(entry) for before, entry in _entries(value))}{single}{closed}"


def _quoted(text: str) -> str:
    """In the quotes of which fewer have to be marked."""
    double = json.dumps(text, ensure_ascii=False)
    if text.count('"') <= text.count("'"):
        return double
    within = double[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{within}'"


def _entries(value: object) -> list[tuple[str, object]]:
    """What stands before each entry of a call, dictionary or list, and the entry."""
    if isinstance(value, Call):
        return [(f"{key}=", entry) for key, entry in value.arguments.items()]
    if isinstance(value, Mapping) and "_target_" in value:
        arguments = {key: entry for key, entry in value.items() if key not in ("_target_", "_mode_")}
        return [("", value["_target_"]), *((f"{key}=", entry) for key, entry in arguments.items())]
    if isinstance(value, Mapping):
        return [(f"{_in_line(key)}: ", entry) for key, entry in value.items()]
    assert isinstance(value, list | tuple)
    return [("", entry) for entry in value]


def _brackets(value: object) -> tuple[str, str]:
    if isinstance(value, Call):
        return f"{value.name}(", ")"
    if isinstance(value, Mapping) and "_target_" in value:
        return ("function(" if "_mode_" in value else "component("), ")"
    return ("{", "}") if isinstance(value, Mapping) else ("(", ")") if isinstance(value, tuple) else ("[", "]")


def _call_lines(call: object) -> list[str]:
    """A call with a comma behind it: on one line, or with as many arguments on each as fit."""
    line = f"{_in_line(call)},"
    if INDENT + len(line) <= WIDTH:
        return [line]
    opened, closed = _brackets(call)
    arguments = ", ".join(f"{before}{_in_line(entry)}".replace(" ", GLUE) for before, entry in _entries(call))
    wrapped = textwrap.wrap(f"{arguments},", WIDTH - 2 * INDENT, break_on_hyphens=False, break_long_words=False)
    return [opened, *(" " * INDENT + part.replace(GLUE, " ") for part in wrapped), f"{closed},"]
