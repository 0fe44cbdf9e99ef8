"""What surrounds a training step: reproducible epochs, checkpoints that resume exactly, and the record of the run."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from ignite.engine import Engine, Events
from monai.data import Dataset
from monai.engines import Evaluator
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from shared.engine.curves import draw_training_curve
from shared.engine.pace import Pace
from shared.engine.processes import in_first_process, is_first_process
from shared.engine.weights import half_state_dict
from shared.errors import InputError, one_line
from shared.files import write_atomically, write_json, write_table
from shared.options import resolved_config
from shared.outputs import Outputs

FILES = ("last.pt", "model.pt", "metrics.csv", "config.json", "training.png")  # that a run writes


@runtime_checkable
class FollowsEpochs(Protocol):
    """A data set whose samples depend on the epoch: `set_epoch` is called before each."""

    def set_epoch(self, epoch: int) -> None: ...


class EpochSeed:
    """Make each epoch's randomness depend on (seed, epoch) alone, so that a resumed run repeats it."""

    def __init__(self, seed: int, dataset: Dataset) -> None:
        self.seed = seed
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        torch.manual_seed(self.seed + engine.state.epoch)
        if isinstance(self.dataset, FollowsEpochs):
            self.dataset.set_epoch(engine.state.epoch)


class TrainingRecord:
    """Keep a run's state and story in `output_dir`, and continue from there with `resume`.

    Writes config.json; after each epoch last.pt (everything needed to go on), metrics.csv and TensorBoard events; after
    each validation training.png, and model.pt where the validator's key metric is not below the best so far: the state
    dict of `model` in half precision. Attach it after the ValidationHandler, in every process: the first one writes.
    The last epoch is validated in any case.
    parts: what last.pt holds, each with state_dict and load_state_dict.
    Raises InputError where `output_dir` holds another run and `resume` is off, or its last.pt does not fit.
    """

    def __init__(
        self,
        output_dir: str | Path,
        *,
        model: nn.Module,
        parts: Mapping[str, Any],
        validator: Evaluator,
        optimizer: torch.optim.Optimizer,
        resume: bool = False,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.model = model
        self.parts = dict(parts)
        self.validator = validator
        self.optimizer = optimizer
        self.resume = resume
        self.history: list[dict[str, float]] = []
        self.losses: list[float] = []
        self.started = 0.0
        self.pace = Pace()
        self.events: SummaryWriter | None = None

    @property
    def last(self) -> Path:
        return self.output_dir / "last.pt"

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end_epoch)

    def start(self, engine: Any) -> None:
        outputs, targets = Outputs(self.output_dir), [self.output_dir / name for name in FILES]
        in_first_process(lambda: outputs.claim(targets))
        if self.last.exists() and not self.history:  # else it is this run's own, of a round before
            self._continue(engine)
        if is_first_process():
            write_json(self.output_dir / "config.json", resolved_config())
        self.pace = Pace()

    def _continue(self, engine: Any) -> None:
        if not self.resume:
            raise InputError(
                self.output_dir, expected="an empty output_dir", got="a run's last.pt",
                fix="add --resume True or choose another --output_dir",
            )  # fmt: skip
        device = next(self.model.parameters()).device
        try:
            state = torch.load(self.last, map_location=device, weights_only=True)
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
        except Exception as error:  # a truncated file or another network: torch raises many kinds
            raise InputError(
                self.last, expected="the state of this very run", got=one_line(error)[:200], fix="start a new run"
            ) from error
        self.history = state["history"]
        engine.state.epoch = len(self.history)
        engine.state.iteration = engine.state.epoch * engine.state.epoch_length

    def start_epoch(self, engine: Any) -> None:
        self.losses, self.started = [], time.perf_counter()
        disable = None if is_first_process() else True  # None: where there is no terminal
        self.bar = tqdm(total=engine.state.epoch_length, unit="step", delay=2, disable=disable, leave=False)

    def note_loss(self, engine: Any) -> None:
        self.losses.append(float(engine.state.output[0]["loss"]))
        self.bar.update()

    def end_epoch(self, engine: Any) -> None:
        self.bar.close()
        row = {
            "epoch": engine.state.epoch,
            "loss": sum(self.losses) / len(self.losses),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "seconds": round(time.perf_counter() - self.started, 1),
        }
        if engine.state.epoch == engine.state.max_epochs > self.validator.state.epoch:
            self.validator.run(engine.state.epoch)  # the last epoch is no multiple of the interval
        key = self.validator.state.key_metric_name
        validated = self.validator.state.epoch == engine.state.epoch and self.validator.state.metrics
        if validated:
            row |= {name: float(value) for name, value in self.validator.state.metrics.items()}
        best = max((r[key] for r in self.history if key in r), default=-1.0)
        self.history.append(row)
        if not is_first_process():
            return
        if validated and row[key] >= best:
            write_atomically(self.output_dir / "model.pt", lambda path: torch.save(half_state_dict(self.model), path))
        if self.events is None:
            self.events = SummaryWriter(str(self.output_dir))
        for name, value in row.items():
            self.events.add_scalar(name, value, engine.state.epoch)
        self.events.flush()
        state = {name: part.state_dict() for name, part in self.parts.items()} | {"history": self.history}
        write_table(self.output_dir / "metrics.csv", self.history)
        if validated:
            draw_training_curve(self.output_dir / "training.png", self.history, key)
        write_atomically(self.last, lambda path: torch.save(state, path))
        score = f"{key} {row[key]:.4f} (best {max(best, row[key]):.4f})" if validated else ""
        self._print(row, engine.state.max_epochs, score)

    def _print(self, row: Mapping[str, float], epochs: int, score: str) -> None:
        """A line of the epoch, of its validation if there was one, and of when the training will end."""
        line = f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  {row['seconds']:.0f} s"
        print("  ".join(filter(None, [line, score, self.pace.after_epoch(epochs - int(row["epoch"]))])), flush=True)
