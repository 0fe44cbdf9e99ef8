"""What a detector learns from and is held against: images with their objects, in the order of the image's axes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.data import list_data_collate
from monai.transforms import MapTransform
from torch import Tensor

from shared.errors import InputError
from shared.files import read_text
from shared.images.layouts import TRAINING, VALIDATION
from shared.images.lookalikes import groups_of_lookalikes
from shared.images.several import DataSets, data_sets
from shared.images.splits import choose_part, several_parts, split_by_name
from shared.samples import Sample
from shared.tasks.detection.annotations import read_boxes
from shared.tasks.detection.boxed import BoxedImage
from shared.tasks.detection.metrics import CROWD, NOTHING


class BoxedCase(TypedDict):
    """An annotated image. label: see `boxed_cases`."""

    case: str
    image: str
    label: np.ndarray


def boxed_cases(
    dataset_dir: DataSets,
    class_names: Sequence[str],
    *,
    fraction: float = 0.15,
    seed: int = 0,
    fold: int = 0,
) -> dict[str, list[BoxedCase]]:
    """The annotated images as {"training": [...], "validation": [...], "all": [...]}: {"case", "image", "label"}.

    "label": (M, 5) float32, a row an object: corners (row1, column1, row2, column2) in pixels, and its class, or for a
    crowd of class c CROWD - c. ImageSets/Main/val.txt, and train.txt beside it, decide, else what the data set says
    (see `read_boxes`), else the split is that of `split_by_name`, with pictures that look alike in one part. Where the
    data set has one there is "test" as well. Each of several data sets is split on its own (see `data_sets`).
    Raises InputError for a class that is none of `class_names`, a listed image without annotation, or an empty part.
    """
    parts: dict[str, list[BoxedCase]] = {}
    for one in data_sets(dataset_dir):
        for part, cases in _split(one.folder, class_names, fraction=fraction, seed=seed, fold=fold).items():
            times = one.times if part == TRAINING else 1
            parts.setdefault(part, []).extend(times * _named(cases, one.prefix))
    return parts


def select_boxed(
    dataset_dir: DataSets, class_names: Sequence[str], *, part: str = "all", **split: Any
) -> list[BoxedCase]:
    """The annotated images of one part: "all", "training" or "validation" (see `boxed_cases`)."""
    return choose_part(
        part,
        lambda: _all(dataset_dir, class_names),
        lambda: boxed_cases(dataset_dir, class_names, **split),
    )


class ClipObjectsd(MapTransform):
    """Cut the boxes that `keys` hold, (M, 2 D + 1), to the image of `image_key`, and drop those without area."""

    def __init__(self, keys: KeysCollection, *, image_key: str = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = clip_objects(torch.as_tensor(out[key]), out[self.image_key].shape[1:])
        return out


def clip_objects(objects: Tensor, size: Sequence[int], *, visible: float = 0.0) -> Tensor:
    """Objects (M, 2 D + 1) cut to an image of `size`, without those of whose area no more than `visible` is left."""
    dims = len(size)
    low, high = objects[:, :dims], objects[:, dims : 2 * dims]
    before = (high - low).clamp(min=0).prod(dim=1)
    edge = torch.as_tensor(size, dtype=objects.dtype)
    low, high = (corner.clamp(min=torch.zeros_like(edge), max=edge) for corner in (low, high))
    after = (high - low).clamp(min=0).prod(dim=1)
    return torch.cat([low, high, objects[:, 2 * dims :]], dim=1)[after > visible * before]


def collate_objects(batch: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """A batch of {"image", "label", …}: labels (B, M, 2 D + 1), filled up to the same M ≥ 1 with rows of NOTHING."""
    most = max(1, *(len(sample["label"]) for sample in batch))
    filled = [F.pad(sample["label"], (0, 0, 0, most - len(sample["label"])), value=NOTHING) for sample in batch]
    samples = [{**sample, "label": label} for sample, label in zip(batch, filled)]
    collated: dict[str, Tensor] = list_data_collate(samples)
    return collated


def _split(root: Path, class_names: Sequence[str], **options: Any) -> dict[str, list[BoxedCase]]:
    boxed = read_boxes(root)
    names = [b.case for b in boxed]
    assigned = {
        name: part
        for listing, part in (("val", VALIDATION), ("train", TRAINING))
        for name in _listed(root, listing, names)
    }
    if VALIDATION not in assigned.values():
        assigned = several_parts({b.case: b.part for b in boxed})
    return split_by_name(
        root, _cases(boxed, class_names), names, assigned=assigned, grouped=_by_looks(boxed), **options
    )


def _by_looks(boxed: Sequence[BoxedImage]) -> Callable[[list[str]], list[str]]:
    """What gives for each case the name of the first one whose picture looks like its own."""
    image_of = {b.case: b.image for b in boxed}
    return lambda names: [names[place] for place in groups_of_lookalikes([image_of[name] for name in names])]


def _all(dataset_dir: DataSets, class_names: Sequence[str]) -> list[BoxedCase]:
    return [
        case
        for one in data_sets(dataset_dir)
        for case in _named(_cases(read_boxes(one.folder), class_names), one.prefix)
    ]


def _named(cases: Sequence[BoxedCase], prefix: str) -> list[BoxedCase]:
    return [{**case, "case": prefix + case["case"]} for case in cases]


def _cases(boxed: Sequence[BoxedImage], class_names: Sequence[str]) -> list[BoxedCase]:
    return [{"case": b.case, "image": str(b.image), "label": _rows(b, class_names)} for b in boxed]


def _rows(boxed: BoxedImage, class_names: Sequence[str]) -> np.ndarray:
    rows = []
    for one in boxed.objects:
        if one.label not in class_names:
            raise InputError(
                one.entry, expected=f"objects of the classes {', '.join(class_names)}", got=one.label,
                fix="correct the annotation, or name all its classes with --class_names",
            )  # fmt: skip
        (x1, y1, x2, y2), number = one.box, class_names.index(one.label)
        rows.append([y1, x1, y2, x2, CROWD - number if one.crowd else number])
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def _listed(root: Path, part: str, names: Sequence[str]) -> set[str]:
    """The images that ImageSets/Main/<part>.txt lists, a name a line."""
    path = root / "ImageSets" / "Main" / f"{part}.txt"
    if not path.is_file():
        return set()
    listed = {line.split()[0] for line in read_text(path).splitlines() if line.strip()}
    unknown = listed - set(names)
    if unknown:
        raise InputError(
            path, expected="names of annotated images", got=f"{len(unknown)} unknown, such as {min(unknown)}",
            fix="correct the list",
        )  # fmt: skip
    return listed
