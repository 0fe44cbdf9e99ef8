"""The recipe.py of a planned bundle."""

import re
from collections.abc import Mapping
from typing import Any

from shared.planning.planned import Planned
from shared.planning.python_text import Call, Name, as_filled_list, as_statement


def recipe_text(planned: Planned, title: str) -> str:
    """Long lists first, each by its name in capitals, then the recipe that refers to them."""
    module, _, kind = planned.recipe.rpartition(".")
    lists = {key: list(values) for key, values in planned.lists.items() if values}
    given = {key: Name(key.upper()) for key in lists}
    statements = [*(as_filled_list(key.upper(), values) for key, values in lists.items())]
    statements.append(as_statement("RECIPE", Call(kind, _merged(planned.arguments, given))))
    if planned.meanings:
        statements.append(as_statement("OPTIONS", dict(planned.meanings)))
    used = sorted(set(re.findall(r"\b(component|function)\(", "\n".join(statements))))
    imports = [f"from shared.engine.recipe import {', '.join(used)}", f"from {module} import {kind}"]
    head = f'"""The configs of this bundle: {title}, planned from its data. Written by `make configs`."""'
    return "\n".join([head, "", *imports, "", *statements]) + "\n"


def _merged(arguments: Mapping[str, Any], lists: Mapping[str, Name]) -> dict[str, Any]:
    """`arguments` with `lists`; where an argument is a dictionary, a list goes into it by the same name."""
    merged = dict(arguments)
    for key, name in lists.items():
        merged[key] = {**merged[key], key: name} if isinstance(merged.get(key), dict) else name
    order = ["descriptions", "class_names", "label_values"]
    return {key: merged[key] for key in sorted(merged, key=lambda key: order.index(key) if key in order else 9)}
