"""Data sets of instances: label maps beside images, COCO's JSON or LabelMe's, found out by looking."""

from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.files import read_table, visible_files
from shared.images.boxes import Size
from shared.images.cases import Case, find_labelled_cases
from shared.images.coco import CocoFile, CocoImage, coco_files, open_coco
from shared.images.labelme import labelme_files, labelme_image, labelme_shapes
from shared.images.layouts import case_of, labelled_folders, without_image_folder
from shared.images.reading import RASTER_ENDINGS, read_image, without_ending
from shared.images.splits import choose_part, several_parts, split_by_name
from shared.tasks.instances.masks import as_ids

SEPARATOR = "#"  # between a COCO file and the id of one of its images, in a case's "label"
# How Cellpose ends the names of masks, and of other results, beside an image.
MASKS, OTHERS = ("_masks", "_cp_masks"), ("_flows", "_cp_output", "_outlines")


def split_instances(
    dataset_dir: str | Path, *, fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> dict[str, list[Case]]:
    """What `split_cases` does, of every layout that `find_instances` knows. A COCO file for a part is that part."""
    cases, assigned = _found(Path(dataset_dir))
    names = [without_image_folder(Path(case["case"])) for case in cases]
    return split_by_name(dataset_dir, cases, names, fraction=fraction, seed=seed, fold=fold, assigned=assigned)


def select_instances(
    dataset_dir: str | Path, *, part: str = "all", fraction: float = 0.15, seed: int = 0, fold: int = 0
) -> list[Case]:
    """The cases of one part: "all", "training" or "validation" (see `split_instances`)."""
    return choose_part(
        part,
        lambda: find_instances(dataset_dir),
        lambda: split_instances(dataset_dir, fraction=fraction, seed=seed, fold=fold),
    )


def find_instances(dataset_dir: str | Path) -> list[Case]:
    """The images of a data set with what names their instances.

    images/ + labels/ or masks/ (StarDist) of maps of ids, `a_masks.png` beside `a.png` (Cellpose), COCO's JSON files,
    or LabelMe's beside the images; at the root, or in folders train/, val/, …. Raises InputError where it is none.
    """
    return _found(Path(dataset_dir))[0]


def is_drawn(label: str) -> bool:
    """Whether a case's "label" names annotations that are to be drawn, in a JSON, rather than a map of ids."""
    return label.endswith(".json") or label.rpartition(SEPARATOR)[0].endswith(".json")


def draw_ids(label: str, size: Size) -> np.ndarray:
    """The ids (height, width) of the annotations that a case's "label" names, for a picture of `size` (width, height).

    Later ones are drawn over earlier ones; crowds are left out. Raises InputError where an annotation cannot be drawn.
    """
    if SEPARATOR in Path(label).name:
        file, image = _coco_image(label)
        return file.draw(image, size)
    from pycocotools.mask import decode, frPyObjects, merge

    ids = np.zeros(size[::-1], dtype=np.int32)
    for number, shape in enumerate(labelme_shapes(Path(label), size), start=1):
        ids[decode(merge(frPyObjects([shape.polygon], *size[::-1]))) > 0] = number
    return ids


def count_instances(label: str) -> int:
    """How many instances a case's "label" holds: ids, or annotations of its image in a JSON, but for crowds."""
    if not is_drawn(label):
        return int((np.unique(as_ids(read_image(label, as_ids=True).values, label)) != 0).sum())
    if SEPARATOR in Path(label).name:
        file, image = _coco_image(label)
        return file.count(image)
    return len(list(labelme_shapes(Path(label), None)))


def read_groups(path: str | Path, column: str = "modality") -> dict[str, str]:
    """The group of each image, by its name without ending: the columns id and `column` of a CSV; {} without a file."""
    return {row["id"]: row[column] for row in read_table(path) if {"id", column} <= row.keys()}


def _found(root: Path) -> tuple[list[Case], dict[str, str]]:
    """The cases, and the part of those whose annotations are a part's."""
    files = coco_files(root)
    if files:
        return _coco_cases(root, files)
    if not labelled_folders(root):
        cases = cellpose_cases(root) or labelme_cases(root)
        if cases:
            return cases, {}
    return find_labelled_cases(root), {}


def _coco_cases(root: Path, files: list[Path]) -> tuple[list[Case], dict[str, str]]:
    cases: dict[str, Case] = {}
    parts: dict[str, str] = {}
    for path in files:
        file = open_coco(path)
        for image in file.images:
            picture = file.image_path(image, root)
            name = case_of(root, picture)
            label = f"{path}{SEPARATOR}{image['id']}"
            if name in cases:
                raise InputError(
                    path, expected="images that no other entry names", got=f"{picture}, also in {cases[name]['label']}",
                    fix="keep one of the files, or merge them",
                )  # fmt: skip
            cases[name] = {"case": name, "image": str(picture), "label": label}
            parts[name] = file.part(root)
    return [cases[name] for name in sorted(cases)], several_parts(parts)


def _coco_image(label: str) -> tuple[CocoFile, CocoImage]:
    path, _, wanted = label.rpartition(SEPARATOR)
    file = open_coco(path)
    return file, next(image for image in file.images if str(image["id"]) == wanted)


def cellpose_cases(root: Path) -> list[Case]:
    """The images that have Cellpose's masks beside them. Raises InputError where some have none, or only `_seg.npy`."""
    images = {
        without_ending(path).relative_to(root).as_posix(): path
        for path in visible_files(root, "**/*")
        if path.name.lower().endswith(RASTER_ENDINGS)
    }
    masks = {name: path for name, path in images.items() if name.endswith(MASKS)}
    packed = {path.name for path in visible_files(root, "**/*_seg.npy")}
    if not masks and not packed:
        return []
    cases = []
    for name, image in images.items():
        if name in masks or name.endswith(OTHERS):
            continue
        beside = [masks[stem + ending] for stem in (name, name.removesuffix("_img")) for ending in MASKS
                  if stem + ending in masks]  # fmt: skip
        if not beside:
            stem = Path(name).name
            raise InputError(
                image, expected=f"masks beside it, {stem}_masks.png or .tif",
                got=f"{stem}_seg.npy" if f"{stem}_seg.npy" in packed else "none",
                fix="save them in Cellpose with File > Save masks as PNG/tif",
            )  # fmt: skip
        cases.append({"case": name, "image": str(image), "label": str(beside[0])})
    return sorted(cases, key=lambda case: case["case"])


def labelme_cases(root: Path) -> list[Case]:
    """The images that LabelMe's files in `root` annotate."""
    cases = []
    for path in labelme_files(root):
        image = labelme_image(path, root)
        cases.append({"case": case_of(root, image), "image": str(image), "label": str(path)})
    return sorted(cases, key=lambda case: case["case"])
