"""What the XML of an OME-TIFF says of its channels, its pixels, and the planes that lie in a file of several."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from shared.images.channels import Channel, colour_name
from shared.images.pixel_size import in_micrometres, of_sides


@dataclass(frozen=True)
class Ome:
    """channels: those of the first image, by name and colour; one without a name has its number, from 1.

    own_planes: of a file whose XML describes planes of other files too, its pages, each with its index along Z, C
    and T; None where all planes lie in this file. pixel_size: of the first image, in µm; None where it is not known.
    """

    channels: tuple[Channel, ...] = ()
    own_planes: dict[int, dict[str, int]] | None = None
    pixel_size: float | None = None


def read_ome(xml: str, file_name: str, pages: int) -> Ome:
    """What the XML of a file of so many pages says; nothing where it is not as the specification has it.

    Source: the OME-TIFF specification, "TiffData", 2016-06.
    """
    try:
        root = ElementTree.fromstring(xml)
        pixels = list(_below(root, "Pixels"))
        channels = [channel.attrib for channel in _below(pixels[0], "Channel")]
        return Ome(
            tuple(Channel(c.get("Name") or str(number), _colour(c)) for number, c in enumerate(channels, 1)),
            _own_planes(pixels, root.get("UUID"), file_name, pages),
            of_sides(*(_side(pixels[0], axis) for axis in "XY")),
        )
    except (ElementTree.ParseError, LookupError, ValueError, OverflowError):
        return Ome()


def _own_planes(
    images: list[Element], own_uuid: str | None, file_name: str, pages: int
) -> dict[int, dict[str, int]] | None:
    planes: dict[int, dict[str, int]] = {}
    elsewhere = False
    for pixels in images:
        axes = pixels.attrib["DimensionOrder"][:1:-1]  # of XYCZT: T, Z, C, the slowest first
        sizes = [int(pixels.attrib[f"Size{axis}"]) for axis in axes]
        for data in _below(pixels, "TiffData"):
            uuid = next(_below(data, "UUID"), None)
            if uuid is not None and not _is_own(uuid, own_uuid, file_name):
                elsewhere = True
                continue
            first = int(np.ravel_multi_index([int(data.get(f"First{axis}", 0)) for axis in axes], sizes))
            page = int(data.get("IFD", 0))
            count = int(data.get("PlaneCount", 1 if "IFD" in data.attrib else pages))
            for i in range(min(count, pages - page, int(np.prod(sizes)) - first)):
                planes[page + i] = dict(zip(axes, (int(n) for n in np.unravel_index(first + i, sizes))))
    return planes if elsewhere else None


def _side(pixels: Element, axis: str) -> float | None:
    """Of a pixel, in µm, which is the unit where none is named."""
    length, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
    return in_micrometres(float(length), unit) if length else None


def _is_own(uuid: Element, own_uuid: str | None, file_name: str) -> bool:
    """Whether planes lie in the file that is read. It may have been renamed, but keeps its UUID."""
    return bool(uuid.text == own_uuid if own_uuid else uuid.get("FileName", "").lower() == file_name.lower())


def _colour(channel: dict[str, str]) -> str:
    """Of a signed 32-bit number, whose bytes are red, green, blue, alpha."""
    if "Color" not in channel:
        return ""
    red, green, blue, _ = (int(channel["Color"]) % 2**32).to_bytes(4, "big")
    return colour_name(red, green, blue)


def _below(element: Element, tag: str) -> Iterator[Element]:
    """The elements of a tag below `element`, in whichever namespace."""
    return (each for each in element.iter() if each.tag.rpartition("}")[2] == tag)
