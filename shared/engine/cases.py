"""Running a bundle over the cases of a folder: a bad case is handed on, and the others are done."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator

from shared.engine.fusing import FusedNetwork
from shared.engine.weights import load_weights
from shared.errors import input_error_behind, unforeseen
from shared.images.cases import Case

# What is reported of a case, by column; "seconds" among them stands for those of the whole case, and "message" is a
# warning about a case that was done.
Figures = dict[str, Any]
Row = Mapping[str, Any]  # of the table: what is reported of a case, and what became of it
Result = Mapping[str, Any]  # what a run gives of a case: see `CaseTask.outcome`


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


class CaseEvaluator(SupervisedEvaluator):
    """A SupervisedEvaluator that leaves out the network for cases which carry an "error" (see `CaseDataset`).

    A case that the network, or what comes after it, cannot do carries one from then on.
    What runs over the cases is a fused copy of the network, with the weights that it has when the run starts.

    state.network_seconds: what the network alone took for a case. state.files: its "files", which are not collated.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fused_network = FusedNetwork(self.network)
        self.add_event_handler(Events.STARTED, self.fused_network.update)  # after the handler that loads the weights

    def _iteration(self, engine: Any, batchdata: dict[str, Any]) -> Any:
        if "error" in batchdata:
            return [batchdata]
        engine.state.files = batchdata.pop("files", {})
        started = time.perf_counter()
        try:
            output = self._run_fused(engine, batchdata)
        except Exception as error:  # in the network, or after it
            known = input_error_behind(error)
            if str(known).startswith("--"):  # an option, which is wrong for every case
                raise
            (case,) = batchdata["case"]
            return [{"case": case, "error": known or unforeseen(case, error)}]
        engine.state.network_seconds = round(time.perf_counter() - started, 4)
        return output

    def _run_fused(self, engine: Any, batchdata: dict[str, Any]) -> Any:
        network, self.network = self.network, self.fused_network.copy
        try:
            return super()._iteration(engine, batchdata)
        finally:
            self.network = network


class WeightsLoader:
    """Load a state dict into `network` when the engine starts. Raises InputError where it is missing or unfit.

    A network that runs elsewhere than in torch has a method `open` for it. They are loaded once, however often the
    engine runs.
    """

    def __init__(self, network: Any, path: str | Path) -> None:
        self.load = network.open if hasattr(network, "open") else partial(load_weights, network)
        self.path = path
        self.loaded = False

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        if not self.loaded:
            self.load(self.path)
            self.loaded = True


def result_of(engine: Any) -> dict[str, Any]:
    """What `CaseTask` is given of the case that `engine` has just done; a bad case has an "error" instead."""
    output: dict[str, Any] = engine.state.output[0]
    if "error" in output:
        return output
    added = {"network_seconds": engine.state.network_seconds, "files": engine.state.files}
    return {**added, **engine.state.batch[0], **output}


class CaseCollector:
    """In place of a `CaseReport`: hands one case at a time to whoever runs the engine, and writes nothing.

    pending: one place, for the case that the engine is to run next.
    """

    def __init__(self, task: CaseTask) -> None:
        self.task = task
        self.pending: list[Case] = [{}]
        self.outcome: Any = None

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._take)

    def _take(self, engine: Engine) -> None:
        result = result_of(engine)
        if "error" in result:
            raise result["error"]
        self.outcome = self.task.outcome(result)


def summary_files(worst: int) -> list[str]:
    """What an evaluation writes besides its table: metrics, their picture, and those of the `worst` cases."""
    return ["metrics.json", "scores.png", *(f"worst_{rank}.png" for rank in range(1, worst + 1))]
