"""Which pages of a TIFF are channels and which are slices, by ImageJ's or OME's metadata where it has any."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from shared.images.channels import ALPHA, GRAY, RGB, Channel, colour_name
from shared.images.ome import Ome, read_ome
from shared.images.pixel_size import LARGEST_UM, TIFF_UNITS, of_resolution

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MINISWHITE, MINISBLACK, COLOUR = 0, 1, 2  # the tag PhotometricInterpretation
AXIS_WORDS = {"T": "t", "Z": "z", "I": "page", "Q": "page"}  # tifffile's letters, in the names of slices
IMAGEJ_COLOURS = ("red", "green", "blue", "gray", "cyan", "magenta", "yellow")  # of a composite without tables

Index = dict[str, int]  # of a plane, from 0, along axes such as T, Z and C


@dataclass(frozen=True)
class Plane:
    """Where the pixels of a plane lie: in a page of the file or, of a stack in one piece, from `offset` on."""

    page: int
    offset: int | None = None


@dataclass(frozen=True)
class Slice:
    """A picture of the file: its planes, each a channel or, in colour, several, and the channels of all of them."""

    name: str
    planes: tuple[Plane, ...]
    channels: tuple[Channel, ...]


@dataclass(frozen=True)
class Layout:
    """slices: by name, "" where there is one alone; else `z003` or `t001_z003`, with numbers from 1 as viewers have.

    unread: how many pages are none of these, such as a thumbnail; the levels of a pyramid do not count.
    pixel_size: in µm, None where it is not known.
    """

    slices: dict[str, Slice]
    unread: int
    pixel_size: float | None = None


def is_tiff(path: Path) -> bool:
    """Whether a file's content is TIFF, or BigTIFF."""
    with path.open("rb") as file:
        return file.read(4) in MAGICS


def opened_tiff(path: Path, **options: Any) -> Any:
    """A `tifffile.TiffFile`, without the warnings that would stand between the lines of a table."""
    import tifffile  # 0.1 s, needed for TIFF alone

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    return tifffile.TiffFile(path, **options)


def tiff_layout(path: Path) -> Layout:
    """The slices of a TIFF, from its headers alone. Raises what tifffile does where it cannot be read."""
    state = path.stat()
    return _layout(path, state.st_mtime_ns, state.st_size)


def sample_channels(page: Any) -> tuple[Channel, ...]:
    """The channels within a page. Alpha is what the tag ExtraSamples says is: 1, associated, or 2, not associated."""
    if is_coloured_otherwise(page):
        return RGB
    count = page.samplesperpixel
    base = RGB if page.photometric == COLOUR and count >= 3 else (GRAY,)
    extra = [int(kind) for kind in page.extrasamples]
    if len(base) + len(extra) != count:
        extra = [0] * (count - len(base))
    if base == (GRAY,) and not set(extra) <= {1, 2}:
        base = (Channel("1"),)
    return base + tuple(ALPHA if k in (1, 2) else Channel(str(n)) for n, k in enumerate(extra, len(base) + 1))


def is_coloured_otherwise(page: Any) -> bool:
    """Whether the numbers of a page are neither gray nor red, green and blue, but, say, a palette's or CMYK's."""
    return page.photometric not in (MINISWHITE, MINISBLACK, COLOUR)


@lru_cache(maxsize=16)
def _layout(path: Path, modified_ns: int, size: int) -> Layout:
    """As `tiff_layout`, kept, since a stack is asked for it once a slice."""
    with opened_tiff(path) as tif:
        ome = read_ome(tif.pages.first.description, path.name, len(tif.pages)) if tif.is_ome else Ome()
    with opened_tiff(path, **({} if ome.own_planes is None else {"is_ome": False})) as tif:
        if ome.own_planes:
            placed = [(index, Plane(page)) for page, index in ome.own_planes.items()]
            page, used = tif.pages[placed[0][1].page], set(ome.own_planes)
        else:
            page, placed, used = _largest(tif.series)
        stains = ome.channels or _imagej_channels(tif.imagej_metadata or {})
        slices = {each.name: each for each in _slices(placed, sample_channels(page), stains)}
        return Layout(slices, max(0, len(tif.pages) - len(used)), ome.pixel_size or _pixel_size(tif, page))


