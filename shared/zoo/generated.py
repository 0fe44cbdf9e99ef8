"""What a command writes of a checkout, from what is written by hand: configs, versions, cards, the table of bundles.

`python -m shared.zoo.generated` writes what differs; with `--check` it writes nothing, gives a line a file that differs
or cannot be made, and ends with exit code 1 where there is one.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from shared.errors import InputError, report_input_errors_in_one_line
from shared.files import parsed_json, read_text, write_atomically
from shared.zoo.bundle_table import HEAD, bundle_row
from shared.zoo.card_blocks import NEEDED, card_blocks
from shared.zoo.configs import all_recipes, as_json, load_recipe
from shared.zoo.marks import fill_blocks, fill_figures
from shared.zoo.requirements import pinned, with_versions

ROOT = Path(__file__).parents[2]
Made = tuple[Path, str]  # a file, and what it is to hold


def generated(root: Path) -> Iterator[Made | InputError]:
    """Every file of the checkout `root` that is generated, in whole or in part; an error where one cannot be made.

    The table of bundles is made where each of its rows can be.
    """
    required, recipes, rows = pinned(root), all_recipes(root), []
    for recipe in recipes:
        made: dict[Path, str] = {}
        try:
            for path, text in bundle_files(recipe.parent, required):
                made[path] = text
                yield path, text
            metadata = json.loads(made[recipe.parent / "configs" / "metadata.json"])
            rows.append(bundle_row(recipe.parent, metadata, made[recipe.parent / "docs" / "README.md"]))
        except InputError as error:
            yield error
    readme = root / "README.md"
    try:
        if len(rows) == len(recipes):
            yield (
                readme,
                fill_blocks(read_text(readme), {"bundles": "\n".join([HEAD, *rows])}, readme, needed=["bundles"]),
            )
    except InputError as error:
        yield error


def bundle_files(bundle: Path, required: dict[str, str]) -> Iterator[Made]:
    """The configs, metadata.json and card of the folder `bundle`. required: versions by the name of the package."""
    recipe = load_recipe(bundle / "recipe.py")
    configs = recipe.RECIPE.configs()
    for name, config in configs.items():
        yield bundle / "configs" / f"{name}.json", as_json(config)
    path, card = bundle / "configs" / "metadata.json", bundle / "docs" / "README.md"
    described = with_versions(read_text(path), required, path)
    yield path, described
    metadata = parsed_json(described, path)
    blocks = card_blocks(bundle.name, configs["inference"], getattr(recipe, "OPTIONS", {}), metadata)
    text = fill_blocks(read_text(card), blocks, card, needed=NEEDED)
    yield card, fill_figures(text, metadata["eval_metrics"], card)


def write(root: Path) -> Iterator[Path]:
    """Write what differs in the checkout `root`; give each file written.

    Raises InputError, after the others are written, where one cannot be made.
    """
    errors = []
    for each in generated(root):
        if isinstance(each, InputError):
            errors.append(each)
        elif _differs(*each):
            yield _write_text(*each)
    if errors:
        raise errors[0]


def faults(root: Path) -> list[str]:
    """A line for each file of the checkout `root` that is not, to the letter, what it is to hold."""
    lines = []
    for each in generated(root):
        if isinstance(each, InputError):
            lines.append(str(each))
        elif _differs(*each):
            lines.append(f"{each[0].relative_to(root)}: differs from what its sources give; run make configs")
    return lines


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or read_text(path) != text


def _write_text(path: Path, text: str) -> Path:
    return write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def main(root: Path = ROOT) -> None:
    parser = argparse.ArgumentParser(description="Write what is generated of every bundle, and the README's table.")
    parser.add_argument("--check", action="store_true", help="write nothing, report the files that differ")
    report_input_errors_in_one_line()
    if parser.parse_args().check:
        lines = faults(root)
        print("\n".join(lines), end="\n" * bool(lines))
        raise SystemExit(1 if lines else 0)
    for path in write(root):
        print(path.relative_to(root))


if __name__ == "__main__":
    main()
