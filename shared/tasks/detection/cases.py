"""What a detector learns from and is held against: images with their objects, in the order of the image's axes."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.data import list_data_collate
from monai.transforms import MapTransform
from torch import Tensor

from shared.errors import InputError
from shared.images.cases import split_by_name
from shared.tasks.detection.annotations import BoxedImage, read_boxes

NOTHING = -1.0  # the class of a row that is no object


def boxed_cases(
    dataset_dir: str | Path,
    class_names: Sequence[str],
    *,
    fraction: float = 0.15,
    seed: int = 0,
    fold: int = 0,
) -> dict[str, list[dict[str, Any]]]:
    """The annotated images as {"training": [...], "validation": [...], "all": [...]}: {"case", "image", "label"}.

    "label": (M, 5) float32, a row an object: corners (row1, column1, row2, column2) in pixels, and its class.
    ImageSets/Main/val.txt, and train.txt beside it, decide; else the split is that of `split_by_name`.
    Raises InputError for a class that is none of `class_names`, a listed image without annotation, or an empty part.
    """
    boxed = read_boxes(dataset_dir)
    cases = [{"case": b.case, "image": str(b.image), "label": _objects(b, class_names)} for b in boxed]
    names = [b.case for b in boxed]
    listed = {part: _listed(Path(dataset_dir), part, names) for part in ("train", "val")}
    if not listed["val"]:
        return split_by_name(dataset_dir, cases, names, fraction=fraction, seed=seed, fold=fold)
    training = listed["train"] or set(names) - listed["val"]
    parts = {"training": training, "validation": listed["val"], "all": set(names)}
    found = {part: [case for case in cases if case["case"] in members] for part, members in parts.items()}
    for part, members in found.items():
        if not members:
            raise InputError(dataset_dir, expected=f"images for {part}", got="none", fix="correct ImageSets/Main")
    return found


def select_boxed(
    dataset_dir: str | Path, class_names: Sequence[str], *, part: str = "all", **split: Any
) -> list[dict[str, Any]]:
    """The annotated images of one part: "all", "training" or "validation" (see `boxed_cases`)."""
    if part == "all":
        return [
            {"case": b.case, "image": str(b.image), "label": _objects(b, class_names)} for b in read_boxes(dataset_dir)
        ]
    parts = boxed_cases(dataset_dir, class_names, **split)
    if part not in parts:
        raise InputError("part", expected=f"one of {', '.join(parts)}", got=repr(part), fix="choose one of these")
    return parts[part]


class ClipObjectsd(MapTransform):
    """Cut the boxes that `keys` hold, (M, 2 D + 1), to the image of `image_key`, and drop those without area."""

    def __init__(self, keys: KeysCollection, *, image_key: str = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
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


def collate_objects(batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch of {"image", "label", …}: labels (B, M, 2 D + 1), filled up to the same M ≥ 1 with rows of NOTHING."""
    most = max(1, *(len(sample["label"]) for sample in batch))
    filled = [F.pad(sample["label"], (0, 0, 0, most - len(sample["label"])), value=NOTHING) for sample in batch]
    collated: dict[str, Any] = list_data_collate([{**sample, "label": label} for sample, label in zip(batch, filled)])
    return collated


def _objects(boxed: BoxedImage, class_names: Sequence[str]) -> np.ndarray:
    unknown = sorted(set(boxed.classes) - set(class_names))
    if unknown:
        raise InputError(
            boxed.image, expected=f"objects of the classes {', '.join(class_names)}", got=", ".join(unknown),
            fix="correct the annotation, or name all its classes with --class_names",
        )  # fmt: skip
    rows = [[y1, x1, y2, x2, class_names.index(c)] for (x1, y1, x2, y2), c in zip(boxed.boxes, boxed.classes)]
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def _listed(root: Path, part: str, names: Sequence[str]) -> set[str]:
    """The images that ImageSets/Main/<part>.txt lists, a name a line."""
    path = root / "ImageSets" / "Main" / f"{part}.txt"
    if not path.is_file():
        return set()
    listed = {line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
    unknown = listed - set(names)
    if unknown:
        raise InputError(
            path, expected="names of annotated images", got=f"{len(unknown)} unknown, such as {min(unknown)}",
            fix="correct the list",
        )  # fmt: skip
    return listed
