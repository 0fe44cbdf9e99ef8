"""Datasets that make a run reproducible, and one that survives bad cases."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import CacheDataset, Dataset, list_data_collate
from monai.transforms import Compose

from shared.errors import input_error_behind, unforeseen
from shared.images.file import ImageFile
from shared.images.reading import read_ids, read_image


class SerialCacheDataset(CacheDataset):
    """A CacheDataset that fills its cache in the thread that makes it.

    MONAI's fills it in a pool's thread, which goes on with the other cases after one has failed; torch then aborts the
    process that ends under it, and the exit code is not 1.
    """

    def _fill_cache(self, indices: Sequence[int] | None = None) -> list:
        if self.cache_num <= 0:
            return []
        return [self._load_cache_item(i) for i in (range(self.cache_num) if indices is None else indices)]


class SeededCacheDataset(SerialCacheDataset):
    """A CacheDataset whose random transforms depend on (seed, epoch, index) and nothing else.

    So a training run gives the same samples after a restart and with any number of workers. `set_epoch` must be
    called at the start of each epoch, before the loader's iterator is made.
    """

    def __init__(self, data: Sequence, transform: Compose, *, seed: int, **kwargs: Any) -> None:
        super().__init__(data, transform, progress=False, **kwargs)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def _transform(self, index: int) -> object:
        state = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(1)
        self.transform.set_random_state(seed=int(state[0]))
        return super()._transform(index)


# Keys of the images in a case that results are drawn or written on.
FILES = ("image", "moving", "fixed", "moving_label", "fixed_label")


class CaseDataset(Dataset):
    """A Dataset of cases each of whose `files` is read once, and that hands on the InputError of a bad case.

    data: cases, of paths or of `ImageFile`s. transform gets a case with its files opened, and once more as "files",
    by key, which stay in the sample for whoever draws or writes on their grids. A bad case is {…, "error": an
    InputError}, so that the others still run, whatever was wrong.
    files: keys that a case may have; those of labels are read as ids.
    data may be another CaseDataset: its files are not read again, and its bad cases are handed on.
    """

    def __init__(self, data: Sequence | Dataset, transform: Callable, *, files: Sequence[str] = FILES) -> None:
        super().__init__(data, transform)  # type: ignore[arg-type]  # needs length and index alone
        self.files = list(files)

    def _transform(self, index: int) -> object:
        case = self.data[index]
        if "error" in case:
            return case
        try:
            opened = {} if "files" in case else opened_files(case, self.files, in_bytes=True)
            files = {"files": opened} if opened else {}
            return {**files, **self.transform({**case, **opened, **files})}
        except Exception as error:  # MONAI wraps what a transform raises
            return {**case, "error": input_error_behind(error) or unforeseen(case.get("case"), error)}


def opened_file(image: str | Path | ImageFile, *, as_ids: bool = False, in_bytes: bool = False) -> ImageFile:
    """`image`, read if it is a path (see `read_image`, and with `as_ids` `read_ids`)."""
    if isinstance(image, ImageFile):
        return image
    return read_ids(image) if as_ids else read_image(image, in_bytes=in_bytes)


def opened_files(
    case: Mapping[str, str | Path | ImageFile], keys: Sequence[str] = FILES, *, in_bytes: bool = False
) -> dict[str, ImageFile]:
    """Those of a case's files that `keys` name, each read if it is a path; labels are read as ids.

    in_bytes: of the "image", see `read_image`; of a pair, ITK resamples the values.
    """
    return {
        key: opened_file(case[key], as_ids=key.endswith("label"), in_bytes=in_bytes and key == "image")
        for key in keys
        if key in case
    }


def collate_case(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate a batch of one case; a case with an "error", and the "files" of a case, stay as they are."""
    (case,) = batch
    if "error" in case:
        return case
    files = {"files": case["files"]} if "files" in case else {}
    return {**list_data_collate([{key: value for key, value in case.items() if key != "files"}]), **files}
