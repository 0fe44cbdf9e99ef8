"""Benchmarks as a document: a section a kind of machine, of which a run replaces its own."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shared.benchmarks.machine import KINDS
from shared.benchmarks.methods import BATCH, MOST_VOXELS
from shared.benchmarks.plot import draw_ratios
from shared.benchmarks.tables import Measured, Row, Table, with_ratios
from shared.files import write_atomically

FILE = "benchmarks.md"
HEAD = f"""# Benchmarks

Figures of different kinds of machine are different tables: a section each, which `make benchmarks` on such a machine
replaces. Each ratio is to the bundle as it is shipped, its table's first row, measured in the same run: above 1 is
slower for × time, × first and × start-up, faster for × rate, and more for × memory. Compare ratios, not milliseconds,
between machines.

- **median ms, min ms**: from one image in memory to its result, by the bundle's inferer (a detector: with suppression).
  Peers that are networks run by themselves, without what would come before and after them, with the weights that they
  start with. Rounds alternate between the methods; in each a method runs twice, and the second time counts;
  one that takes a second or more runs once, and one that takes longer than all rounds are to runs in the first alone.
- **images/s**: the network alone on a batch of {BATCH} of what it sees of that image, of volumes on at most
  {MOST_VOXELS:,} voxels at once; medians of rounds likewise.
- **peak MiB, start-up s**: each method once, in a process of its own: the highest resident memory, and the time from
  the start of the interpreter to the first result, imports and reading weights included; of torch.compile also
  compiling, with nothing compiled before. Exports, and what OpenVINO compiles once and keeps, are done before. The
  process that compiles starts others, whose memory is not counted.
- **as shipped** is fused, and in bfloat16 where the bundle says so and the processor multiplies matrices in it (AMX);
  one row has the other precision. **best in torch** is a peer treated the same: its convolutions by oneDNN, fused,
  in the layout and precision that a short trial found the fastest, which a line below the table names.
- **whole commands**: `python -m monai.bundle run` and others as a user types them, on the bundle's samples again and
  again: first result s from the start to the files of the first case, cases/s after it (several processes: after the
  first of each), CPU s of all processes, peak MiB of the largest. Each runs once.
"""
NO_GPU = "No figures yet: `bash scripts/bench_gpu.sh`, on a machine with a GPU, writes them here within 8 minutes."
RUN = "Made by `{command}` on {date} in {minutes} min: {machine}; {versions}."


def write_report(folder: str | Path, kind: str, bundles: Sequence[Measured], run: Mapping[str, str]) -> Path:
    """Write to `folder` benchmarks.md, with what it has of other kinds, and benchmarks_<kind>.png of methods timed.

    kind: of `KINDS`. run: its "command", "date", "minutes", "machine", "versions".
    """
    path = Path(folder) / FILE
    sections = {**_sections(path), KINDS[kind]: _section(Path(folder) / f"benchmarks_{kind}.png", bundles, run)}
    sections = {KINDS["gpu"]: NO_GPU, **sections}
    ordered = [f"## {title}\n\n{sections[title].strip()}\n" for title in KINDS.values() if title in sections]
    text = "\n".join([HEAD, *ordered])
    return write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _sections(path: Path) -> dict[str, str]:
    """The text below each of the document's headings of kinds."""
    if not path.is_file():
        return {}
    parts = path.read_text(encoding="utf-8").split("\n## ")[1:]
    by_title = {title: text for title, _, text in (part.partition("\n") for part in parts)}
    return {title: text for title, text in by_title.items() if title in KINDS.values()}


def _section(picture: Path, bundles: Sequence[Measured], run: Mapping[str, str]) -> str:
    timed = {bundle: rows for bundle, tables in bundles for rows in _timed_rows(tables)}
    parts = [RUN.format(**run)]
    if timed:
        draw_ratios(picture, timed)
        parts.append(f"![How long each method takes for one image, × the bundle's own time]({picture.name})")
    for bundle, tables in bundles:
        parts += [f"### {bundle}", *(block for table in tables for block in _blocks(table))]
    return "\n\n".join(parts)


def _timed_rows(tables: Sequence[Table]) -> Iterator[list[Row]]:
    return (table.rows for table in tables if any("median_ms" in row for row in table.rows))


def _blocks(table: Table) -> Iterator[str]:
    yield table.caption
    yield _markdown(with_ratios(table.rows))
    if table.notes:
        yield "\n".join(f"- {note}" for note in table.notes)


def _markdown(rows: Sequence[Row]) -> str:
    names = list(rows[0])
    lines = [names, ["---", *["--:"] * (len(names) - 1)], *([_text(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: str | float | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
