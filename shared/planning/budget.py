"""How much time a training may take, and what it is spent on."""

import math
import re
from dataclasses import dataclass

import torch

from shared.errors import InputError

SECONDS = {"m": 60, "h": 3600}
GPU = "gpu"
# Steps from which a small network has learnt most: hippocampus_mr_segmentation takes 8,000, membranes 5,200.
WANTED_STEPS = 3000
GPU_STEPS = 50_000  # a fifth of nnU-Net's 1000 epochs of 250
IN_VALIDATION = 0.15  # of the time at most
VALIDATIONS = 20  # at most
OVERHEAD = 0.1  # of the time, for reading, writing and what else goes on
BESIDES = 0.05  # seconds of a step for the loss, the running average and records, as a core took


@dataclass(frozen=True)
class Budget:
    """text: as it was given. seconds: None with GPU, which is not measured in time."""

    text: str
    seconds: float | None

    @property
    def for_steps(self) -> float:
        """Seconds for steps alone; without end with GPU."""
        return math.inf if self.seconds is None else self.seconds * (1 - IN_VALIDATION - OVERHEAD)

    def shared_by(self, trainings: int) -> "Budget":
        """What each of so many trainings has of it; with GPU, which has no end, all of it."""
        if trainings == 1 or self.seconds is None:
            return self
        return Budget(f"{self.text} / {trainings}", self.seconds / trainings)


@dataclass(frozen=True)
class Schedule:
    """How long is trained: epochs, each of `steps`, and a validation every so many epochs."""

    epochs: int
    steps: int
    val_interval: int


def budget_of(text: str) -> Budget:
    """Of `30m`, `4h` or `gpu`; "" for `gpu` where there is a GPU, else `4h`. Raises InputError for another text."""
    text = text or (GPU if torch.cuda.is_available() else "4h")
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mh])", text)
    if text != GPU and (match is None or float(match[1]) == 0):
        raise InputError("--budget", expected="minutes such as 30m, hours such as 4h, or gpu", got=text, fix="give one")
    return Budget(text, float(match[1]) * SECONDS[match[2]] if match else None)


def schedule(budget: Budget, *, steps: int, step_seconds: float, validation_seconds: float) -> Schedule:
    """As many epochs of `steps` as the budget has time for; as many validations as fit into IN_VALIDATION of it.

    step_seconds: of the network and its images alone; BESIDES comes on top.
    """
    if budget.seconds is None:
        epochs, validations = max(1, GPU_STEPS // steps), VALIDATIONS
    else:
        epochs = max(1, int(budget.for_steps / (steps * (step_seconds + BESIDES))))
        validations = int(budget.seconds * IN_VALIDATION / max(validation_seconds, 1e-3))
    validations = min(max(1, validations), VALIDATIONS, epochs)
    return Schedule(epochs, steps, max(1, round(epochs / validations)))


def duration(seconds: float) -> str:
    """Such as 45 s, 12 min or 3.5 h; of infinity that it is not known."""
    if math.isinf(seconds):
        return "an unknown time"
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
