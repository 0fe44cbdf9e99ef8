"""Datasets that make a run reproducible, and one that survives bad cases."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.data import CacheDataset, Dataset, list_data_collate

from shared.errors import input_error_behind


class SerialCacheDataset(CacheDataset):
    """A CacheDataset that fills its cache in the thread that makes it.

    MONAI's fills it in a pool's thread, which goes on with the other cases after one has failed; torch then aborts the
    process that ends under it, and the exit code is not 1.
    """

    def _fill_cache(self, indices: Any = None) -> list:
        if self.cache_num <= 0:
            return []
        return [self._load_cache_item(i) for i in (range(self.cache_num) if indices is None else indices)]


class SeededCacheDataset(SerialCacheDataset):
    """A CacheDataset whose random transforms depend on (seed, epoch, index) and nothing else.

    So a training run gives the same samples after a restart and with any number of workers. `set_epoch` must be
    called at the start of each epoch, before the loader's iterator is made.
    """

    def __init__(self, data: Sequence, transform: Any, *, seed: int, **kwargs: Any) -> None:
        super().__init__(data, transform, progress=False, **kwargs)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def _transform(self, index: int) -> Any:
        state = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(1)
        self.transform.set_random_state(seed=int(state[0]))
        return super()._transform(index)


class CaseDataset(Dataset):
    """A Dataset that hands on the InputError of a bad case, as {…, "error": it}, so that the others still run."""

    def _transform(self, index: int) -> Any:
        try:
            return super()._transform(index)
        except Exception as error:  # MONAI wraps what a transform raises
            known = input_error_behind(error)
            if known is None:
                raise
            return {**self.data[index], "error": known}


def collate_case(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate a batch of one case; a case with an "error" stays as it is."""
    (case,) = batch
    return case if "error" in case else list_data_collate(batch)
