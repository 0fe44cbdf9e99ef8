"""What a task does with the result of a case, and what is reported of it. Needs no torch."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from shared.images.cases import Case

# What is reported of a case, by column; "seconds" among them stands for those of the whole case, and "message" is a
# warning about a case that was done.
Figures = dict[str, Any]
Row = Mapping[str, Any]  # of the table: what is reported of a case, and what became of it
Result = Mapping[str, Any]  # what a run gives of a case: see `CaseTask.outcome`


def as_array(values: Any) -> np.ndarray:
    """An array of what is a tensor on any device, or is one already."""
    return values.cpu().numpy() if hasattr(values, "cpu") else np.asarray(values)


class CaseTask(Protocol):
    """What is done with the result of a case, and what is reported of it.

    In several processes each does `process` for its own share of the cases, with a task of its own. Then what they
    have in `kept` is brought together, and `conclude` is called in the first process alone.
    """

    kept: dict[str, Any]  # by case, what `conclude` needs besides the table; it can be pickled

    @property
    def summaries(self) -> Sequence[str]:
        """Names of the files that `conclude` writes."""

    def targets(self, case: str) -> list[str]:
        """Where `process` writes the results of a case: paths below the output folder."""

    def finished(self, case: Case) -> Figures | None:
        """The figures of a case whose results are there already, or None where some are missing."""

    def outcome(self, result: Result) -> Any:
        """The result of a case as the dataclass of the task: `result` is its data after preprocessing, network and
        postprocessing, "files" among it those of the case, by key, and "network_seconds" what the network alone took.
        """

    def process(self, result: Result) -> Figures:
        """Write the results of a case, from the `result` of which `outcome` makes its dataclass."""

    def conclude(self, rows: Sequence[Row]) -> None:
        """Write what concerns all cases, after the last one."""


def result_of(engine: Any) -> dict[str, Any]:
    """What `CaseTask` is given of the case that `engine` has just done; a bad case has an "error" instead."""
    output: dict[str, Any] = engine.state.output[0]
    if "error" in output:
        return output
    added = {"network_seconds": engine.state.network_seconds, "files": engine.state.files}
    return {**added, **engine.state.batch[0], **output}


def summary_files(worst: int, *, pictures: bool) -> list[str]:
    """What an evaluation writes besides its table: metrics, and with `pictures` theirs and those of `worst` cases."""
    drawn = ["scores.png", *(f"worst_{rank}.png" for rank in range(1, worst + 1))]
    return ["metrics.json", *(drawn if pictures else [])]
