"""Imports point one way, and the tests lie where what they test lies."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each room may import those before it. Tasks do not import one another.
ORDER = (
    "version", "errors", "memory", "files", "samples", "places", "outputs", "options", "family", "commandline", "hub",
    "images", "door", "bundle", "layers", "spatial", "synthesis", "detection", "nets", "engine", "explaining", "tasks",
    "atlases", "export", "run_onnx", "zoo", "planning", "studies", "benchmarks",
)  # fmt: skip


def room(path: Path) -> str:
    """The room of a file or folder of shared/: `nets` of shared/nets/unet.py, `errors` of shared/errors.py."""
    return path.relative_to(ROOT / "shared").parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Dotted names of what a file imports of shared/, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("shared."))
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides where it leads"
            if node.module == "shared":
                yield from (f"shared.{alias.name}" for alias in node.names)
            elif (node.module or "").startswith("shared."):
                yield str(node.module)


MODULES = sorted(
    path for path in (ROOT / "shared").rglob("*.py") if path.parent != ROOT / "shared" or path.stem in ORDER
)


@pytest.mark.parametrize("path", MODULES, ids=[path.relative_to(ROOT).as_posix() for path in MODULES])
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    here = room(path)
    for name in imported(path):
        target = name.split(".")[1]
        if target == "__version__":
            continue
        assert ORDER.index(target) <= ORDER.index(here), f"{here} imports {name}"
        if here == target == "tasks":
            assert name.split(".")[2] == path.relative_to(ROOT / "shared").parts[1], f"one task imports another: {name}"


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {
        room(path) for path in (ROOT / "shared").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"__init__"} == set(ORDER)


def test_the_tests_mirror_shared() -> None:
    """A folder of tests is called as a folder of shared/ is."""
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in sorted(folders) if not (ROOT / "shared" / folder).is_dir()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.name)
def test_a_script_finds_shared_from_any_folder(path: Path) -> None:
    """Python puts scripts/ onto its path, not the checkout: it is `monai_bundle_zoo` that finds `shared`."""
    names = [
        name.split(".")[0]
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    ]
    assert "shared" not in names or names.index("monai_bundle_zoo") < names.index("shared")
