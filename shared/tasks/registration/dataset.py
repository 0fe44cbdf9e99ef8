"""The data set of a registration's training: pairs drawn at random from images."""

import numpy as np
from monai.data import Dataset
from monai.transforms import Compose
from torch import Tensor


class PairDataset(Dataset):
    """Pairs drawn at random from cached `images`: at each index of each epoch the same ones, whatever came before.

    images: a dataset of {"image"} and, if labelled, "label". A sample before `transform` is {"moving", "fixed"}
    and, with labels, {"moving_label", "fixed_label"}; its two images are different ones. length: samples an epoch.
    """

    def __init__(self, images: Dataset, transform: Compose, *, length: int, seed: int) -> None:
        super().__init__(range(length), transform)
        self.images = images
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def _transform(self, index: int) -> dict[str, Tensor]:
        draw, augmentation = np.random.SeedSequence((self.seed, self.epoch, index)).generate_state(2).tolist()
        chosen = np.random.default_rng(draw).choice(len(self.images), 2, replace=False).tolist()
        sample = {}
        for role, subject in zip(("moving", "fixed"), (self.images[i] for i in chosen)):
            sample[role] = subject["image"]
            if "label" in subject:
                sample[f"{role}_label"] = subject["label"]
        self.transform.set_random_state(seed=augmentation)
        return self.transform(sample)
