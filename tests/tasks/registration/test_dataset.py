"""Pairs depend on seed, epoch and index alone."""

from itertools import permutations
from typing import Any

import torch
from monai.data import Dataset
from monai.transforms import Compose, RandGaussianNoised

from shared.tasks.registration.dataset import PairDataset


def numbered(count: int = 4, *, labelled: bool = True) -> Dataset:
    """Images that hold their number, and labels ten times that."""
    numbers = [torch.full((1, 3), float(number)) for number in range(count)]
    return Dataset([{"image": x, **({"label": 10 * x} if labelled else {})} for x in numbers])


def pairs(*, seed: int = 0, length: int = 12) -> PairDataset:
    """With noise that hides no number."""
    noise = Compose([RandGaussianNoised(["moving", "fixed"], prob=1, std=0.01)])
    return PairDataset(numbered(), noise, length=length, seed=seed)


def pair_samples(dataset: PairDataset, epoch: int, order: Any = None) -> dict[int, tuple[float, ...]]:
    dataset.set_epoch(epoch)
    drawn = {index: dataset[index] for index in order or range(len(dataset))}
    return {i: tuple(torch.cat([sample["moving"], sample["fixed"]]).flatten().tolist()) for i, sample in drawn.items()}


def test_a_pair_and_its_augmentation_are_the_same_whatever_came_before() -> None:
    dataset = pairs()
    first = pair_samples(dataset, 3)
    pair_samples(dataset, 4)
    torch.manual_seed(5)  # whatever else is random
    assert pair_samples(dataset, 3, order=[5, 0, 3, 3, 11, 4]) == {index: first[index] for index in (5, 0, 3, 11, 4)}
    assert pair_samples(pairs(), 3, order=[7]) == {7: first[7]}
    assert len(dataset) == len(first) == 12


def test_other_epochs_and_seeds_draw_other_pairs_and_augment_the_same_pair_otherwise() -> None:
    settings = [(0, 1), (0, 2), (1, 1), (1, 0)]  # (0, 1) and (1, 0): not by their sum
    samples = [list(pair_samples(pairs(seed=seed), epoch).values()) for seed, epoch in settings]
    assert len({sample for epoch in samples for sample in epoch}) == 4 * 12
    drawn = {tuple((round(sample[0]), round(sample[3])) for sample in epoch) for epoch in samples}
    assert len(drawn) == 4  # of 12 pairs an index, so that chance gives equal epochs once in 12^12


def test_every_ordered_pair_can_come_and_none_of_an_image_with_itself() -> None:
    # 12 ordered pairs: in 240 draws one is missing with a chance of 12 (11/12)^240 = 1e-8.
    dataset = PairDataset(numbered(), Compose([]), length=240, seed=0)
    drawn = {(int(sample[0]), int(sample[3])) for sample in pair_samples(dataset, 1).values()}
    assert drawn == set(permutations(range(4), 2))


def test_labels_go_with_their_images_and_without_labels_there_are_none() -> None:
    labelled = PairDataset(numbered(), Compose([]), length=20, seed=0)
    for sample in (labelled[index] for index in range(20)):
        assert sample.keys() == {"moving", "fixed", "moving_label", "fixed_label"}
        assert torch.equal(sample["moving_label"], 10 * sample["moving"])
        assert torch.equal(sample["fixed_label"], 10 * sample["fixed"])
    assert PairDataset(numbered(labelled=False), Compose([]), length=1, seed=0)[0].keys() == {"moving", "fixed"}
