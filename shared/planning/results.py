"""What a trained bundle comes to: its networks, their figures, and the section of its card."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.planning.measures import Measure, Spread, figures_of, over_folds, rows_of
from shared.planning.power_law import Doubling
from shared.planning.training import Trained

PICTURES = {"training.png": "Training loss and validation score by epoch", "scores.png": "Scores of the cases"}


@dataclass(frozen=True, kw_only=True)
class Results:
    """Of a `bundle`: the networks `trained`, one a fold, which are scored by `measure`.

    thresholds: by class, where they were chosen. temperature: of a segmentation's probabilities, likewise. ensemble:
    whether the bundle's network is the mean of all.
    """

    bundle: Path
    trained: Sequence[Trained]
    measure: Measure
    thresholds: Mapping[str, float] = field(default_factory=dict)
    temperature: float | None = None
    ensemble: bool = False
    doubling: Doubling | None = None

    @property
    def spreads(self) -> dict[str, Spread]:
        return over_folds([figures_of(one.evaluation, self.measure) for one in self.trained])

    @property
    def figures(self) -> dict[str, float]:
        """As metadata have them."""
        return {name: round(spread.mean, 3) for name, spread in self.spreads.items()}

    @property
    def protocol(self) -> str:
        """What was scored, in words."""
        cases = sum(len(rows_of(one.evaluation)) for one in self.trained)
        folds = len(self.trained)
        if folds == 1:
            return f"{cases} validation case{'s' * (cases != 1)}, by which the best epoch was chosen, too"
        return (
            f"cross-validated: {folds} networks, each scored on the cases kept from it, {cases} in all, by which its"
            " best epoch was chosen, too"
        )

    @property
    def about_ensemble(self) -> str:
        if not self.ensemble:
            return ""
        return (
            f"The bundle's network is the mean of the {len(self.trained)}, which takes as many times as long. It is not"
            " scored itself, since each case was trained on by all but one of them: the figures are of single networks."
        )


def card_results(results: Results) -> str:
    """The section of the card, with its figures marked."""
    figures = results.figures
    key = results.measure.key if results.measure.key in figures else next(iter(figures))
    rows = [f"| {name} | {value:.3f}<!--{name}--> |" for name, value in figures.items()]
    command = "" if results.ensemble else _command(len(results.trained))
    paragraphs = [
        filled(f"**In short:** {key} {figures[key]:.3f}<!--{key}-->. {sentence(results.protocol)}"),
        filled(results.about_ensemble),
        "\n".join(["| figure | mean |", "| --- | --: |", *rows]),
        "[report.md](report.md) has deviations, the worst cases and more." + command,
        f"![{PICTURES['training.png']}](training.png)",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _command(folds: int) -> str:
    """By which the figures of the bundle's network, the first, come out again."""
    split = f" --fold 0 --validation_fraction {1 / folds}" if folds > 1 else ""
    run = f"python -m monai.bundle run --config_file configs/evaluate.json --dataset_dir DIR --part validation{split}"
    return f"{' Those of the first network again:' * (folds > 1)}\n```\n{run}\n```"


def filled(text: str) -> str:
    """A paragraph, in lines that break nowhere within a mark."""
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False)


def sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
