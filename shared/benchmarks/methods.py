"""What can be timed; each method can be built from its description alone.

Light to import, since what a method imports is part of its start-up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared.files import read_json

BATCH = 8  # images of a batch
MOST_VOXELS = 3 * 2**20  # of a batch: eight whole heads take more than the 24 GB of a usual machine


@dataclass
class Subject:
    """What the methods are timed on: an image, and the bundle that it is a sample of.

    bundle: its folder. file: of the array (1, C, *S), float32, that the bundle's preprocessing gives. device: "cpu" or
    "cuda". onnx: a file to run in place of the bundle's models/model.onnx.
    """

    bundle: str
    file: str
    device: str = "cpu"
    threads: int = 2
    onnx: str = ""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The bundle's inference.json, as it is written."""
        return read_config(Path(self.bundle))

    @cached_property
    def image(self) -> np.ndarray:
        return np.load(self.file)

    @property
    def batch(self) -> int:
        """How many such images are run at once: `BATCH`, or of volumes as many as memory has room for."""
        return max(1, min(BATCH, MOST_VOXELS // (self.image[0, 0].size)))


class Runs(NamedTuple):
    """What is timed: `single`, one image to its result, and `batch`, `Subject.batch` by the network alone, if it can.

    note: what the reader of the report should know of it.
    """

    single: Callable[[], object]
    batch: Callable[[], object] | None = None
    note: str = ""


@dataclass(frozen=True)
class Method:
    """builder: dotted name of a function (Subject, **options) -> Runs; its module is imported only to build.

    starts: whether its start-up and memory are measured, too, in a process of its own.
    """

    name: str
    builder: str
    options: Mapping[str, Any] = field(default_factory=dict)
    starts: bool = True

    def build(self, subject: Subject) -> Runs:
        module, function = self.builder.rsplit(".", 1)
        runs: Runs = getattr(import_module(module), function)(subject, **self.options)
        return runs


def read_config(bundle: Path) -> dict[str, Any]:
    config: dict[str, Any] = read_json(bundle / "configs" / "inference.json")
    return config
