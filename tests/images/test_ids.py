"""Ids come from a file as they are in it, or not at all."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from shared.errors import InputError
from shared.images.ids import exact_ids
from shared.images.reading import read_ids

ALLEN = [0, 17, 614_454_277, 614_454_278, 2**31 - 1]  # of the Allen mouse brain atlas, and the largest there is


def store(path: Path, values: np.ndarray, kind: type) -> Path:
    nib.save(nib.Nifti1Image(values.astype(kind), np.eye(4), dtype=kind), path)
    return path


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.int64, np.float64])
def test_large_ids_are_kept_to_the_digit(tmp_path: Path, kind: type) -> None:
    ids = np.array(ALLEN).reshape(5, 1, 1).repeat(2, axis=1)
    given = read_ids(store(tmp_path / "a.nii.gz", ids, kind)).values
    assert given.dtype == np.int32
    np.testing.assert_array_equal(given[0], ids)


def test_small_ids_may_be_of_any_type(tmp_path: Path) -> None:
    ids = np.arange(24).reshape(2, 3, 4)
    for kind in (np.uint8, np.int16, np.float32):
        np.testing.assert_array_equal(read_ids(store(tmp_path / "a.nii", ids, kind)).values[0], ids)
    Image.fromarray(ids[0].astype(np.uint8)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png").values[0], ids[0])


def test_ids_stored_with_a_scale_are_the_whole_numbers_they_mean(tmp_path: Path) -> None:
    """nibabel scales floats that are asked for in 16 bits: steps are of 41 / 65,535, and 3 comes back as 2.9997."""
    ids = np.array([0.0, 3, 41]).reshape(3, 1, 1)
    image = nib.Nifti1Image(ids, np.eye(4))
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "a.nii")
    assert not np.array_equal(nib.Nifti1Image.from_filename(tmp_path / "a.nii").dataobj, ids)
    np.testing.assert_array_equal(read_ids(tmp_path / "a.nii").values[0], ids)
    image.set_data_dtype(np.uint8)  # steps of 41 / 255: no whole numbers any more
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(InputError, match="expected whole numbers as ids"):
        read_ids(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (np.float32, 2.5, r"expected whole numbers as ids, got 1 others, such as 2\.5"),
        (np.float32, np.nan, "expected whole numbers as ids, got 1 others, such as nan"),
        (np.float32, 614_454_277, "expected ids of at most 16,777,216, which float32 and int32 both hold exactly"),
        (np.int64, 2**31, "expected ids of at most 2,147,483,647, which int64 .* got 2147483648"),
        (np.float64, -3e9, "expected ids of at most 2,147,483,647, which float64 .* got -3000000000"),
        (np.float32, np.inf, "expected whole numbers as ids"),
    ],
)
def test_ids_that_are_none_are_refused_in_a_line(kind: type, value: float, words: str) -> None:
    with pytest.raises(InputError, match=rf"\Aa\.nii: {words}[^\n]*; store the label map as integers[^\n]*\Z"):
        exact_ids(np.array([[0, value]], dtype=kind), "a.nii")
