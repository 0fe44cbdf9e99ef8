"""The report of how robust a segmentation of heads is: curves, a table, and quality against Dice."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from shared.files import write_atomically
from shared.studies.head_perturbing import PERTURBATIONS
from shared.studies.pictures import COLOURS, Curve, draw_curves
from shared.studies.robustness import NO_HEAD, NOTHING, Answer

CURVES, SCATTER = "robustness.png", "quality.png"
GOOD = 0.5  # Dice below which a case counts as failed here; whole heads as they are have some 0.7
REPORT = """# How robust the segmentation is

Dice over the structures that the reference has, left and right apart, of real heads that were made worse:
{heads}, whose labels are automatic. Every answer is the bundle's own, from Python as a user gets it, scored on the grid
of the scan that was made worse. Along which axis a head gets thick slices, is turned or cut, changes from head to head.
Made by
```
{command}
```
with the weights {weights}.

![Dice against each perturbation]({curves})

*Lines: means over the heads, their range shaded. The first point of each is the heads as they are.*

{table}

- **slice thickness**: slices as far apart as they are thick, each a Gaussian of that full width at half its maximum.
- **noise**: Rician; standard deviation as a share of the range between the 0.5 and 99.5 percentiles.
- **bias field**: standard deviation of its logarithm at knots {knots:g} mm apart.
- **rotation**: the head scanned on a turned grid, as the header says. The network works along the grid's axes, so that
  it sees a tilted head.
- **field of view**: a share of the scan is missing at one end. A structure that is not in the scan is not scored, but
  counts as missing in `quality`.
- **inverted**: the head alone, dark air staying dark, or all of the image.

## Does `quality` tell which cases failed?

![Quality against Dice]({scatter})

*Dotted: `--lowest_quality`.*

Spearman's rho between `quality` and Dice is {rho:.2f} over {count} images of heads. `quality` is {offset} than Dice, by
{difference:.2f} on average.

{verdicts}

{negatives}
"""


def write_report(folder: Path, answers: Sequence[Answer], *, lowest_quality: float, knots: float, command: str) -> str:
    """Write robustness.md and its pictures into `folder`, and return the text."""
    heads = [answer for answer in answers if answer.head != NO_HEAD]
    draw_curves(
        folder / CURVES, {title: curves(heads, title) for title in PERTURBATIONS}, ylabel="Dice", columns=3,
        ticks={title: p.names for title, p in PERTURBATIONS.items() if p.names},
    )  # fmt: skip
    draw_quality(folder / SCATTER, answers, lowest_quality)
    dice, quality = (np.array([getattr(answer, name) for answer in heads]) for name in ("dice", "quality"))
    difference = float((quality - dice).mean())
    text = REPORT.format(
        heads=_counted(heads), command=command, weights=answers[0].weights, curves=CURVES, scatter=SCATTER,
        knots=knots, table=_table(heads), rho=stats.spearmanr(dice, quality).statistic, count=len(heads),
        offset="higher" if difference > 0 else "lower", difference=abs(difference),
        verdicts=_verdicts(dice, quality, lowest_quality), negatives=_negatives(answers, lowest_quality),
    )  # fmt: skip
    write_atomically(folder / "robustness.md", lambda path: path.write_text(text, encoding="utf-8"))
    return text


def curves(heads: Sequence[Answer], title: str) -> dict[str, Curve]:
    """The Dice of each head of a contrast against the levels of a perturbation, from the head as it is on."""
    by_contrast: dict[str, dict[str, dict[float, float]]] = {}
    for answer in heads:
        if answer.perturbation in (NOTHING, title):
            level = PERTURBATIONS[title].untouched if answer.perturbation == NOTHING else answer.level
            by_contrast.setdefault(answer.contrast, {}).setdefault(answer.head, {})[level] = answer.dice
    levels = [PERTURBATIONS[title].untouched, *PERTURBATIONS[title].levels]
    return {
        contrast: (levels, [[of_head[level] for level in levels] for of_head in of_heads.values()])
        for contrast, of_heads in sorted(by_contrast.items(), reverse=True)
    }


def draw_quality(path: Path, answers: Sequence[Answer], lowest_quality: float) -> Path:
    """Draw each image's quality against its Dice into a PNG; what is no head has a Dice of 0."""
    from matplotlib.figure import Figure  # 0.5 s to import, needed for pictures alone

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.contrast or NO_HEAD, []).append(answer)
    for colour, (name, group) in zip(COLOURS, groups.items()):
        dice = np.nan_to_num([answer.dice for answer in group])
        axes.scatter(dice, [answer.quality for answer in group], s=14, color=colour, alpha=0.7, label=name)
    axes.axhline(lowest_quality, color="black", linestyle=":", linewidth=1)
    axes.axline((0, 0), slope=1, color="gray", linewidth=0.5)
    axes.set(xlabel="Dice", ylabel="quality", xlim=(-0.03, 1), ylim=(-0.03, 1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def _counted(heads: Sequence[Answer]) -> str:
    """Such as "6 FLAIR, 6 T1"."""
    names = {(answer.contrast, answer.head) for answer in heads}
    contrasts = sorted({contrast for contrast, _ in names}, reverse=True)
    return ", ".join(f"{sum(c == contrast for c, _ in names)} {contrast}" for contrast in contrasts)


def _table(heads: Sequence[Answer]) -> str:
    contrasts = sorted({answer.contrast for answer in heads}, reverse=True)
    head = ["", "", *(f"Dice, {c}" for c in contrasts), *(f"quality, {c}" for c in contrasts)]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    levels = [(NOTHING, 0.0, "")]
    for title, perturbation in PERTURBATIONS.items():
        names = perturbation.names[1:] or [f"{level:g}" for level in perturbation.levels]
        levels += [(title, level, name) for level, name in zip(perturbation.levels, names)]
    for title, level, name in levels:
        found = [answer for answer in heads if (answer.perturbation, answer.level) == (title, level)]
        means = _means(found, contrasts, "dice") + _means(found, contrasts, "quality")
        lines.append(["as they are" if title == NOTHING else title, name, *means])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _means(answers: Sequence[Answer], contrasts: Sequence[str], name: str) -> list[str]:
    return [f"{np.mean([getattr(a, name) for a in answers if a.contrast == c]):.3f}" for c in contrasts]


def _verdicts(dice: np.ndarray, quality: np.ndarray, lowest: float) -> str:
    counts: Mapping[str, np.ndarray] = {f"Dice ≥ {GOOD}": dice >= GOOD, f"Dice < {GOOD}": dice < GOOD}
    lines = ["| heads of | images | warned about |", "| --- | --: | --: |"]
    lines += [f"| {name} | {mask.sum()} | {(quality[mask] < lowest).sum()} |" for name, mask in counts.items()]
    return "\n".join(lines)


def _negatives(answers: Sequence[Answer], lowest: float) -> str:
    named = [f"{a.perturbation} {a.quality:.2f}" for a in answers if a.head == NO_HEAD]
    return f"What is no head has a quality of: {', '.join(named)}; below {lowest:g} a case is warned about."
