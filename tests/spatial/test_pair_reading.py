"""Two images on one grid, and known movements found again."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image
from scipy import ndimage

from shared.errors import InputError
from shared.spatial.itk import resample
from shared.spatial.pair_reading import ReadPaird, align, matrix_of, read_for_itk, transform_of


def blobs(size: tuple[int, ...]) -> np.ndarray:
    """A smooth picture with structure everywhere, black at its border."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=size), 3, mode="constant")
    window = np.ones(size)
    for axis, length in enumerate(size):
        window *= np.hanning(length).reshape([-1 if i == axis else 1 for i in range(len(size))])
    return 100 * window * np.clip(1 + noise / noise.std() / 2, 0, None)


def store(path: Path, image: np.ndarray, affine: np.ndarray | None = None) -> str:
    nib.save(nib.Nifti1Image(image.astype(np.float32), np.eye(4) if affine is None else affine), path)
    return str(path)


def test_images_of_other_grids_come_onto_the_fixed_one(tmp_path: Path) -> None:
    """The moving image is stored with another orientation, origin and spacing; in the world it is the same."""
    image = blobs((20, 24, 16))
    fixed = nib.Nifti1Image(image.astype(np.float32), np.diag([1.0, 1, 2, 1]))
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt("PIR"))
    nib.save(fixed, tmp_path / "fixed.nii.gz")
    nib.save(fixed.as_reoriented(turn), tmp_path / "moving.nii.gz")
    pair = ReadPaird()({"moving": str(tmp_path / "moving.nii.gz"), "fixed": str(tmp_path / "fixed.nii.gz")})
    assert pair["image"].shape == (2, 20, 24, 16)
    torch.testing.assert_close(pair["image"][0], pair["image"][1], rtol=0, atol=1e-2)  # of values near 100
    np.testing.assert_array_equal(pair["initial"], np.eye(4))


def test_pictures_and_slices_are_planes_with_x_first(tmp_path: Path) -> None:
    plane = blobs((30, 22))
    rgb = np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    pair = ReadPaird()({"moving": str(tmp_path / "a.png"), "fixed": store(tmp_path / "b.nii", plane.T[..., None])})
    assert pair["image"].shape == (2, 22, 30)
    # Luminance of equal colours is their value; a byte has no fractions.
    assert (pair["image"][0] - pair["image"][1]).abs().max() < 1


@pytest.mark.parametrize("alignment", ["rigid", "affine"])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_known_movement_is_found_again(tmp_path: Path, alignment: str, dims: int) -> None:
    size = (64, 56, 40)[:dims]
    fixed = read_for_itk(store(tmp_path / "f.nii", blobs(size)[(..., *[None] * (3 - dims))]))
    centre = fixed.TransformContinuousIndexToPhysicalPoint([s / 2 for s in size])
    if dims == 2:
        known: Any = sitk.Euler2DTransform(centre, 0.15, (3.0, -2.0))
    else:
        known = sitk.Euler3DTransform(centre, 0.05, -0.08, 0.12, (2.0, -1.5, 1.0))
    moving = resample(fixed, fixed, known.GetInverse())  # at known(x) it shows what `fixed` shows at x
    found = align(moving, fixed, alignment)
    corners = [fixed.TransformContinuousIndexToPhysicalPoint([float(c) for c in corner]) for corner in
               ((0,) * dims, [s - 1 for s in size], [size[0] - 1, *[0] * (dims - 1)])]  # fmt: skip
    for point in corners:
        # At the far corners, where the picture is black and the movement 6 to 9 voxels; what is left of it is measured.
        # An affine transform has twice the freedom there.
        left = np.linalg.norm(np.subtract(found.TransformPoint(point), known.TransformPoint(point)))
        assert left < {"rigid": 0.25, "affine": 1.0}[alignment]
        assert np.linalg.norm(np.subtract(point, known.TransformPoint(point))) > 2
    again = transform_of(matrix_of(found))
    assert again.TransformPoint(corners[1]) == pytest.approx(found.TransformPoint(corners[1]))


def refused(words: str) -> Any:
    return pytest.raises(InputError, match=rf"\A[^\n]*{words}[^\n]*\Z")


def test_pairs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    volume = store(tmp_path / "v.nii", blobs((12, 14, 10)))
    plane = store(tmp_path / "p.nii", blobs((12, 14))[..., None])
    far = store(
        tmp_path / "far.nii",
        blobs((12, 14, 10)),
        np.array([[1.0, 0, 0, 900], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    )
    flat = store(tmp_path / "flat.nii", np.ones((12, 14, 10)))
    with refused("expected 3 dimensions, as .*v.nii, got 2; give two slices or two volumes"):
        ReadPaird()({"moving": plane, "fixed": volume})
    with refused("far.nii: expected an image that overlaps .*v.nii, got one that is elsewhere"):
        ReadPaird()({"moving": far, "fixed": volume})
    with refused("flat.nii: expected an image with contrast"):
        ReadPaird()({"moving": volume, "fixed": flat})
    with refused("--affine: expected one of none, rigid, affine, got 'elastic'"):
        ReadPaird("elastic")
