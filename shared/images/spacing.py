"""Resampling to a spacing, of nothing but what is asked for."""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Spacingd


class OwnSpacingd(Spacingd):
    """MONAI's Spacingd, which leaves all but `keys` alone.

    MONAI's (1.6.1) takes any entry whose name begins with "image_" for the meta data of "image", and breaks at the
    string "image_path", which MONAI Label puts there.
    """

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        own = {key: data[key] for key in self.keys if key in data}
        return {**data, **super().__call__(own, lazy)}
