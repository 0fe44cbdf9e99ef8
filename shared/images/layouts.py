"""How data sets name their folders: images and labels beside each other, and parts for training and validation."""

import os
from pathlib import Path, PurePath

from shared.images.reading import RASTER_ENDINGS, without_ending

# Folder of images -> folders of labels that may lie beside it, the first that is there: Medical Segmentation Decathlon;
# plain, StarDist, DRIVE, whose mask/ is of the field of view.
LABEL_FOLDERS = {
    "imagesTr": ("labelsTr",),
    "imagesTs": ("labelsTs",),
    "images": ("labels", "masks", "label", "segmentations", "ground_truth", "groundtruth", "gt", "1st_manual", "mask"),
}
IMAGE_FOLDERS = {*LABEL_FOLDERS, "JPEGImages"}

TRAINING, VALIDATION, TEST = "training", "validation", "test"
PART_OF = {
    "train": TRAINING, "training": TRAINING, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION,
    "test": TEST, "testing": TEST,
}  # fmt: skip


def part_named(name: str) -> str:
    """TRAINING, VALIDATION or TEST of a folder called train, valid, val2017, …; else an empty string."""
    return PART_OF.get(name.lower().rstrip("0123456789_-"), "")


def part_folders(root: Path) -> list[Path]:
    """The folders directly below `root` that are called after a part."""
    return sorted(path for path in root.iterdir() if path.is_dir() and part_named(path.name)) if root.is_dir() else []


def labelled_folders(root: Path) -> list[tuple[Path, Path]]:
    """The folders of images with that of their labels: one pair in `root`, or else one in each of its parts."""
    for places in ([root], part_folders(root)):
        pairs = [pair for place in places for pair in _pairs(place)[:1]]
        if pairs:
            return pairs
    return []


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    return [
        (folder / images, folder / label)
        for images, labels in LABEL_FOLDERS.items()
        for label in labels
        if (folder / images).is_dir() and (folder / label).is_dir()
    ]


def without_image_folder(path: PurePath) -> str:
    """A path below a data set less its folder of images: `a` of images/a, `train/a` of images/train/a, train/images/a.

    That folder is the first one, or the second where the first is called after a part.
    """
    parts = list(path.parts)
    place = 1 if len(parts) > 2 and part_named(parts[0]) else 0
    if len(parts) > place + 1 and parts[place] in IMAGE_FOLDERS:
        del parts[place]
    return "/".join(parts)


def case_of(root: Path, image: Path) -> str:
    """How the case of an image is called: by its path below `root`, less its ending and its folder of images.

    An image elsewhere is called after the folder that it lies in.
    """
    path = without_ending(image)
    below = path.relative_to(root) if path.is_relative_to(root) else Path(*path.parts[-3:])
    return without_image_folder(below)


def image_named(root: Path, folders: list[Path], name: str) -> Path | None:
    """The image called `name` in the first of `folders` that has it, or else one of that name but another ending.

    None where there is none that lies within `root`; absolute names, and those that lead out of it, name nothing.
    """
    name = name.replace("\\", "/")
    stem = without_ending(Path(name)).as_posix()
    for candidate in (name, *(f"{stem}{ending}" for ending in RASTER_ENDINGS)):
        for folder in folders:
            path = folder / candidate
            if candidate.strip("./") and os.path.isfile(path) and path.resolve().is_relative_to(root.resolve()):
                return path
    return None


def is_beside_picture(path: Path) -> bool:
    """Whether a file lies beside a picture of its name, as annotations do of which each is of one picture."""
    return any(path.with_suffix(ending).is_file() for ending in RASTER_ENDINGS)
