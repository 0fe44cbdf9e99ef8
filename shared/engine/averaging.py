"""The running average of a network that learns."""

from collections.abc import Callable
from typing import Any

from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from shared.layers.naming import name_as_part


class RunningAverage(AveragedModel):
    """An AveragedModel whose weights have the names that they have in the network, so that it takes that's, too."""

    def __init__(self, model: nn.Module, **options: Any) -> None:
        super().__init__(model, **options)
        name_as_part(self, "module")


class WeightAverage:
    """Take `network` into its running average after every step.

    Where the engine runs again the average begins anew, since the network may have been given other weights meanwhile,
    as in each round of federated learning.
    """

    def __init__(self, average: AveragedModel, network: nn.Module) -> None:
        self.average = average
        self.network = network

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: self.average.update_parameters(self.network))

    def _begin(self, engine: Engine) -> None:
        if engine.state.iteration:
            self.average.n_averaged.zero_()


def warmed_up_average(momentum: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The `avg_fn` of an AveragedModel: an exponential moving average that soon forgets how it began.

    Step n weighs 10 / (10 + n), until that falls below `momentum`.
    """

    def average(averaged: Tensor, current: Tensor, steps: Tensor) -> Tensor:
        return averaged + (current - averaged) * (10 / (10 + steps)).clamp(min=momentum)

    return average