def _largest(series: list[Any]) -> tuple[Any, list[tuple[Index, Plane]], set[int]]:
    """The first page of the largest size, the planes of this size and type, and the pages of the file they take."""
    page = max((one.keyframe for one in series), key=lambda page: page.imagewidth * page.imagelength)
    alike = [one for one in series if (one.keyframe.shape, one.keyframe.dtype) == (page.shape, page.dtype)]
    placed = [({"series": number, **index}, plane) for number, one in enumerate(alike) for index, plane in _planes(one)]
    return page, placed, {each.index for one in alike for level in one.levels for each in level.pages if each}


def _planes(series: Any) -> Iterator[tuple[Index, Plane]]:
    """The planes of a series, each with its index along the axes that are not those of a page."""
    page = series.keyframe
    depth = len(series.shape) - page.ndim
    indices = [dict(zip(series.axes, index)) for index in np.ndindex(*series.shape[:depth])]
    if series.dataoffset is not None and not is_coloured_otherwise(page):
        yield from ((index, Plane(page.index, series.dataoffset + i * page.nbytes)) for i, index in enumerate(indices))
    else:
        yield from ((index, Plane(each.index)) for index, each in zip(indices, series.pages) if each is not None)


def _slices(
    placed: list[tuple[Index, Plane]], samples: tuple[Channel, ...], stains: tuple[Channel, ...]
) -> Iterator[Slice]:
    """Planes that differ along C alone, brought together, and named by the other axes along which they vary.

    samples: the channels of a page. stains: those along C, as far as they are known.
    """
    axes = [axis for axis in dict.fromkeys(axis for index, _ in placed for axis in index) if axis != "C"]
    varying = [axis for axis in axes if len({index[axis] for index, _ in placed}) > 1]
    slices: dict[str, dict[int, Plane]] = {}
    digits = {axis: max(3, len(str(1 + max(index[axis] for index, _ in placed)))) for axis in varying}
    for index, plane in placed:
        name = "_".join(f"{AXIS_WORDS.get(axis, axis.lower())}{index[axis] + 1:0{digits[axis]}}" for axis in varying)
        slices.setdefault(name, {})[index.get("C", 0)] = plane
    for name, planes in slices.items():
        channels = samples
        if len(samples) == 1 and (len(planes) > 1 or stains):
            channels = tuple(stains[c] if c < len(stains) else Channel(str(c + 1)) for c in planes)
        elif len(planes) > 1:
            channels = tuple(Channel(str(number)) for number in range(1, len(samples) * len(planes) + 1))
        yield Slice(name, tuple(planes.values()), channels)


def _imagej_channels(metadata: dict[str, Any]) -> tuple[Channel, ...]:
    """The channels of a file that ImageJ wrote, by number, and the colours in which it shows them."""
    colours = [colour_name(*table[:, -1].tolist()) for table in metadata.get("LUTs", [])]
    if not colours and metadata.get("mode") in ("composite", "color"):
        colours = list(IMAGEJ_COLOURS)
    count = int(metadata.get("channels", 1))
    return tuple(Channel(str(i + 1), colours[i] if i < len(colours) else "") for i in range(count)) if count > 1 else ()


def _pixel_size(tif: Any, page: Any) -> float | None:
    """In µm, of a file without OME's metadata: as ImageJ has it, or TIFF's own tags where they are a microscope's."""
    tags = [page.tags.get(name) for name in ("XResolution", "YResolution")]
    resolutions = [tag.value for tag in tags if tag is not None]
    if len(resolutions) < 2:
        return None
    if tif.is_imagej:
        return of_resolution(resolutions, str((tif.imagej_metadata or {}).get("unit", "")))
    unit = page.tags.get("ResolutionUnit")
    size = of_resolution(resolutions, TIFF_UNITS.get(int(unit.value), "") if unit else "")
    return size if size is not None and size < LARGEST_UM else None
