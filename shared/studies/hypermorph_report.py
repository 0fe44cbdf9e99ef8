"""The report of the study that puts HyperMorph's claim to the test."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from shared.files import write_atomically
from shared.studies.hypermorph import Measured, Row
from shared.studies.multiresunet import paired
from shared.studies.pictures import draw_lines

PICTURE = "hypermorph.png"
DICE, STRUCTURE = "dice_after", "dice_after_"
FIGURES = {"Dice": DICE, "folds %": "folds_percent", "sd log det J": "sd_log_jacobian"}
ONE, OWN = "one network", "a network each"
Score = Callable[[Sequence[Row]], float]

REPORT = """# One network for any weight of smoothness (HyperMorph) put to the test

λ weights the smoothness of the field against the likeness of the images. HyperMorph's claim (Hoopes et al., MELBA
2022): one network that takes λ as an input does as well at each λ as a network that was trained for it. Here λ scales
and shifts the features of the blocks (FiLM); a hypernetwork, which makes all weights as in the paper, is not part of
this study. All networks were trained by `train.json` without labels, from scratch, with one budget and one seed:
{budget}. Scores are those of `evaluate.json` on {pairs} validation pairs, after the last epoch. The budget is
small: compare these scores with each other and not with the card's. Made by
```
{command}
```

![Dice, folds and sd log det J over λ, and Dice by the size of the ventricles]({picture})

{table}

{verdict}

## Which λ is the best, and for what

{best}

The best λ is that of the highest mean Dice over the pairs; "gain" is what it adds to the λ that is the best for all
structures. Sides are taken together. Large ventricles: the half of the pairs in which the lateral ventricles of both
images have more voxels.
"""


def write_report(folder: Path, measured: Measured, *, budget: str, command: str) -> str:
    """Write hypermorph.md and its picture into `folder`, and return the text. budget: of each network."""
    lambdas = sorted(measured.one)
    groups = by_ventricles(measured)
    panels = {
        quantity: {
            ONE: (lambdas, [mean(measured.one[w], column) for w in lambdas]),
            OWN: (lambdas, [mean(measured.own[w], column) for w in lambdas]),
        }
        for quantity, column in FIGURES.items()
    }
    panels[f"Dice, {ONE}"] = {
        group: (lambdas, [mean(chosen(measured.one[w]), DICE) for w in lambdas]) for group, chosen in groups.items()
    }
    draw_lines(folder / PICTURE, panels, xlabel="λ", ticks=[f"{w:g}" for w in lambdas])
    text = REPORT.format(
        budget=budget, pairs=len(measured.one[lambdas[0]]), command=command, picture=PICTURE,
        table=_table(measured, lambdas), verdict=_verdict(measured, lambdas), best=_best_table(measured, lambdas),
    )  # fmt: skip
    write_atomically(folder / "hypermorph.md", lambda path: path.write_text(text, encoding="utf-8"))
    return text


def mean(rows: Sequence[Row], *columns: str) -> float:
    """Over rows and columns, but for what is empty; NaN where all is."""
    values = [float(row[column]) for row in rows for column in columns if row.get(column)]
    return float(np.mean(values)) if values else float("nan")


def by_ventricles(measured: Measured) -> dict[str, Callable[[Sequence[Row]], list[Row]]]:
    """What picks the rows of the pairs with small and with large ventricles."""
    middle = float(np.median([*measured.ventricles.values()]))
    return {
        "small ventricles": lambda rows: [row for row in rows if measured.ventricles[row["case"]] <= middle],
        "large ventricles": lambda rows: [row for row in rows if measured.ventricles[row["case"]] > middle],
    }


def best_lambda(by_lambda: Mapping[float, float]) -> float:
    """That of the highest value, which is no NaN; the smallest of such."""
    return max(sorted(by_lambda), key=lambda w: np.nan_to_num(by_lambda[w], nan=-1.0))


def _table(measured: Measured, lambdas: Sequence[float]) -> str:
    head = ["λ", *(f"{quantity}, {who}" for quantity in FIGURES for who in (ONE, OWN))]
    ways = (measured.one, measured.own)
    figures = {w: [mean(rows[w], column) for column in FIGURES.values() for rows in ways] for w in lambdas}
    return _markdown(head, [[f"{w:g}", *(f"{figure:.3f}" for figure in figures[w])] for w in lambdas])


def _verdict(measured: Measured, lambdas: Sequence[float]) -> str:
    """How much the one network lacks at each λ and at its best, and what each way costs."""
    lacks = [mean(measured.one[w], DICE) - mean(measured.own[w], DICE) for w in lambdas]
    best = {
        who: best_lambda({w: mean(rows[w], DICE) for w in lambdas})
        for who, rows in ((ONE, measured.one), (OWN, measured.own))
    }
    values = {
        who: {row["case"]: float(row[DICE]) for row in rows[best[who]]}
        for who, rows in ((ONE, measured.one), (OWN, measured.own))
    }
    found = paired(values, ONE, OWN)
    return (
        f"Against the network of the same λ the one network has {np.mean(lacks):+.3f} Dice on average, from"
        f" {min(lacks):+.3f} to {max(lacks):+.3f}. Each at its best λ ({best[ONE]:g} and {best[OWN]:g}), it has"
        f" {found['difference']:+.4f} (p = {found['p']:.2g}, Wilcoxon's signed-rank test over {found['count']} pairs;"
        f" one training each).\nTraining took {measured.seconds['one']:.0f} s of the clock for the one network and"
        f" {measured.seconds['own']:.0f} s for the {len(lambdas)}, whatever else ran beside."
    )


def _best_table(measured: Measured, lambdas: Sequence[float]) -> str:
    """A row for all, each group and each structure: the best λ of both ways, and what it gains."""
    overall: dict[str, float] = {}
    lines = []
    for name, score in _subsets(measured, measured.one[lambdas[0]]).items():
        line = [name]
        for who, rows in ((ONE, measured.one), (OWN, measured.own)):
            by_lambda = {w: score(rows[w]) for w in lambdas}
            best = best_lambda(by_lambda)
            gain = by_lambda[best] - by_lambda[overall.setdefault(who, best)]
            line += [f"{best:g}", f"{by_lambda[best]:.3f}", f"{gain:+.3f}"]
        lines.append(line)
    head = ["", *(f"{what}, {who}" for who in (ONE, OWN) for what in ("best λ", "Dice", "gain"))]
    return _markdown(head, lines)


def _subsets(measured: Measured, first: Sequence[Row]) -> dict[str, Score]:
    """What gives the Dice of all, which comes first, of each group of pairs, and of each structure in `first`."""
    structures: dict[str, list[str]] = {}
    for column in first[0]:
        if column.startswith(STRUCTURE) and any(row[column] for row in first):
            name = column.removeprefix(STRUCTURE)
            structures.setdefault(name.removeprefix("left_").removeprefix("right_").replace("_", " "), []).append(
                column
            )
    return {
        "all structures": _of_columns(DICE),
        **{group: _of_pairs(chosen) for group, chosen in by_ventricles(measured).items()},
        **{name: _of_columns(*sides) for name, sides in structures.items()},
    }


def _of_columns(*columns: str) -> Score:
    return lambda rows: mean(rows, *columns)


def _of_pairs(chosen: Callable[[Sequence[Row]], list[Row]]) -> Score:
    return lambda rows: mean(chosen(rows), DICE)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
