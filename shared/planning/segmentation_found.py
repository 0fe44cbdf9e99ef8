"""What was found in the data of a segmentation, and what is concluded at once."""

from collections.abc import Sequence

import numpy as np

from shared.images.layouts import TRAINING, VALIDATION
from shared.planning.grid import ANISOTROPIC
from shared.planning.reducing import COVERED, KEPT
from shared.planning.segmentation_data import SegmentationData
from shared.planning.table import Finding, listed, ranged


def findings_of_data(data: SegmentationData, pixdim: Sequence[float], size: Sequence[int]) -> list[Finding]:
    return [_cases(data), _classes(data), *_class_sizes(data), _grid(data, pixdim, size), _channels(data)]


def _cases(data: SegmentationData) -> Finding:
    split = f"{len(data.parts[TRAINING])} for training, {len(data.parts[VALIDATION])} for validation"
    by_patient = (
        f"patients are told apart by {data.patient}" if data.patient else "no two of one patient by their names"
    )
    return Finding(
        f"{len(data.seen)} images of {data.dims} dimensions with label maps; {by_patient}", split,
        "lists of the data set decide, else 15 % are drawn, a patient's images together",
    )  # fmt: skip


def _classes(data: SegmentationData) -> Finding:
    names, values = data.classes.names, data.classes.values
    listing = ", ".join(f"{value} {name}" for name, value in list(zip(names, values))[:8])
    stored = "stored as they are" if not data.classes.other_values else "label_values says which value is which class"
    return Finding(
        f"values {listing}{' …' * (len(names) > 8)}", f"{len(names)} classes, {stored}", "dataset.json, or the maps"
    )


def _class_sizes(data: SegmentationData) -> list[Finding]:
    """By class, in mm³ or pixels, where it is there; the rarest five."""
    rows = []
    volumes = np.array([np.prod(one.spacing) for one in data.seen])
    for name, value in zip(data.classes.names, data.classes.values):
        counts = np.array([one.voxels.get(value, 0) for one in data.seen])
        share = counts.sum() / sum(sum(one.voxels.values()) for one in data.seen)
        if name != data.classes.names[0] and counts.any():
            median = float(np.median((counts * volumes)[counts > 0]))
            rows.append((share, f"{name}: {share:.2%}, median {median:.4g}, in {(counts > 0).sum()} images"))
    unit = "mm³" if data.dims == 3 else "pixels"
    rarest = sorted(rows)[:5]
    if not rarest:
        return []
    return [
        Finding(f"of all voxels (median in {unit}): {'; '.join(text for _, text in rarest)}", "", "the rarest first")
    ]


def _grid(data: SegmentationData, pixdim: Sequence[float], size: Sequence[int]) -> Finding:
    sizes = " × ".join(ranged(axis) for axis in data.sizes.T)
    if data.dims == 2:
        median = np.median(data.sizes, axis=0).round().astype(int).tolist()
        return Finding(
            f"sizes {sizes}, median {listed(median)}", "in pixels", "a picture's file seldom says how large they are"
        )
    spacings = " × ".join(ranged([round(float(mm), 3) for mm in axis]) for axis in data.spacings.T)
    return Finding(
        f"sizes {sizes}; spacings {spacings} mm", f"resampled to {listed(pixdim)} mm: median {listed(size)}",
        f"the median; along an axis over {ANISOTROPIC:g} times as coarse the 10th percentile; then coarser until a"
        f" patch shows {COVERED:.0%} of the median volume, while labels keep a Dice of {KEPT:g} (nnU-Net, 3d_lowres)",
    )  # fmt: skip


def _channels(data: SegmentationData) -> Finding:
    stored = ranged([one.channels for one in data.seen])
    gray = " (gray by their values)" if data.channels == 1 and max(one.channels for one in data.seen) > 1 else ""
    return Finding(
        f"channels {stored}{gray}", f"{data.channels} for the network", "alpha is left out, gray is one channel"
    )
