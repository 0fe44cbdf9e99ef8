"""The class ids of a head, in which the parts of the left and the right hippocampus are told apart.

Of a crop's classes 1 … K those of the left are the same ids, and those of the right K + 1 … 2 K. A reference that
shows hippocampi as a whole has 2 K + 1 for the left and 2 K + 2 for the right one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from monai.data import MetaTensor

from shared.images.checking import ReadLabeld
from shared.tasks.segmentation.heads import SIDES

HIPPOCAMPI = (17, 53)  # FreeSurfer's ids of the left and the right one


def head_names(names: Sequence[str]) -> list[str]:
    """The names of a head's classes from those of a crop's, of which the first is background."""
    return [names[0], *(f"{side}_{name}" for side in SIDES for name in names[1:])]


def by_side(labels: np.ndarray, kinds: int) -> np.ndarray:
    """A head's class ids (*S) with 1 in the left and 2 in the right hippocampus. kinds: K."""
    table = np.array([0, *[1] * kinds, *[2] * kinds, 1, 2], dtype=np.uint8)
    return table[labels]


class ReadHeadLabeld(ReadLabeld):
    """As `ReadLabeld`, and label maps of heads too: of their class ids, or of FreeSurfer's, of which the hippocampi are
    taken as a whole.
    """

    def class_ids(self, label: MetaTensor, path: str | Path) -> MetaTensor:
        kinds, held = self.num_classes - 1, set(label.unique().tolist())
        if held >= set(HIPPOCAMPI):
            left, right = (label == value for value in HIPPOCAMPI)
            return cast(MetaTensor, left * (2 * kinds + 1) + right * (2 * kinds + 2))
        if kinds < max(held) <= 2 * kinds and held <= set(range(2 * kinds + 1)):
            return label
        return super().class_ids(label, path)
