"""Ids as whole numbers: label maps hold names, and a name that is rounded is another one's."""

from pathlib import Path

import numpy as np

from shared.errors import InputError

LARGEST_ID = 2**31 - 1
ROUNDING = 1e-3  # by which ids that a tool stored as 16 bits and a scale may miss whole numbers


def exact_ids(values: np.ndarray, path: str | Path) -> np.ndarray:
    """The ids of a label map, int32, as its file has them.

    values: in the type of the file. Raises InputError for fractions, NaN, and numbers that int32, or the type of the
    file, does not hold to the digit: float32 beyond 16,777,216.
    """
    largest = LARGEST_ID
    if values.dtype.kind == "f":
        largest = min(largest, 2 ** (np.finfo(values.dtype).nmant + 1))
        whole = np.rint(values)
        with np.errstate(invalid="ignore"):  # of Inf - Inf
            strange = values[~(np.abs(values - whole) <= ROUNDING)]
        if strange.size:
            raise _refusal(path, "whole numbers as ids", f"{strange.size} others, such as {strange[0]:g}")
        values = whole
    if values.size and max(-float(values.min()), float(values.max())) > largest:
        extreme = max(values.min(), values.max(), key=lambda value: abs(float(value)))
        raise _refusal(path, f"ids of at most {largest:,}, which {values.dtype} and int32 both hold exactly", extreme)
    return values.astype(np.int32)


def _refusal(path: str | Path, expected: str, got: object) -> InputError:
    return InputError(path, expected=expected, got=got, fix="store the label map as integers of 8 to 32 bits")
