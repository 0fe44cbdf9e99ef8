"""What is done with an explained case: a picture, a row of figures, and a curve over all cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.engine.outcomes import Figures, Result, Row, as_array
from shared.explaining.pictures import draw_curves, draw_maps
from shared.images.cases import Case

MAPS = ("saliency", "guided", "occlusion")
CURVES = ("fgsm", "noise")


@dataclass(frozen=True)
class Explained:
    """What the evidence for a class depends on, in a view (C, *V), as the network sees it.

    maps: (*V), by names from `MAPS`. evidence: see `Reading.evidence`. curves: by names from `CURVES`, the agreement at
    each of `epsilons`. All is empty, and `class_name` "", where nothing was found.
    """

    case: str
    class_name: str
    view: np.ndarray
    evidence: float
    maps: dict[str, np.ndarray]
    epsilons: Sequence[float]
    curves: dict[str, np.ndarray]

    def figures(self) -> Figures:
        if not self.class_name:
            return {"message": f"{self.case}: nothing was found that could be explained"}
        agreements = {
            f"{name}_{epsilon:g}": round(float(value), 4)
            for name, values in self.curves.items()
            for epsilon, value in zip(self.epsilons, values)
        }
        size = " x ".join(str(side) for side in self.view.shape[1:])
        return {"class": self.class_name, "view": size, "evidence": round(self.evidence, 4)} | agreements

    def save(self, folder: str | Path) -> None:
        """Write the picture, named after the case, where something was found."""
        if self.class_name:
            title = f"{self.case}: what speaks for {self.class_name}"
            draw_maps(Path(folder) / f"{self.case}.png", self.view, self.maps, title=title)


class ExplanationWriter:
    """Write a picture of each case, and robustness.png over all of them; report how far answers hold.

    A result must hold as "pred" what `ExplainingInferer` gives, without the first axis. epsilons: the inferer's.
    """

    def __init__(self, output_dir: str | Path, *, class_names: Sequence[str], epsilons: Sequence[float]) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.epsilons = list(epsilons)
        self.summaries = ["robustness.png"]
        self.kept: dict[str, dict[str, np.ndarray]] = {}

    def targets(self, case: str) -> list[str]:
        return [f"{case}.png"]

    def finished(self, case: Case) -> Figures | None:
        return None  # the maps are not kept, so an explanation is not resumed

    def outcome(self, result: Result) -> Explained:
        found = result["pred"]
        of_class = int(found["of_class"])
        if of_class < 0:
            return Explained(result["case"], "", np.empty(0), 0.0, {}, [], {})
        return Explained(
            result["case"], self.class_names[of_class], as_array(found["view"]), float(found["evidence"]),
            {name: as_array(found[name])[0] for name in MAPS}, self.epsilons,
            {name: as_array(found[name]) for name in CURVES},
        )  # fmt: skip

    def process(self, result: Result) -> Figures:
        explained = self.outcome(result)
        explained.save(self.output_dir)
        if explained.class_name:
            self.kept[explained.case] = explained.curves
        return explained.figures()

    def conclude(self, rows: Sequence[Row]) -> None:
        if self.kept and self.epsilons:
            curves = {name: np.stack([each[name] for each in self.kept.values()]) for name in CURVES}
            draw_curves(self.output_dir / "robustness.png", self.epsilons, curves)
