"""What is done with a registered pair: files that other tools apply, pictures, and how well it went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from shared.engine.datasets import opened_files
from shared.engine.outcomes import Figures, summary_files
from shared.engine.scores import draw_scores
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import write_json
from shared.images.cases import Case
from shared.spatial.itk import after_affine, as_stored, displacement_to_itk, grid_of, read_field, to_itk, transform_of
from shared.tasks.registration.metrics import inverse_consistency
from shared.tasks.registration.points import read_points
from shared.tasks.registration.registered import DIGITS, Registered, result_paths

DRAWN = ("dice_before", "dice_after", "folds_percent", "sd_log_jacobian")  # metrics, in scores.png

Summary = Mapping[str, Mapping[str, float | None]]  # statistics, by metric


def registered(result: Mapping[str, Any], displacement: Tensor) -> Registered:
    """The pair of a result, with the field of a network's displacement after the affine stage.

    result: what `ReadPaird` gives, "files", and perhaps "warning". displacement: (D, *S), in voxels of the grid that
    the network saw.
    """
    files = result["files"]
    grid = grid_of(displacement.shape[1:], np.asarray(result["grid"]))
    field = displacement_to_itk(displacement.detach().cpu().numpy(), grid)
    initial = transform_of(np.asarray(result["initial"]))
    warning = f"{files['moving'].path} and {files['fixed'].path}: {text}" if (text := result.get("warning")) else ""
    moved = after_affine(field, initial, to_itk(files["fixed"]))
    return replace(Registered(result["case"], field=moved, **files), warning=warning)


class RegistrationWriter:
    """Write each pair's field, moved image and label, Jacobian and pictures; report how it went.

    A result must hold what `ReadPaird` gives, "files", and "pred": the displacement (D, *S), in voxels of its grid.
    What is written comes from the images as they are, resampled once, through the field as it is in the file; see
    `result_paths` for the files; "points", a path that a result may have, are carried along. pictures: whether to draw,
    which takes longer than the rest. inverse: whether to write the field back as well.
    "seconds" are those of the registration alone, without reading and writing.
    """

    def __init__(self, output_dir: str | Path, *, pictures: bool = True, inverse: bool = False) -> None:
        self.output_dir = Path(output_dir)
        self.parts = {"pictures": pictures, "inverse": inverse}
        self.kept: dict[str, Any] = {}
        self.summaries: list[str] = []

    def targets(self, case: str) -> list[str]:
        paths = result_paths(Path(), case, labelled=True, points=True, **self.parts)
        return [path.as_posix() for path in paths]

    def finished(self, case: Case) -> Figures | None:
        has = {"labelled": "moving_label" in case, "points": "points" in case}
        paths = result_paths(self.output_dir, case["case"], **has, **self.parts)
        if not all(path.is_file() for path in paths):
            return None
        try:
            files: dict[str, Any] = opened_files(case)
            return Registered(case["case"], field=read_field(paths[0]), **files).figures()
        except InputError:  # spoilt by someone else: made anew
            return None

    def outcome(self, result: Mapping[str, Any]) -> Registered:
        pair = registered(result, result["pred"])
        return replace(pair, field=as_stored(pair.field))

    def process(self, result: Mapping[str, Any]) -> Figures:
        pair = self.outcome(result)
        points = read_points(result["points"]) if "points" in result else None
        pair.save(self.output_dir, points=points, **self.parts)
        return {"seconds": result["network_seconds"], **pair.figures()}

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Nothing concerns all pairs but the table."""


@dataclass(frozen=True)
class Ranked:
    """A pair and how well it was registered: the lower the rank, the worse."""

    rank: float
    pair: Registered


class RegistrationScorer:
    """Score each pair, by label where there are labels, and sum up over the pairs.

    A result must hold what `ReadPaird` gives, "files", and "pred": the displacement (D, *S), in voxels of its grid, or
    two in a row, from fixed to moving and back, by which inverse_consistency is measured, in voxels. class_names: of
    the labels, by id; one without a name is called by its id. Writes metrics.json (statistics of each metric),
    scores.png, and pictures of the `worst` pairs: by Dice, or, without labels, by how much they fold. pictures: whether
    any are drawn.
    """

    def __init__(
        self, output_dir: str | Path, *, class_names: Sequence[str] = (), worst: int = 3, pictures: bool = True
    ) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.worst = worst
        self.pictures = pictures
        self.kept: dict[str, Ranked] = {}
        self.summaries = summary_files(worst, pictures=pictures)

    def targets(self, case: str) -> list[str]:
        return []

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a pair alone

    def process(self, result: Mapping[str, Any]) -> Figures:
        forward, *backward = result["pred"].cpu().split(result["pred"].ndim - 1)
        pair = registered(result, forward)
        figures = {"seconds": result["network_seconds"], **pair.figures()}
        if backward:
            figures["inverse_consistency"] = round(inverse_consistency(forward[None], backward[0][None]), DIGITS)
        for when, dice in pair.overlaps.items():
            figures |= {f"dice_{when}_{self._name(label)}": round(value, DIGITS) for label, value in dice.items()}
        rank = np.nan_to_num(figures.get("dice_after", -figures["folds_percent"]), nan=np.inf)  # no score: not drawn
        self.kept[pair.case] = Ranked(float(rank), pair)
        self.kept = dict(self._worst())
        return figures

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        done = [row for row in rows if row["status"] == "ok"]
        metrics = [
            m for m in dict.fromkeys(key for row in done for key in row) if m not in ("case", "status", "message")
        ]
        values = {metric: [row.get(metric, float("nan")) for row in done] for metric in metrics}
        summary = {metric: summarise(values[metric]) for metric in metrics}
        write_json(self.output_dir / "metrics.json", {"cases": len(rows), "failed": len(rows) - len(done), **summary})
        if done and self.pictures:
            drawn = {metric: values[metric] for metric in metrics if metric in DRAWN}
            draw_scores(self.output_dir / "scores.png", drawn)
            for rank, (case, ranked) in enumerate(self._worst(), start=1):
                ranked.pair.draw(self.output_dir / f"worst_{rank}.png", title=case)
        print_summary(summary)

    def _name(self, label: int) -> str:
        return self.class_names[label] if label < len(self.class_names) else str(label)

    def _worst(self) -> list[tuple[str, Ranked]]:
        return sorted(self.kept.items(), key=lambda item: (item[1].rank, item[0]))[: self.worst]


def print_summary(summary: Summary) -> None:
    """Print the mean Dice of each label, if there are labels, and the statistics of all other metrics."""
    labels = [metric.removeprefix("dice_after_") for metric in summary if metric.startswith("dice_after_")]
    by_label = [
        {"label": label, **{f"dice_{w}": summary[f"dice_{w}_{label}"]["mean"] for w in ("before", "after")},
         "count": summary[f"dice_after_{label}"]["count"]} for label in labels
    ]  # fmt: skip
    if by_label:
        print(format_table(by_label, list(by_label[0]), most=len(by_label)), "\n")
    endings = tuple(f"_{label}" for label in labels)
    general = [{"metric": metric, **values} for metric, values in summary.items() if not metric.endswith(endings)]
    print(format_table(general, ["metric", *STATISTICS]), "\n")
