"""The bytes of a file, gzip or not, whatever its ending."""

import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from shared.errors import InputError
from shared.images.bounds import check_voxels

GZIP_MAGIC = b"\x1f\x8b"
GZIP = 31  # zlib's name for a gzip stream, whose checksum it checks
CHUNK = 1 << 20
LARGEST_RATIO = 1032  # deflate makes of a byte no more


class Start(NamedTuple):
    """How a file begins: `raw`, as it is stored, and `content`, unpacked."""

    raw: bytes
    content: bytes


def start_of(path: Path, count: int = 1 << 16) -> Start:
    """The first `count` bytes; fewer where the file ends before or is damaged, and none where there is no file."""
    if not path.is_file():
        return Start(b"", b"")
    content = bytearray()
    with path.open("rb") as file:
        raw = file.read(count)
        file.seek(0)
        try:
            for part in _parts(file):
                content += part
                if len(content) >= count:
                    break
        except (EOFError, zlib.error):  # whoever reads it all says so
            pass
    return Start(raw, bytes(content[:count]))


def volume_bytes(path: Path, *, offset: int, shape: Sequence[int], itemsize: int) -> bytes:
    """A file up to the end of the voxels that its header promises: `shape` of them, of `itemsize` bytes, at `offset`.

    Raises InputError, before anything is read, where they are more than memory or a file of its size can hold.
    """
    check_voxels(path, shape)
    count = offset + math.prod(map(int, shape)) * itemsize
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        most = path.stat().st_size * (LARGEST_RATIO if packed else 1)
        content = unpacked(file, count) if count <= most else b""
    if len(content) < count:
        raise InputError(
            path, expected=f"{count:,} bytes, as its header says",
            got=f"{len(content):,}" if content else f"at most {most:,}", fix="check that the file is complete",
        )  # fmt: skip
    return content


def unpacked(file: BinaryIO, count: int) -> bytes:
    """The first `count` bytes of a file, unpacked. A gzip file is read to its end, so that its checksum is checked.

    Bytes behind the last gzip stream, as some programs leave them, are passed over.
    Raises EOFError where a stream ends early, zlib.error where it is damaged.
    """
    content = bytearray()
    for part in _parts(file):
        content += part[: count - len(content)]
    return bytes(content)


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """What a file holds, unpacked, in parts of at most CHUNK bytes."""
    rest = file.read(CHUNK)
    if rest[:2] != GZIP_MAGIC:
        while rest:
            yield rest
            rest = file.read(CHUNK)
    while rest[:2] == GZIP_MAGIC:
        stream = zlib.decompressobj(GZIP)
        while not stream.eof:
            rest = rest or file.read(CHUNK)
            part = stream.decompress(rest, CHUNK)
            if not rest and not part and not stream.eof:
                raise EOFError("the gzip stream ends early")
            yield part
            rest = stream.unconsumed_tail
        rest = stream.unused_data
        rest += file.read(CHUNK) if len(rest) < 2 else b""
