"""How large the pixels of a microscope's image are: in the words of OME, ImageJ and TIFF, and of an option."""

import math

from shared.errors import InputError

MICROMETRES = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "å": 1e-4, "pm": 1e-6, "mm": 1e3, "cm": 1e4, "inch": 25400.0, "m": 1e6,
}  # fmt: skip
LARGEST_UM = 10.0  # of a pixel: what TIFF's own tags say beyond that is a printer's resolution, such as 72 dpi
TIFF_UNITS = {2: "inch", 3: "cm"}  # the tag ResolutionUnit


def in_micrometres(length: float, unit: str) -> float | None:
    """A length in µm; None for one that is not above 0, or of a unit that is none of MICROMETRES."""
    factor = MICROMETRES.get(unit.strip().replace("\\u00B5", "µ").casefold())
    micrometres = length * factor if factor else 0.0
    return micrometres if math.isfinite(micrometres) and micrometres > 0 else None


def of_sides(*sides: float | None) -> float | None:
    """The side of a square pixel of the area of one with these sides, in µm; None where one is not known."""
    known = [side for side in sides if side is not None]
    return math.sqrt(math.prod(known)) if len(known) == len(sides) else None


def of_resolution(resolutions: list[tuple[int, int]], unit: str) -> float | None:
    """From the tags XResolution and YResolution, pixels a unit as fractions: µm, or None."""
    return of_sides(*(in_micrometres(below / above, unit) if above else None for above, below in resolutions))


def checked_pixel_size(option: object) -> float | None:
    """What `--pixel_size` says, in µm; None where it is "". Raises InputError where it is no number above 0."""
    return checked_length("--pixel_size", option, expected="micrometres a pixel, above 0")


def checked_length(name: str, option: object, *, expected: str) -> float | None:
    """A number above 0 that an option has, as text or not; None where it is "". Raises InputError for another."""
    if option in ("", None):
        return None
    try:
        length = float(str(option))
    except ValueError:
        length = math.nan
    if isinstance(option, bool) or not (math.isfinite(length) and length > 0):
        raise InputError(name, expected=expected, got=option, fix="correct the option")
    return length
