"""docs/report.md: how good a trained bundle is, where it fails, and what more data would bring."""

from collections.abc import Sequence
from pathlib import Path

from shared.planning.measures import figures_of, rows_of, worst_cases
from shared.planning.power_law import RANGE, Doubling
from shared.planning.results import PICTURES, Results, filled, sentence

NONE = "–"


def report_text(title: str, results: Results) -> str:
    """docs/report.md."""
    sections = [
        f"# {title}: how good it is",
        "Written after the training by `scripts/new_bundle.py`.",
        *_scores(results),
        *_training(results),
        *_worst(results),
        *_thresholds(results),
        *_temperature(results.temperature),
        *_doubling(results.doubling),
    ]
    return "\n\n".join(sections) + "\n"


def _scores(results: Results) -> list[str]:
    several = len(results.trained) > 1
    rows = [[name, _number(mean), _number(sd)] for name, (mean, sd) in results.spreads.items()]
    texts = [
        "## Scores",
        filled(f"{sentence(results.protocol)} ±: standard deviation over {'the folds' if several else 'the cases'}."),
        _table(["figure", "mean", "±"], rows),
    ]
    if several:
        key = results.measure.key
        folds = [(len(rows_of(one.evaluation)), figures_of(one.evaluation, results.measure)) for one in results.trained]
        texts.append(_table(["fold", "cases", key], [
            [str(number), str(cases), _number(figures[key].mean if key in figures else None)]
            for number, (cases, figures) in enumerate(folds)
        ]))  # fmt: skip
    return [*texts, *([filled(results.about_ensemble)] if results.ensemble else [])]


def _training(results: Results) -> list[str]:
    shown = [f"![{alt}]({name})" for name, alt in PICTURES.items() if (results.bundle / "docs" / name).is_file()]
    return ["## Training and validation", *shown] if shown else []


def _worst(results: Results) -> list[str]:
    worst = worst_cases([one.evaluation for one in results.trained], results.measure)
    rows = [[one.case.replace("|", "/"), f"{abs(one.badness):.4g}", f"`{_below(results.bundle, one.picture)}`"]
            for one in worst]  # fmt: skip
    return [
        f"## The {len(rows)} worst cases",
        "Pictures lie in the bundle's folder, and are not packed: they show the data.",
        _table(["case", results.measure.ranked_by, "picture"], rows),
    ]


def _below(bundle: Path, path: Path) -> str:
    return path.relative_to(bundle).as_posix()


def _thresholds(results: Results) -> list[str]:
    if not results.thresholds:
        return []
    return [
        "## Thresholds",
        "From these scores on as many objects are counted in all validation images together as there are; a class of"
        " which fewer were found keeps the planned score.",
        _table(["class", "threshold"], [[name, f"{value:g}"] for name, value in results.thresholds.items()]),
    ]


def _temperature(temperature: float | None) -> list[str]:
    if temperature is None:
        return []
    words = (
        f"Logits are divided by {temperature:g} before they are called probabilities: the median of what makes the"
        " labels of each validation case likeliest. No label changes by it. `ece` counts the voxels that are of a class"
        " in either map, background apart."
    )
    return ["## Calibration", filled(words)]


def _doubling(doubling: Doubling | None) -> list[str]:
    if doubling is None:
        return []
    low, high = RANGE
    words = (
        f"Twice the data, {2 * doubling.cases} training cases, would bring about {doubling.gain:+.3f}"
        f" ({doubling.low:+.3f} to {doubling.high:+.3f}): from {doubling.now:.3f} to {doubling.then:.3f}."
        f" This is a power law through trainings of as many steps each: the error falls as n^-{doubling.exponent:.2f}."
        f" In brackets are percentiles {low} and {high} when validation cases are drawn anew. Each row is one training:"
        " what another seed would change is not in the brackets, and nothing says that the law goes on."
    )
    rows = [[str(count), _number(score)] for count, score in doubling.means.items()]
    return ["## What more data would bring", filled(words), _table(["training cases", "mean score"], rows)]


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
