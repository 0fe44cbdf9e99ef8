"""What a reader of annotations gives: pictures, and the boxes of what is in them."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class BoxedObject:
    """An object in a picture.

    box: corners (x1, y1, x2, y2) in pixels, in order. entry: file and place of its annotation, for messages. crowd:
    whether it is a region of many objects, in which detections are neither right nor wrong.
    """

    label: str
    box: list[float]
    entry: str
    crowd: bool = False


@dataclass(frozen=True)
class BoxedImage:
    """A picture and the objects in it. part: "training", "validation" or "test" where the data set says so."""

    case: str
    image: Path
    objects: list[BoxedObject] = field(default_factory=list)
    part: str = ""
