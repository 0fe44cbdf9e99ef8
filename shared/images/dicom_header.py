"""The elements of a DICOM file that lie before its pixels, as far as reading a volume needs them."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

TEXTS = {
    0x00080008: "ImageType", 0x00080016: "SOPClassUID", 0x0008103E: "SeriesDescription", 0x00180050: "SliceThickness",
    0x00180081: "EchoTime", 0x00200011: "SeriesNumber", 0x00200012: "AcquisitionNumber", 0x00200032: "Position",
    0x00200037: "Orientation", 0x0020000E: "SeriesInstanceUID", 0x00200100: "TemporalPosition",
    0x00280008: "NumberOfFrames", 0x00280030: "PixelSpacing", 0x00281052: "RescaleIntercept",
    0x00281053: "RescaleSlope",
}  # fmt: skip
NUMBERS = {
    0x00280002: ("SamplesPerPixel", "H"), 0x00280010: ("Rows", "H"), 0x00280011: ("Columns", "H"),
    0x00189082: ("EchoTime", "d"), 0x00189087: ("BValue", "d"), 0x00209128: ("TemporalPosition", "I"),
}  # fmt: skip
SEQUENCES = {
    0x00189114: "Echo", 0x00189117: "Diffusion", 0x00209111: "FrameContent", 0x00209113: "PlanePosition",
    0x00209116: "PlaneOrientation", 0x00289110: "PixelMeasures", 0x00289145: "PixelValueTransformation",
    0x52009229: "Shared", 0x52009230: "PerFrame",
}  # fmt: skip
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)  # floats, doubles, integers
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
UNDEFINED = 0xFFFFFFFF
MOST_BYTES = 1 << 26  # of a deflated header
LONGEST_TEXT = 1 << 16
DEEPEST = 16

Header = dict[str, Any]  # name -> text, number, or the items of a sequence, each a Header; "Pixels": True


def read_header(path: Path) -> Header:
    """The elements named above, whatever the transfer syntax. Raises ValueError or EOFError for what is no DICOM."""
    with path.open("rb") as file:
        start = file.read(132)[128:] == b"DICM"
        file.seek(132 if start else 0)
        syntax = _transfer_syntax(file) if start else ""
        content: BinaryIO = file
        if syntax == DEFLATED:
            content = BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), MOST_BYTES))
        header = _Parser(content, ">" if syntax == BIG_ENDIAN else "<").elements(explicit=_names_kinds(content))
    if not (start or header):
        raise ValueError("an empty file")
    return header


def _names_kinds(file: BinaryIO) -> bool:
    """Whether the first element says of which kind its value is; some files have it otherwise than their syntax."""
    place = file.tell()
    kind = file.read(6)[4:]
    file.seek(place)
    return kind.isalpha() and kind.isupper()


def _transfer_syntax(file: BinaryIO) -> str:
    """What group 2, which is always explicit and little-endian, says; leaves the file behind it."""
    syntax = ""
    while True:
        place, head = file.tell(), file.read(8)
        if len(head) < 8:
            raise EOFError("the file ends in its first group")
        group, element, kind, length = struct.unpack("<HH2sH", head)
        if group != 2:
            file.seek(place)
            return syntax
        if kind in LONG:
            length = int.from_bytes(file.read(4), "little")
        value = file.read(min(length, LONGEST_TEXT))
        if element == 0x0010:
            syntax = _text(value)


class _Parser:
    """Reads elements from a file on, in one order of bytes."""

    def __init__(self, file: BinaryIO, order: str) -> None:
        self.file, self.order = file, order
        place = file.tell()
        self.size = file.seek(0, 2)
        file.seek(place)

    def elements(self, *, explicit: bool, end: int | None = None, depth: int = 0) -> Header:
        """Those up to `end`, the end of the item or the pixels."""
        if depth > DEEPEST:
            raise ValueError("sequences too deep")
        header: Header = {}
        end = self.size if end is None else end
        while self.file.tell() < end:
            tag = self._tag()
            if tag in PIXELS and not depth:
                return header | {"Pixels": True}
            if tag in (ITEM_END, SEQUENCE_END):
                self._unpack("I")
                return header
            kind, length = self._kind_and_length(explicit)
            if length == UNDEFINED or (tag in SEQUENCES and kind in (b"SQ", b"")):
                items = self._items(length, explicit=explicit and kind != b"UN", depth=depth + 1)
                if tag in SEQUENCES:
                    header[SEQUENCES[tag]] = items
            else:
                self._value(header, tag, length)
        if self.file.tell() > self.size:
            raise EOFError("the file ends within an element")
        return header

    def _items(self, length: int, *, explicit: bool, depth: int) -> list[Header]:
        items: list[Header] = []
        end = self.size if length == UNDEFINED else self.file.tell() + length
        while self.file.tell() < end:
            tag, size = self._tag(), self._unpack("I")
            if tag == SEQUENCE_END:
                break
            if tag != ITEM:
                raise ValueError(f"{tag:08x} where an item should be")
            until = None if size == UNDEFINED else self.file.tell() + size
            items.append(self.elements(explicit=explicit, end=until, depth=depth))
        return items

    def _value(self, header: Header, tag: int, length: int) -> None:
        following = self.file.tell() + length
        if tag in TEXTS:
            header[TEXTS[tag]] = _text(self.file.read(min(length, LONGEST_TEXT)))
        elif tag in NUMBERS:
            name, kind = NUMBERS[tag]
            header[name] = self._unpack(kind)
        self.file.seek(following)

    def _tag(self) -> int:
        group, element = self._unpack("H"), self._unpack("H")
        return int(group << 16 | element)

    def _kind_and_length(self, explicit: bool) -> tuple[bytes, int]:
        """The kind of value, b"" where the transfer syntax leaves it out, and its bytes."""
        if not explicit:
            return b"", self._unpack("I")
        kind = self.file.read(2)
        if kind not in LONG:
            return kind, self._unpack("H")
        self.file.seek(2, 1)
        return kind, self._unpack("I")

    def _unpack(self, kind: str) -> Any:
        content = self.file.read(struct.calcsize(kind))
        if len(content) < struct.calcsize(kind):
            raise EOFError("the file ends within an element")
        return struct.unpack(self.order + kind, content)[0]


def _text(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.strip(" \0")
