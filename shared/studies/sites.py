"""Data sets of sites that have unlike cases, out of one that is labelled."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.files import write_json
from shared.images.cases import find_labelled_cases
from shared.images.reading import read_image

KINDS = ("small", "large")  # structures, by which sites differ
TEST = 4  # one of so many cases is kept for the test


def halves(dataset_dir: Path, folder: Path, *, cases: int) -> dict[str, Path]:
    """Data sets of links into `folder`: "small" and "large", half of `cases` each, "all" of both, and "test".

    What is labelled, in mm³, decides: of the cases with the least and the most of it, a quarter of each is kept for the
    test. Raises InputError where there are fewer cases.
    """
    found = find_labelled_cases(dataset_dir)
    if len(found) < cases:
        raise InputError("--cases", expected=f"up to {len(found)}", got=cases, fix=f"or add to {dataset_dir}")
    ordered = sorted(found, key=lambda case: _labelled_volume(Path(case["label"])))
    chosen = dict(zip(KINDS, (ordered[: cases // 2], ordered[-(cases // 2) :])))
    kept = {kind: group[::TEST] for kind, group in chosen.items()}
    learnt = {kind: [case for case in group if case not in kept[kind]] for kind, group in chosen.items()}
    sets = {**learnt, "all": [*learnt["small"], *learnt["large"]]}
    for name, group in sets.items():
        _link(group, folder / name)
        first = Path(group[0]["image"]).name  # train.json validates on it, once, in the end
        write_json(folder / name / "dataset.json", {"validation": [{"image": f"imagesTr/{first}"}]})
    for kind, group in kept.items():
        _link(group, folder / "test", prefix=f"{kind}_")
    return {name: folder / name for name in (*sets, "test")}


def _labelled_volume(path: Path) -> float:
    label = read_image(path, as_ids=True)
    return np.count_nonzero(label.values) * abs(np.linalg.det(label.affine[:3, :3]))


def _link(group: Sequence[Mapping[str, str]], folder: Path, *, prefix: str = "") -> None:
    """Put links to the images and labels of a group into a data set in the Decathlon's layout."""
    for part, key in (("imagesTr", "image"), ("labelsTr", "label")):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for case in group:
            link = folder / part / f"{prefix}{Path(case['image']).name}"
            if not link.exists():
                link.symlink_to(Path(case[key]).resolve())
