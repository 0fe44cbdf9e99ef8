"""Samples depend on seed, epoch and index alone; a bad case is handed on, a defect is not."""

import threading
import time
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import Compose, MapTransform, OneOf, RandGaussianNoised, RandScaleIntensityd, Transform
from PIL import Image

from shared.engine.datasets import CaseDataset, SeededCacheDataset, SerialCacheDataset, collate_case
from shared.errors import InputError
from shared.images.checking import ReadCased

COUNT = 6
ONES = [{"image": np.ones((1, 3), dtype=np.float32)} for _ in range(COUNT)]  # alike: only the randomness differs


def seeded(seed: int = 0, **kwargs: Any) -> SeededCacheDataset:
    either = OneOf([RandScaleIntensityd("image", factors=0.5, prob=1), RandGaussianNoised("image", prob=1, std=5)])
    return SeededCacheDataset(ONES, Compose([either, RandGaussianNoised("image", prob=0.9)]), seed=seed, **kwargs)


def epoch_samples(dataset: SeededCacheDataset, epoch: int, order: Any = range(COUNT)) -> dict[int, list[float]]:
    dataset.set_epoch(epoch)
    return {index: dataset[index]["image"].flatten().tolist() for index in order}


def test_a_sample_is_the_same_in_any_order_of_access_and_after_a_restart() -> None:
    dataset = seeded()
    first = epoch_samples(dataset, 3)
    epoch_samples(dataset, 4)
    assert epoch_samples(dataset, 3, order=[5, 0, 3, 3, 1, 4, 2]) == first
    assert epoch_samples(seeded(), 3, order=[2]) == {2: first[2]}


@pytest.mark.parametrize("cached", [0, 3, COUNT])
def test_a_sample_is_the_same_whether_cached_or_not(cached: int) -> None:
    assert epoch_samples(seeded(cache_num=cached), 1) == epoch_samples(seeded(), 1)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_epoch_is_the_same_with_any_number_of_workers(workers: int) -> None:
    dataset = seeded()
    expected = epoch_samples(dataset, 2)
    loader = DataLoader(dataset, batch_size=1, num_workers=workers)
    torch.manual_seed(workers)  # whatever else is random
    for epoch in (1, 2):  # a loader starts its workers anew for each epoch
        dataset.set_epoch(epoch)
        batches = [batch["image"].flatten().tolist() for batch in loader]
    assert batches == list(expected.values())


def test_samples_differ_between_indices_epochs_and_seeds() -> None:
    samples = [
        tuple(sample)
        for seed, epoch in [(0, 1), (0, 2), (1, 1), (1, 0)]  # (0, 1) and (1, 0): not by their sum
        for sample in epoch_samples(seeded(seed), epoch).values()
    ]
    assert len(set(samples)) == 4 * COUNT


def test_random_transforms_leave_the_cache_as_it_is() -> None:
    dataset = seeded()
    epoch_samples(dataset, 1)
    for item in dataset._cache:
        np.testing.assert_array_equal(item["image"], 1)


BAD = InputError("b", expected="x", got="y", fix="z")


class Read(MapTransform):
    """Stands for a transform that refuses an image called "bad" and has a defect that another brings to light."""

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        if data["image"] == "bad":
            raise BAD
        if data["image"] == "odd":
            raise ZeroDivisionError("a defect")
        return data


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_case_is_handed_on_with_its_input_error_and_the_others_are_done(workers: int) -> None:
    cases = [{"case": "a", "image": "good"}, {"case": "b", "image": "bad"}, {"case": "c", "image": "good"}]
    dataset = CaseDataset(cases, Compose([Read("image")]), files=())
    first, second, third = DataLoader(dataset, batch_size=1, num_workers=workers, collate_fn=collate_case)
    assert (first, third) == ({"case": ["a"], "image": ["good"]}, {"case": ["c"], "image": ["good"]})
    assert isinstance(second["error"], InputError)
    assert {**second, "error": str(second["error"])} == {**cases[1], "error": str(BAD)}


def test_a_file_is_read_once_and_goes_with_its_case(tmp_path: Path) -> None:
    """Its values are those before the transforms; ids beyond a palette's colours are read as such."""
    image, label = tmp_path / "a.png", tmp_path / "l.png"
    Image.fromarray(np.array([[1, 2]], dtype=np.uint8)).save(image)
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode="P")
    palette.putpalette([9, 9, 9, 200, 0, 0])
    palette.save(label)

    def spoil(data: dict[Hashable, Any]) -> dict[Hashable, Any]:
        image.unlink()  # who reads it again fails
        return {**data, "image": ReadCased("image", spatial_dims=2)(data)["image"].zero_()}

    sample: Any = CaseDataset([{"case": "a", "image": str(image), "moving_label": str(label)}], spoil)[0]
    assert sample["image"].sum() == 0
    np.testing.assert_array_equal(sample["files"]["image"].values, [[[1, 2]]])
    np.testing.assert_array_equal(sample["files"]["moving_label"].values, [[[0, 1]]])
    batch = collate_case([sample | {"moving_label": 0}])
    assert batch["files"] is sample["files"]


def test_a_dataset_of_cases_that_are_open_reads_none_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[1, 2]], dtype=np.uint8)).save(path)
    cases = [{"case": "a", "image": str(path)}, {"case": "b", "image": str(tmp_path / "missing.png")}]
    outer = CaseDataset(CaseDataset(cases, ReadCased("image", spatial_dims=2)), lambda data: {**data, "seen": True})
    good, bad = outer[0], outer[1]
    assert good["files"]["image"].path == path
    assert (good["image"].shape, good["seen"]) == ((1, 1, 2), True)
    assert isinstance(bad["error"], InputError)
    assert "seen" not in bad


def test_any_other_error_is_handed_on_as_one_that_names_the_case() -> None:
    case = CaseDataset([{"case": "a", "image": "odd"}], Compose([Read("image")]), files=())[0]
    assert str(case["error"]).startswith("a: expected a case that can be processed, got ZeroDivisionError: a defect; ")


def test_a_good_case_is_collated_into_a_batch_and_a_bad_one_stays_as_it_is() -> None:
    batch = collate_case([{"case": "a", "image": torch.ones(1, 2, 3)}])
    assert batch["case"] == ["a"]
    assert batch["image"].shape == (1, 1, 2, 3)
    case = {"case": "b", "image": "b.nii", "error": BAD}
    assert collate_case([case]) is case


def test_only_batches_of_one_case_are_collated() -> None:
    with pytest.raises(ValueError, match="unpack"):
        collate_case([{"case": "a"}, {"case": "b"}])


@pytest.mark.parametrize("kind", [SerialCacheDataset, SeededCacheDataset])
def test_filling_the_cache_ends_with_the_first_bad_case(kind: Any) -> None:
    """No thread goes on with the others, under which the process would end with an abort instead of exit code 1."""
    seen = []

    class Read(Transform):
        def __call__(self, number: int) -> int:
            seen.append((number, threading.current_thread()))
            if number == 1:
                raise InputError("case 1", expected="a", got="b", fix="c")
            return number

    with pytest.raises((InputError, RuntimeError)):
        kind([0, 1, 2, 3], Compose([Read()]), **({"seed": 0} if kind is SeededCacheDataset else {}))
    time.sleep(0.2)  # a pool's thread would have read the others by now
    assert seen == [(number, threading.main_thread()) for number in range(2)]
    cached = SerialCacheDataset([0, 2, 3], Compose([Read()]), cache_num=2)
    assert [cached[i] for i in range(3)] == [0, 2, 3]
