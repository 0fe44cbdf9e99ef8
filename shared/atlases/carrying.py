"""Segmenting an image by atlases: each is registered to it as a pair is, and the labels that it brings are fused."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.transforms import Transform

from shared.atlases.cases import LEFT_OUT, pairs_of
from shared.atlases.fusing import Carried, correlation, fusion_named
from shared.engine.datasets import opened_files
from shared.spatial.itk import as_stored
from shared.tasks.registration.results import registered
from shared.tasks.registration.transforms import image_for_itk

Pair = dict[str, Any]
KEPT = ("case", LEFT_OUT, "files")  # of what a case has besides its atlases


class SegmentByAtlasesd(Transform):
    """Give "pred", (C, *S), float32: how likely each of "ids", (C,), is at each voxel of the image "fixed".

    S is that of the image as ITK has it, last axis first. A case is as `find_targets` gives it. "atlases" is how many
    were used, and "similarity" their mean correlation with the image, registered.
    reading: makes of a pair what `ReadPaird` does. registering: gives its displacement, as `RegisterPaird` does.
    fusion: one of `FUSIONS`. count: as many atlases as are used, the most similar ones after the affine stage; 0: all.
    Raises InputError for an unknown fusion, a case without atlases, and whatever a pair is refused for.
    """

    def __init__(
        self,
        reading: Callable[[Pair], Pair],
        registering: Callable[[Pair], Pair],
        *,
        fusion: str = "weighted",
        count: int = 0,
    ) -> None:
        self.reading = reading
        self.registering = registering
        self.fuse = fusion_named(fusion)
        self.count = count

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        moved, labels = zip(*map(self._carried, self._nearest(pairs_of(dict(data)))))
        ids, votes = np.unique(np.stack(labels), return_inverse=True)
        target = _array(image_for_itk(data["fixed"]))
        carried = Carried(target, np.stack(moved), votes.reshape(-1, *target.shape), len(ids))
        return {
            **{key: data[key] for key in KEPT if key in data},
            "pred": torch.as_tensor(self.fuse(carried)),
            "ids": torch.as_tensor(ids),
            "atlases": len(moved),
            "similarity": float(np.mean([correlation(image, target) for image in moved])),
        }

    def _nearest(self, pairs: list[Pair]) -> Iterable[Pair]:
        """The pairs as they are read, one at a time where all are used."""
        read = map(self._read, pairs)
        return heapq.nlargest(self.count, read, key=_likeness) if 0 < self.count < len(pairs) else read

    def _read(self, pair: Pair) -> Pair:
        files = opened_files(pair)
        return {**self.reading({**pair, **files}), "files": files}

    def _carried(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        """The moved image and its moved labels, (*S), on the grid of the target."""
        found = registered(pair, self.registering(pair)["pred"])
        found = replace(found, field=as_stored(found.field))
        assert found.moved_label is not None  # every atlas has one
        return _array(found.moved), sitk.GetArrayFromImage(found.moved_label).astype(np.int32)


def _likeness(pair: Pair) -> float:
    """The correlation of a pair that has been read, where the moving image is."""
    moving, fixed = np.asarray(pair["image"])
    inside = np.asarray(pair["inside"][0]) > 0 if "inside" in pair else np.ones(fixed.shape, dtype=bool)
    return correlation(moving[inside], fixed[inside])


def _array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image).astype(np.float32)
