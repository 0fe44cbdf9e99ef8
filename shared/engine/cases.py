"""Running a bundle over the cases of a folder: a bad case is handed on, and the others are done."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator

from shared.engine.fusing import FusedNetwork
from shared.engine.outcomes import CaseTask, result_of
from shared.engine.weights import load_weights
from shared.errors import input_error_behind, unforeseen
from shared.images.cases import Case


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


class CaseCollector:
    """In place of a `CaseReport`: hands one case at a time to whoever runs the engine, and writes nothing.

    pending: one place, for the case that the engine is to run next. error: why there is no outcome, if there is none;
    it is not raised while the engine runs, which would not begin anew the next time.
    """

    def __init__(self, task: CaseTask) -> None:
        self.task = task
        self.pending: list[Case] = [{}]
        self.outcome: Any = None
        self.error: Exception | None = None

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._take)

    def _take(self, engine: Engine) -> None:
        result = result_of(engine)
        self.error = result.get("error")
        self.outcome = None if self.error else self.task.outcome(result)
