"""What is packed keeps to the grammar of Python 3.10, which model-zoo checks with, and imports nothing younger."""

import ast
from pathlib import Path

import pytest

from shared.version import package_files

SHARED = Path(__file__).parents[1] / "shared"
PACKED = sorted(name for name in package_files(SHARED) if name.endswith(".py"))
LATER = {"tomllib", "Self", "StrEnum", "assert_never", "Never", "LiteralString", "ExceptionGroup", "UTC", "override"}


@pytest.mark.parametrize("name", PACKED)
def test_a_packed_file_is_python_3_10(name: str) -> None:
    tree = ast.parse((SHARED / name).read_text(encoding="utf-8"), feature_version=(3, 10))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {alias.name for node in imports for alias in node.names} & LATER == set()
