"""PASCAL VOC's annotations, an XML a picture: in Annotations/ beside JPEGImages/, or beside the picture."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from shared.errors import InputError, one_line
from shared.files import visible_files
from shared.images.boxes import Size, check_size, checked_box, picture_size
from shared.images.layouts import case_of, image_named
from shared.tasks.detection.boxed import BoxedImage, BoxedObject

Element = ElementTree.Element
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def is_voc(root: Path) -> bool:
    """Whether there is a folder Annotations/, or an XML below `root` that is such an annotation."""
    return (root / "Annotations").is_dir() or any(_is_annotation(path) for path in _files(root))


def read_voc(root: Path) -> Iterator[BoxedImage]:
    """The pictures that have an annotation. Raises InputError for the file and the object that cannot be used."""
    for path in _files(root):
        if _is_annotation(path):
            tree = _parsed(path)
            image = _image(root, path, tree)
            size = picture_size(image)
            check_size(_declared(tree), size, str(path))
            objects = [
                _object(element, size, f"{path}, object {number}")
                for number, element in enumerate(tree.iter("object"), start=1)
            ]
            folder = case_of(root, image).rpartition("/")[0]
            yield BoxedImage(f"{folder}/{path.stem}" if folder else path.stem, image, objects)


def _files(root: Path) -> Iterator[Path]:
    yield from visible_files(root, "**/*.xml")


def _is_annotation(path: Path) -> bool:
    """Whether an XML is VOC's; a broken one is taken for it, so that it is reported."""
    try:
        with path.open("rb") as file:
            return next(ElementTree.iterparse(file, events=("start",)))[1].tag == "annotation"
    except (ElementTree.ParseError, ValueError, LookupError):  # the latter two for an encoding that is not known
        return True


def _parsed(path: Path) -> Element:
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(
            path, expected="a PASCAL VOC annotation", got=one_line(error), fix="repair or remove it"
        ) from error


def _image(root: Path, path: Path, tree: Element) -> Path:
    """The picture that an annotation names, or else that of its own name."""
    below = path.parent.relative_to(root).parts
    folders = [path.parent]
    for place, name in enumerate(below):
        if name.lower() == "annotations":
            others = ("JPEGImages", "images", "Images")
            folders = [root.joinpath(*below[:place], other, *below[place + 1 :]) for other in others] + folders
    named = (tree.findtext("filename") or "").strip()
    image = image_named(root, folders, named) or image_named(root, folders, path.stem)
    if image is None:
        raise InputError(
            path, expected=f"its image in {folders[0]}", got="none", fix="add the image or remove the annotation"
        )
    return image


def _declared(tree: Element) -> Size:
    """Width and height that the annotation states, 0 where it does not."""
    texts = [(tree.findtext(f"size/{name}") or "").strip() for name in ("width", "height")]
    width, height = (int(text) if text.isdecimal() else 0 for text in texts)
    return (width, height) if width and height else (0, 0)


def _object(element: Element, size: Size | None, entry: str) -> BoxedObject:
    label = (element.findtext("name") or "").strip()
    if not label:
        raise InputError(entry, expected="an object with a name", got="none", fix="name its class or remove it")
    texts = [(element.findtext(f"bndbox/{corner}") or "").strip() for corner in CORNERS]
    try:
        corners = [float(text) for text in texts]
    except ValueError as error:
        raise InputError(
            entry, expected=f"a bndbox of the numbers {', '.join(CORNERS)}", got=", ".join(map(repr, texts)),
            fix="correct the annotation",
        ) from error  # fmt: skip
    return BoxedObject(label, checked_box(corners, size, entry), entry)
