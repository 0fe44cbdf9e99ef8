"""Benchmarks as tables and as a picture."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shared.benchmarks.bundles import Measured, Row
from shared.benchmarks.tensors import BATCH
from shared.files import write_atomically
from shared.studies.pictures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Figure(NamedTuple):
    """A column of the table, and that of its ratio to the first row's, if it has one."""

    key: str
    title: str
    ratio: str = ""


FIGURES = (
    Figure("median_ms", "median ms", "× time"),
    Figure("min_ms", "min ms"),
    Figure("images_per_s", "images/s", "× rate"),
    Figure("peak_mib", "peak MiB", "× memory"),
    Figure("device_mib", "GPU MiB", "× GPU"),
    Figure("start_s", "start-up s", "× start-up"),
)
REPORT = f"""# Benchmarks

Made by `{{command}}` on {{date}}: {{machine}}; {{versions}}.

Each ratio is to the bundle as it is shipped, its table's first row, measured in the same run: above 1 is slower for
× time and × start-up, faster for × rate, and more for × memory. Compare ratios, not milliseconds, between machines.

- **median ms, min ms**: from one image in memory to its result, by the bundle's inferer (a detector: with suppression).
  Peers that are networks run by themselves, without what would come before and after them, with the weights that they
  start with. Rounds alternate between the methods; in each a method runs twice, and the second time counts.
- **images/s**: the network alone on a batch of {BATCH} of what it sees of that image; medians of rounds likewise.
- **peak MiB, start-up s**: each method once, in a process of its own: the highest resident memory, and the time from
  the start of the interpreter to the first result, imports and reading weights included; of torch.compile also
  compiling, with nothing compiled before. Exporting for onnxruntime is done before. The process that compiles starts
  others, whose memory is not counted.
- **float32** is there where the bundle is shipped in bfloat16, which peers are not, and onnxruntime's file is not.

![How long each method takes for one image, in shares of the bundle's own time](benchmarks.png)
"""


def table_rows(measured: Measured) -> list[Row]:
    """A row a method with what was measured and its ratios to the first; None where there is none."""
    first = measured.rows[0]
    present = [figure for figure in FIGURES if any(figure.key in row for row in measured.rows)]
    rows: list[Row] = []
    for row in measured.rows:
        cells: Row = {"method": row["method"]}
        for key, title, ratio in present:
            cells[title] = row.get(key)
            if ratio:
                cells[ratio] = row[key] / first[key] if key in row and key in first else None
        rows.append(cells)
    return rows


def described(measured: Measured) -> str:
    """What was measured, in a line."""
    rounds = " and ".join(f"{count} rounds of {part}" for part, count in measured.rounds.items())
    return f"Input {' × '.join(map(str, measured.image))}{'; ' if rounds else ''}{rounds}."


def notes_on(measured: Measured) -> Iterator[str]:
    """A line for each method that has no figures, or no throughput, with the reason."""
    return (f"{name}: {reason}" for name, reason in measured.reasons.items())


def write_report(folder: str | Path, bundles: Sequence[Measured], run: Mapping[str, str]) -> Path:
    """Write benchmarks.md and benchmarks.png to `folder`; run: its "command", "date", "machine", "versions"."""
    draw_ratios(Path(folder) / "benchmarks.png", bundles)
    parts = [REPORT.format(**run)]
    for measured in bundles:
        notes = "\n".join(f"- – {line}" for line in notes_on(measured))
        parts.append(f"## {measured.bundle}\n\n{described(measured)}\n\n{_markdown(table_rows(measured))}\n")
        parts += [f"{notes}\n"] if notes else []
    text = "\n".join(parts)
    return write_atomically(
        Path(folder) / "benchmarks.md", lambda temporary: temporary.write_text(text, encoding="utf-8")
    )


def draw_ratios(path: str | Path, bundles: Sequence[Measured]) -> Path:
    """Draw a panel a bundle into a PNG: a bar a method, its time for one image as a ratio to what is shipped."""
    from matplotlib.figure import Figure as Canvas  # 0.5 s to import, needed for pictures alone

    columns = min(2, len(bundles))
    lines = math.ceil(len(bundles) / columns)
    most = max(len(measured.rows) for measured in bundles)
    figure = Canvas(figsize=(7 * columns, (0.34 * most + 0.9) * lines + 0.4), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True).ravel()
    for axes, measured in zip(panels, bundles):
        _draw_panel(axes, measured)
    for axes in panels[len(bundles) :]:
        axes.set_axis_off()
    figure.suptitle("time for one image, × what is shipped: blue ours, orange peers; left of the line is faster")
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def _draw_panel(axes: "Axes", measured: Measured) -> None:
    ratios = {row["method"]: row.get("× time") for row in table_rows(measured)}
    shown = [ratio or 1.0 for ratio in ratios.values()]
    ours = [name.startswith("ours") for name in ratios]
    axes.barh(range(len(ratios)), [r - 1 for r in shown], left=1, color=[COLOURS[0 if o else 5] for o in ours])
    for place, ratio in enumerate(ratios.values()):
        text = "–" if ratio is None else f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}"
        axes.annotate(
            text, (max(ratio or 1, 1), place), (4, 0), textcoords="offset points", va="center", fontsize=8
        )  # fmt: skip
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_yticks(range(len(ratios)), list(ratios), fontsize=8)
    axes.invert_yaxis()
    axes.set_title(measured.bundle, fontsize=10)
    axes.grid(axis="x", alpha=0.3)


def _markdown(rows: Sequence[Row]) -> str:
    names = list(rows[0])
    lines = [names, ["---", *["--:"] * (len(names) - 1)], *([_text(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: str | float | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
