"""Synthetic images as a data set: as many as wanted, each the same whenever it is asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.data import Dataset
from torch import Tensor

from shared.synthesis.generator import Synthesiser
from shared.synthesis.labels import Labels
from shared.synthesis.maps import read_label_maps
from shared.synthesis.ranges import Ranges


class SyntheticDataset(Dataset):
    """`samples` images an epoch, {"image": (1, *size) of 0 to 1, "label": (1, *size) classes}, from label maps.

    A sample depends on (seed, epoch, index) and nothing else, so that a run gives the same ones after a restart and
    with any number of workers; `set_epoch` must be called at an epoch's start, before the loader's iterator is made.

    cases: of the maps, {"image": path}. labels_of: the tables of the ids in them. spacing: mm. ranges: those that are
    not the default ones of `Ranges`. widening_epochs: over how many epochs the ranges grow to their full width. device:
    where images are made, and stay; a GPU makes others of the same seed, and only in the process that reads them.
    """

    def __init__(
        self,
        cases: Sequence[Mapping[str, str]],
        labels_of: Callable[[Iterable[int]], Labels],
        *,
        size: Sequence[int],
        spacing: float,
        samples: int,
        seed: int,
        ranges: Mapping[str, Any] | None = None,
        widening_epochs: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        labels, maps = read_label_maps([case["image"] for case in cases], labels_of)
        self.maps = [replace(each, indices=each.indices.to(device)) for each in maps]
        self.device = device
        super().__init__(range(samples))  # type: ignore[arg-type]  # needs length and index alone
        self.synthesiser = Synthesiser(labels, size=size, spacing=spacing, ranges=Ranges(**(ranges or {})))
        self.seed = seed
        self.widening_epochs = widening_epochs
        self.set_epoch(1)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.width = min(1.0, epoch / self.widening_epochs) if self.widening_epochs else 1.0

    def _transform(self, index: int) -> dict[str, Tensor]:
        state = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(1, np.uint64)
        rng = torch.Generator(self.device).manual_seed(int(state[0] >> 1))
        drawn = self.maps[int(torch.randint(len(self.maps), [1], generator=rng, device=rng.device))]
        image, classes = self.synthesiser.widened(self.width)(drawn, rng)
        return {"image": image, "label": classes}
