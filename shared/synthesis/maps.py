"""Label maps in memory as the generator needs them: upright, cropped, a byte a voxel."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from shared.errors import InputError
from shared.images.beside import with_labels_beside
from shared.images.cases import Case, find_cases, find_labelled_cases
from shared.images.layouts import labelled_folders
from shared.images.reading import read_ids
from shared.images.splits import split_by_name
from shared.synthesis.generator import LabelMap
from shared.synthesis.labels import Labels

MARGIN = 1  # voxels of background around a map; what lies beyond is that of its border
LARGEST_STRETCH = 1.01  # of the longest side of a voxel to its shortest


def split_label_maps(dataset_dir: str | Path, *, fraction: float = 0.05, seed: int = 0) -> dict[str, list[Case]]:
    """The volumes of a folder of label maps, as {"training", "validation", "all"}: see `split_by_name`.

    Of a folder of images with labels they are the labels; the images are not looked at.
    """
    if labelled_folders(Path(dataset_dir)):
        cases = find_labelled_cases(dataset_dir)
    else:
        found = find_cases(dataset_dir, kinds=["volume"])
        cases = with_labels_beside(Path(dataset_dir), found) or found
    cases = [case | {"image": case.get("label", case["image"])} for case in cases]
    return split_by_name(dataset_dir, cases, [case["case"] for case in cases], fraction=fraction, seed=seed)


def read_label_maps(
    paths: Sequence[str | Path], labels_of: Callable[[Iterable[int]], Labels]
) -> tuple[Labels, list[LabelMap]]:
    """The maps of `paths`, volumes of ids, with the tables, by `labels_of`, of all ids in them.

    Maps are turned so that their axes point to the right, front and top; the neck may touch the border.
    Raises InputError where voxels are no cubes, or nothing in a map is learned.
    """
    volumes = [_upright(Path(path)) for path in paths]
    labels = labels_of({int(value) for ids, _ in volumes for value in np.flatnonzero(np.bincount(ids.ravel()))})
    return labels, [_as_map(Path(path), ids, spacing, labels) for path, (ids, spacing) in zip(paths, volumes)]


def _upright(path: Path) -> tuple[np.ndarray, float]:
    """The ids of a volume, (x, y, z) to the right, front and top, uint16, without empty margins; and its spacing."""
    file = read_ids(path)
    sizes = nib.affines.voxel_sizes(file.affine)
    if len(file.shape) != 3 or sizes.max() > LARGEST_STRETCH * sizes.min():
        raise InputError(
            path, expected="a volume of cubic voxels", got=f"{file.shape}, {np.round(sizes, 2).tolist()} mm",
            fix="resample it",
        )  # fmt: skip
    ids = nib.orientations.apply_orientation(file.values[0], nib.io_orientation(file.affine)).astype(np.uint16)
    bounds = [_extent(ids.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    return np.ascontiguousarray(ids[tuple(bounds)]), float(sizes.mean())


def _extent(present: np.ndarray) -> slice:
    """From the first to the last of a line that is present, with `MARGIN` where the line goes on."""
    places = np.flatnonzero(present)
    return slice(max(int(places[0]) - MARGIN, 0), int(places[-1]) + MARGIN + 1) if len(places) else slice(None)


def _as_map(path: Path, ids: np.ndarray, spacing: float, labels: Labels) -> LabelMap:
    indices = labels.indices(ids)
    learned = labels.classes[indices] > 0
    if not learned.any():
        raise InputError(path, expected="some of the classes' ids", got="none of them", fix="check --label_values")
    axes = [learned.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    centre = [float(np.average(np.arange(len(counts)), weights=counts)) for counts in axes]
    return LabelMap(torch.as_tensor(indices), spacing, torch.tensor(centre))
