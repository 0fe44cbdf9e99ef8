"""By how much an image is enlarged for a network that has learnt objects of about one size. Needs no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import InputError
from shared.images.pixel_size import checked_length

AUTO = "auto"
SMALLEST_PX = 2.0  # an object of fewer pixels has no shape that any network could know


@dataclass(frozen=True, kw_only=True)
class Magnification:
    """By how much images are enlarged, so that their objects are as wide as those that a network knows.

    known_px, known_um: how wide a typical object is, in pixels where the network sees it at its best, and in µm, if
    that is known.
    diameter: how wide one is in the images, in pixels; "auto": estimated from each; "": not known.
    without_change: the widths, in pixels, of objects that were estimated, for which nothing is resized.
    Where `diameter` is no number, the size of the pixels decides if both are known.
    Raises InputError where `diameter` is none of these.
    """

    known_px: float
    known_um: float | None = None
    diameter: object = ""
    without_change: Sequence[float] = ()

    def __post_init__(self) -> None:
        self._diameter_px()

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> "Magnification":
        """That of the inferer of an inference.json."""
        part = config["inferer"]["magnification"]
        known = {key: value for key, value in part.items() if not key.startswith("_")}
        return cls(**{**known, "diameter": config["diameter"]})

    def factor(
        self, size: Sequence[int], pixel_size: float | None = None, estimate: Callable[[], float | None] | None = None
    ) -> float:
        """For an image of `size`, (rows, columns), whose pixels have sides of `pixel_size` µm.

        estimate: finds out how wide its objects are in pixels; None where that cannot be seen, and nothing is resized.
        Raises InputError where an object would be wider than the image, or of fewer pixels than SMALLEST_PX.
        """
        diameter, source = self._diameter_px(), "by --diameter"
        if diameter is None and pixel_size is not None and self.known_um is not None:
            diameter, source = self.known_um / pixel_size, f"by its pixels of {pixel_size:g} µm"
        if diameter is not None:
            self._check(diameter, size, source)
            return self.known_px / diameter
        diameter = estimate() if estimate and self.is_estimated else None
        return 1.0 if diameter is None or self.is_well_seen(diameter) else self.known_px / diameter

    @property
    def is_estimated(self) -> bool:
        return self.diameter == AUTO

    def is_well_seen(self, diameter: float) -> bool:
        """Whether objects of that width, in pixels, were estimated near enough to what the network knows."""
        return bool(self.without_change) and self.without_change[0] <= diameter <= self.without_change[1]

    def _diameter_px(self) -> float | None:
        if self.is_estimated:
            return None
        return checked_length("--diameter", self.diameter, expected=f"{AUTO}, or pixels, above 0")

    def _check(self, diameter: float, size: Sequence[int], source: str) -> None:
        if not SMALLEST_PX <= diameter <= max(size):
            raise InputError(
                f"an image of {size[1]} × {size[0]}", expected=f"objects {SMALLEST_PX:g} to {max(size)} pixels wide",
                got=f"{diameter:.4g}, {source}", fix="correct --diameter or --pixel_size",
            )  # fmt: skip
