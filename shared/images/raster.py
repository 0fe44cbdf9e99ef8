"""Reading raster images, whose format is told by their content, and naming the slices of a stack."""

import re
from pathlib import Path

import numpy as np

from shared.images.file import ImageFile
from shared.images.pictures import read_picture
from shared.images.tiff import read_tiff
from shared.images.tiff_layout import MAGICS as TIFF_MAGICS
from shared.images.tiff_layout import is_tiff, tiff_layout

RASTER_ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".gif", ".ppm", ".pgm")
MAGICS = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"\0\0\0\x0cjP  \r\n\x87\n", b"GIF8", b"P5", b"P6", *TIFF_MAGICS,
)  # fmt: skip
SLICE = re.compile(r"(.+)#((?:[a-z]+\d+_)*[a-z]+\d+)")  # `stack.tif#t001_z003`


def begins_as_picture(start: bytes) -> bool:
    """Whether a file with these first bytes is a raster image, and not DICOM, which may look alike."""
    return (start.startswith(MAGICS) or start[8:12] == b"WEBP") and start[128:132] != b"DICM"


def split_slice(path: Path) -> tuple[Path, str]:
    """The file and the name of the slice that `path` means: of `stack.tif#z003` stack.tif and z003, of others ""."""
    match = SLICE.fullmatch(path.name)
    return (path.with_name(match[1]), match[2]) if match and not path.exists() else (path, "")


def slice_names(path: Path) -> tuple[list[str], int]:
    """The names of a file's slices, [""] where it holds one picture, and how many of its pages are not read.

    Only headers are read. What is damaged counts as one picture: whoever reads it will report it.
    """
    try:
        layout = tiff_layout(path) if is_tiff(path) else None
    except Exception:  # tifffile raises many kinds
        layout = None
    return (list(layout.slices), layout.unread) if layout else ([""], 0)


def read_raster(path: Path, *, as_ids: bool) -> ImageFile:
    """A picture, or the slice of a stack that `path` means (see `split_slice`)."""
    file, name = split_slice(path)
    if is_tiff(file):
        values, channels = read_tiff(file, name, as_ids=as_ids)
    else:
        values, channels = read_picture(file, as_ids=as_ids)
    return ImageFile(path, values, np.eye(4), is_raster=True, channels=channels, pixel_size=stored_pixel_size(path))


def stored_pixel_size(path: str | Path) -> float | None:
    """In µm, as the file says that `path` means; None where it does not."""
    file, _ = split_slice(Path(path))
    return tiff_layout(file).pixel_size if file.is_file() and is_tiff(file) else None
