"""The header of a MetaImage, checked before ITK reads it: ITK's reader dies of numbers that do not go together."""

from pathlib import Path

from shared.errors import InputError

LAST_KEY = "ElementDataFile"
MOST_DIMENSIONS, MOST_CHANNELS = 4, 1024
# How many numbers an entry has, where the image has n dimensions.
LENGTHS = {
    "DimSize": lambda n: n, "ElementSpacing": lambda n: n, "ElementSize": lambda n: n, "Offset": lambda n: n,
    "Position": lambda n: n, "Origin": lambda n: n, "CenterOfRotation": lambda n: n, "TransformMatrix": lambda n: n * n,
    "Rotation": lambda n: n * n, "Orientation": lambda n: n * n,
}  # fmt: skip


def is_metaimage(content: bytes) -> bool:
    """Whether a file begins as a MetaImage does."""
    return content.startswith((b"ObjectType", b"NDims", b"Comment")) and b"NDims" in content


def check_metaimage(content: bytes, path: Path) -> None:
    """Refuse a MetaImage whose header, at the start of `content`, is not whole or does not go together."""
    header: dict[str, str] = {}
    for line in content.decode("latin-1").splitlines():
        key, _, value = line.partition("=")
        header[key.strip()] = value.strip()
        if key.strip() == LAST_KEY:
            break
    problem = _problem(header)
    if problem:
        raise InputError(path, expected="a header of MetaImage", got=problem, fix="check that the file is complete")


def _problem(header: dict[str, str]) -> str | None:
    if header.get("ObjectType", "Image") != "Image" or not header.get(LAST_KEY):
        return "one without an image's data"
    dims, channels = (_whole_numbers(header.get(key, "1")) for key in ("NDims", "ElementNumberOfChannels"))
    if "NDims" not in header or len(dims) != 1 or not 2 <= dims[0] <= MOST_DIMENSIONS:
        return f"NDims = {header.get('NDims')}"
    if len(channels) != 1 or not 1 <= channels[0] <= MOST_CHANNELS:
        return f"ElementNumberOfChannels = {header['ElementNumberOfChannels']}"
    sizes = _whole_numbers(header.get("DimSize", ""))
    if len(sizes) != dims[0] or min(sizes) < 1:
        return f"DimSize = {header.get('DimSize')}"
    for key, length in LENGTHS.items():
        if key in header and len(header[key].split()) != length(dims[0]):
            return f"{key} = {header[key]}"
    return None


def _whole_numbers(text: str) -> list[int]:
    """The numbers in `text`; none where there is anything else in it."""
    words = text.split()
    return [int(word) for word in words] if all(word.isdecimal() for word in words) else []
