"""Reading data sets of boxes: PASCAL VOC, COCO, YOLO and LabelMe, found out by looking."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from shared.errors import InputError, one_line
from shared.files import visible_files
from shared.images.boxes import checked_box, has_area, picture_size
from shared.images.coco import coco_files, open_coco
from shared.images.labelme import labelme_files, labelme_image, labelme_shapes
from shared.images.layouts import case_of
from shared.images.reading import RASTER_ENDINGS
from shared.tasks.detection.boxed import BoxedImage, BoxedObject
from shared.tasks.detection.voc import is_voc, read_voc
from shared.tasks.detection.yolo import is_yolo, read_yolo

logger = logging.getLogger(__name__)


def read_boxes(dataset_dir: str | Path) -> list[BoxedImage]:
    """The images of a data set with their boxes, sorted by name; images without objects are among them.

    PASCAL VOC: an XML a picture, in Annotations/ or beside it. COCO: JSON files in the folder, in annotations/ or in
    the folders of the parts. YOLO: labels/*.txt for images/, or texts beside the pictures, and classes.txt or the names
    in data.yaml. LabelMe: a JSON beside each picture. Each is looked for at the root and in folders train/, valid/, ….
    Raises InputError where it is none of these or several, an image is missing or annotated twice, or an annotation
    cannot be used: one line that names its file and entry. A box without area is left out, and so are pictures that
    nothing annotates: either is logged in a line.
    """
    root = Path(dataset_dir)
    layout, read = _layout(root)
    try:
        found = sorted(read(root), key=lambda image: image.case)
    except InputError:
        raise
    except Exception as error:  # parsers raise many kinds
        raise InputError(
            root, expected=f"{layout} annotations", got=one_line(error), fix="repair the annotation"
        ) from error
    if not found:
        raise InputError(root, expected="annotated images", got="none", fix="check --dataset_dir")
    _refuse_repeated(root, found)
    _log_left_out(root, found)
    return [_with_area(image) for image in found]


def _layout(root: Path) -> tuple[str, Callable[[Path], Iterator[BoxedImage]]]:
    readers: dict[str, tuple[Callable[[Path], object], Callable[[Path], Iterator[BoxedImage]]]] = {
        "PASCAL VOC": (is_voc, read_voc),
        "YOLO": (is_yolo, read_yolo),
        "COCO": (coco_files, _read_coco),
        "LabelMe": (labelme_files, _read_labelme),
    }
    layouts = {name: read for name, (matches, read) in readers.items() if matches(root)}
    if len(layouts) != 1:
        raise InputError(
            root,
            expected="one of PASCAL VOC (Annotations/*.xml), COCO (*.json), YOLO (labels/*.txt) or LabelMe (*.json)",
            got=" and ".join(layouts) or "none of them", fix="check --dataset_dir",
        )  # fmt: skip
    return next(iter(layouts.items()))


def _read_coco(root: Path) -> Iterator[BoxedImage]:
    for path in coco_files(root):
        file = open_coco(path)
        if not file.names:
            raise InputError(path, expected="categories, with their names", got="none", fix="add them")
        for image in file.images:
            picture = file.image_path(image, root)
            size = picture_size(picture)
            file.check_size(image, size)
            objects = [
                BoxedObject(file.label(one), file.box(one, size), file.entry(one), bool(one.get("iscrowd")))
                for one in file.annotations(image)
            ]
            yield BoxedImage(case_of(root, picture), picture, objects, file.part(root))


def _read_labelme(root: Path) -> Iterator[BoxedImage]:
    for path in labelme_files(root):
        image = labelme_image(path, root)
        size = picture_size(image)
        objects = [
            BoxedObject(shape.label, checked_box(shape.box, size, shape.entry), shape.entry)
            for shape in labelme_shapes(path, size)
        ]
        yield BoxedImage(case_of(root, image), image, objects)


def _log_left_out(root: Path, images: Iterable[BoxedImage]) -> None:
    pictures = {path for path in visible_files(root, "**/*") if path.name.lower().endswith(RASTER_ENDINGS)}
    left_out = sorted(pictures - {image.image for image in images})
    if left_out:
        logger.warning("%s: %d pictures without annotation left out, such as %s", root, len(left_out), left_out[0])


def _with_area(image: BoxedImage) -> BoxedImage:
    """`image` without the boxes that have no area, each of which is logged."""
    for one in image.objects:
        if not has_area(one.box):
            logger.warning("%s: left out, a box without area, %s; correct or remove it", one.entry, one.box)
    return replace(image, objects=[one for one in image.objects if has_area(one.box)])


def _refuse_repeated(root: Path, images: Iterable[BoxedImage]) -> None:
    first: dict[object, BoxedImage] = {}
    for image in images:
        for key in (image.case, image.image):
            other = first.setdefault(key, image)
            if other is not image:
                raise InputError(
                    root, expected="each picture annotated once, and by a name of its own",
                    got=f"{image.image} and {other.image}", fix="remove or rename one of them",
                )  # fmt: skip
