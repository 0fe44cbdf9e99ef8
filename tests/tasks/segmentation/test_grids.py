"""Onto an upright grid and back: where things are, which grids are alike, and a part of it as all of it."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from shared.images.resizing import resized
from shared.tasks.segmentation.grids import UPRIGHT, UprightGridd, as_image_lies, box_of, on_upright_grid, resized_slabs

SHAPE = (8, 10, 6)
OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.1, 0.2, -0.15) @ np.diag([1.0, 2.0, 3.0]), np.array([5.0, -7.0, 11.0])
)


def image_of(values: np.ndarray, affine: np.ndarray) -> MetaTensor:
    return MetaTensor(torch.tensor(values[None].copy(), dtype=torch.float32), affine=torch.as_tensor(affine))


def turned(values: np.ndarray, affine: np.ndarray, axes: tuple[int, ...], signs: tuple[int, ...]) -> MetaTensor:
    """The same image with its axes in another order and direction."""
    orientation = np.stack([axes, signs], axis=-1)
    moved = nib.apply_orientation(values, orientation)
    return image_of(moved, affine @ nib.orientations.inv_ornt_aff(orientation, values.shape))


def test_an_image_that_is_turned_or_mirrored_has_the_same_upright_grid_and_values() -> None:
    values = np.random.default_rng(0).normal(size=SHAPE)
    expected = on_upright_grid(image_of(values, OBLIQUE), [2.0, 2.0, 2.0])
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        found = on_upright_grid(turned(values, OBLIQUE, axes, signs), [2.0, 2.0, 2.0])
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.affine, expected.affine, atol=1e-9)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_grid_covers_the_box_of_the_image_in_whole_voxels_of_about_the_spacing() -> None:
    upright = on_upright_grid(image_of(np.zeros(SHAPE), np.diag([1.0, 2.0, 3.0, 1.0])), [2.0, 2.0, 4.0])
    assert upright.shape == (1, 4, 10, 4)  # 8, 20 and 18 mm; of 4 mm, 4.5 voxels
    corner, opposite = (upright.affine.numpy() @ [*place, 1.0] for place in ((-0.5,) * 3, (3.5, 9.5, 3.5)))
    np.testing.assert_allclose(corner[:3], [-0.5, -1, -1.5])  # the outer corners of the image's first and last voxel
    np.testing.assert_allclose(opposite[:3], [7.5, 19, 16.5])


@pytest.mark.parametrize("pixdim", [0.7, 1.5])
def test_intensities_stay_where_they_are_in_mm(pixdim: float) -> None:
    """A volume that rises along x in mm still does, but for the half voxel at its ends, where it goes on level."""
    x = nib.affines.apply_affine(OBLIQUE, np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1))[..., 0]
    upright = on_upright_grid(image_of(x, OBLIQUE), [pixdim] * 3)
    places = np.stack(np.meshgrid(*map(np.arange, upright.shape[1:]), indexing="ij"), axis=-1)
    expected = nib.affines.apply_affine(upright.affine.numpy(), places)[..., 0]
    # A triangle may reach two voxels far, and beyond the border there is nothing to weigh against.
    inside = (slice(6, -6),) * 3 if pixdim < 1 else (slice(2, -2),) * 3
    np.testing.assert_allclose(upright[0].numpy()[inside], expected[inside], atol=1e-3)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_a_label_map_goes_back_to_where_it_came_from(axes: tuple[int, ...]) -> None:
    values = np.arange(480, dtype=np.float32).reshape(SHAPE)
    image = turned(values, OBLIQUE, axes, (1, -1, -1))
    upright = UprightGridd(keys="image", pixdim=[2.0] * 3)({"image": image})[f"image{UPRIGHT}"]
    np.testing.assert_array_equal(as_image_lies(upright[0].numpy(), image.affine.numpy()), image[0].numpy())


@pytest.mark.parametrize("planes", [1, 100])
@pytest.mark.parametrize("size", [(16, 7, 9), (3, 10, 6), (5, 23, 2)])
def test_slabs_are_parts_of_the_whole_and_nothing_else_has_a_share_in_their_box(
    size: tuple, planes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.tasks.segmentation.grids.SLAB", planes)
    volumes = np.zeros((2, *SHAPE), dtype=np.float32)
    box = (slice(2, 5), slice(0, 3), slice(5, 6))
    volumes[(slice(None), *box)] = np.random.default_rng(1).uniform(1, 2, size=(2, 3, 3, 1))
    whole = resized(volumes, size)
    slabs = list(resized_slabs(volumes, size, box))
    for part, values in slabs:
        np.testing.assert_allclose(values, whole[(slice(None), *part)], atol=1e-6)
        whole[(slice(None), *part)] = 0
    assert not whole.any()
    assert len(slabs) == 1 or all(values.shape[1] == 1 for _, values in slabs)


def test_the_box_of_a_mask_ends_where_the_mask_does() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    assert box_of(mask) is None
    mask[2, 3, 5] = mask[6, 1, 5] = True
    assert box_of(mask) == (slice(2, 7), slice(1, 4), slice(5, 6))
