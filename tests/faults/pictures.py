"""Pictures that cannot be used, or hardly, made from a seed: by name, the bytes of each file."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile
from PIL import Image

Generator = np.random.Generator
FORMATS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "webp": "WEBP", "jp2": "JPEG2000"}


def bad_pictures(good: np.ndarray, rng: Generator) -> Iterator[tuple[str, bytes]]:
    """Files that no bundle for microscopy can use: every one must be a failed row. good: (H, W) or (H, W, 3)."""
    noise = rng.integers(0, 256, (9, 11), dtype=np.uint8)
    for ending in FORMATS:
        content = encoded(good, ending)
        yield f"empty_{ending}.{ending}", b""
        yield f"cut_{ending}.{ending}", content[: int(rng.integers(9, len(content) // 2))]
        yield f"zeros_{ending}.{ending}", bytes(len(content))
        yield f"noise_{ending}.{ending}", rng.bytes(500)
    png = encoded(good, "png")
    yield "magic_alone.png", png[:8]
    yield "header_alone.png", png[:33]
    yield "wrong_sum.png", png[:40] + bytes([png[40] ^ 255]) + png[41:]
    yield "text.png", b"not a picture"
    yield "html.jpg", b"<!DOCTYPE html><html>404</html>"
    yield "zip.tif", b"PK\3\4" + rng.bytes(100)
    yield "nifti.png", struct.pack("<i", 348) + bytes(344)
    yield "bomb.png", png_of_size(50_000, 50_000)
    yield "largest.png", png_of_size(2**31 - 1, 2**31 - 1)
    yield "no_width.png", png_of_size(0, 10)
    yield "large.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "constant.png", encoded(np.full((20, 30), 7, np.uint8), "png")
    yield "black.jpg", encoded(np.zeros((20, 30, 3), np.uint8), "jpg")
    yield "pixel.png", encoded(noise[:1, :1], "png")
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus_inf", -np.inf)):
        array = noise.astype(np.float32)
        array[2, 3] = value
        yield f"{name}.tif", tiff(array)
    yield "all_nan.tif", tiff(np.full((9, 11), np.nan, np.float32))
    yield "complex.tif", tiff(noise.astype(np.complex64))
    yield "two_channels.tif", tiff(rng.integers(0, 99, (2, 9, 11), dtype=np.uint16), planarconfig="separate")
    yield "seven_channels.tif", tiff(rng.integers(0, 99, (9, 11, 7), dtype=np.uint8), planarconfig="contig")
    yield "cielab.tif", tiff(rng.integers(0, 99, (9, 11, 3), dtype=np.uint8), photometric="cielab")
    content = tiff(noise)
    for tag, name in ((256, "width"), (257, "height")):
        yield f"absurd_{name}_of.tif", with_tag(content, tag, 2**31 - 1)
        yield f"no_{name}_of.tif", with_tag(content, tag, 0)
    yield "absurd_strips.tif", with_tag(content, 273, 2**31)
    yield "absurd_bits.tif", with_tag(content, 258, 77)
    yield "unknown_compression.tif", with_tag(content, 259, 54_321)
    yield "pages_far_away.tif", content[:4] + struct.pack("<I", 2**31) + content[8:]


def damaged_pictures(good: np.ndarray, rng: Generator, count: int) -> Iterator[tuple[str, bytes]]:
    """Files of which some bits are others: each is a row, done or failed."""
    yield "ring_of_pages.tif", with_next_page(tiff(good.reshape(*good.shape[:2], -1)[..., 0]), 8)
    for number in range(count):
        ending = list(FORMATS)[number % len(FORMATS)]
        yield f"flipped_{number}.{ending}", flipped(encoded(good, ending), rng)


def flipped(content: bytes, rng: Generator, *, within: int | None = None) -> bytes:
    """`content` with one to eight of its bits turned over, those of its first `within` bytes."""
    changed = bytearray(content)
    for place in rng.integers(0, min(within or len(changed), len(changed)), rng.integers(1, 9)):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def encoded(array: np.ndarray, ending: str) -> bytes:
    """A picture (H, W) or (H, W, 3), uint8, as a file."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, FORMATS[ending])
    return file.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, metadata=None, **{"photometric": "minisblack", **options})
    return file.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises more than its few bytes hold."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    magic = b"\x89PNG\r\n\x1a\n"
    return magic + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def with_tag(content: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF one of whose tags, a number, has another value."""
    start = int.from_bytes(content[4:8], "little")
    changed = bytearray(content)
    for number in range(int.from_bytes(content[start : start + 2], "little")):
        entry = start + 2 + 12 * number
        if int.from_bytes(content[entry : entry + 2], "little") == tag:
            changed[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(changed)


def with_next_page(content: bytes, place: int) -> bytes:
    """A little-endian TIFF whose first page names `place` as that of the next."""
    start = int.from_bytes(content[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(content[start : start + 2], "little")
    return content[:end] + struct.pack("<I", place) + content[end + 4 :]
