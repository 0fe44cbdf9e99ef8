"""Finding the pairs of images to register."""

from collections.abc import Iterator
from pathlib import Path

from shared.errors import InputError
from shared.files import read_table
from shared.images.cases import Case
from shared.images.reading import without_ending
from shared.images.standard import STANDARD, with_standard

IMAGES, LABELS = ("moving", "fixed"), ("moving_label", "fixed_label")
MORE = (*LABELS, "points")
PAIRS_FILE = "pairs.csv"


def find_pairs(
    dataset_dir: str | Path,
    *,
    moving: str | None = None,
    fixed: str | None = None,
    moving_label: str | None = None,
    fixed_label: str | None = None,
    points: str | None = None,
) -> list[Case]:
    """The pairs that pairs.csv in `dataset_dir` lists, or the one that `moving` and `fixed` name.

    Each is {"case": its id, "moving": path, "fixed": path} and, where there are any, "moving_label", "fixed_label" and
    "points", of the moving image. Paths in the table are relative to it; its columns are moving, fixed and optionally
    id, moving_label, fixed_label, points. A word such as `mni152` stands for a standard frame: see `with_standard`.
    An id defaults to `<moving>_to_<fixed>`. Raises InputError for a missing table or column, half a pair, or an id
    that is repeated or is no name of a folder.
    """
    paths = dict(zip(IMAGES + MORE, (moving, fixed, moving_label, fixed_label, points)))
    if moving or fixed:
        pair = {key: str(path) for key, path in paths.items() if path}
        return [_checked(pair, "--moving and --fixed")]
    table = Path(dataset_dir)
    table = table / PAIRS_FILE if table.is_dir() else table
    rows = read_table(table)
    if not rows:
        raise InputError(
            table, expected="a table of pairs with the columns moving, fixed", got="none, or no rows",
            fix="write it, or give --moving FILE --fixed FILE",
        )  # fmt: skip
    pairs = list(_pairs_of(table, rows))
    seen: set[str] = set()
    for pair in pairs:
        if pair["case"] in seen:
            raise InputError(
                table, expected="each id once", got=f"{pair['case']} again", fix="give the pairs other ids"
            )
        seen.add(pair["case"])
    return pairs


def _pairs_of(table: Path, rows: list[dict[str, str]]) -> Iterator[Case]:
    missing = [key for key in IMAGES if key not in rows[0]]
    if missing:
        raise InputError(
            table, expected="the columns moving, fixed", got=", ".join(filter(None, rows[0])),
            fix=f"add {' and '.join(missing)}",
        )  # fmt: skip
    for number, row in enumerate(rows, start=2):  # as a spreadsheet numbers them
        named = {key: row[key].strip() for key in IMAGES + MORE if (row.get(key) or "").strip()}
        pair = {key: name if name in STANDARD else str(table.parent / name) for key, name in named.items()}
        yield _checked(pair, f"{table}, line {number}", (row.get("id") or "").strip())


def _checked(pair: Case, source: str, name: str = "") -> Case:
    missing = [key for key in IMAGES if key not in pair]
    if missing:
        raise InputError(source, expected="both moving and fixed", got=f"no {missing[0]}", fix="add it")
    name = name or "_to_".join(without_ending(Path(pair[key])).name for key in IMAGES)
    if Path(name).name != name or name in (".", ".."):
        raise InputError(source, expected="an id that can name a folder", got=repr(name), fix="choose another id")
    return {"case": name, **with_standard(pair)}
