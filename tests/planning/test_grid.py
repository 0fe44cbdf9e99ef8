"""The grid and the levels of a planned network follow nnU-Net's rules."""

import numpy as np

from shared.planning.grid import candidates, cell_of, levels, median_size, patches, target_spacing


def test_the_target_spacing_is_the_median_along_each_axis() -> None:
    spacings = np.array([[1, 1, 1], [1.2, 1, 2], [2, 1, 2.5]])
    assert target_spacing(spacings, np.full((3, 3), 100)) == [1.2, 1, 2]


def test_along_a_coarse_and_short_axis_it_is_finer_than_the_median() -> None:
    """Slices of 5, 8 and 10 mm, 20 of them, in planes of 256: the 10th percentile of the three is 5.6."""
    spacings, sizes = np.array([[1, 1, 5], [1, 1, 8], [1, 1, 10.0]]), np.array([[256, 256, 20]] * 3)
    assert target_spacing(spacings, sizes) == [1, 1, 5.6]
    assert target_spacing(spacings, np.array([[256, 256, 200]] * 3)) == [1, 1, 8]  # as long as the others: the median


def test_the_median_size_is_that_of_the_resampled_images() -> None:
    assert median_size(np.array([[2.0, 1], [1, 1]]), np.array([[10, 20], [20, 30]]), [1, 1]) == [20, 25]


def test_patches_are_cubes_in_mm_cut_to_the_image_from_the_whole_down() -> None:
    found = patches([100, 100, 10], [1.0, 1.0, 5.0], smallest=32)
    assert found[0] == [100, 100, 10]
    assert found[-1][0] == found[-1][1] >= 32
    assert abs(found[-1][0] - 5 * found[-1][2]) <= 5  # a cube, to a slice
    assert [np.prod(patch) for patch in found] == sorted((np.prod(patch) for patch in found), reverse=True)


def test_levels_halve_all_axes_of_cubes_until_four_voxels_are_left() -> None:
    down = levels([64, 64, 64], [1.0] * 3, most=6)
    assert down.strides == [[2, 2, 2]] * 4
    assert down.kernels == [[3, 3, 3]] * 5
    assert down.patch == [64, 64, 64]


def test_a_coarse_axis_is_halved_and_convolved_along_once_the_others_are_as_coarse() -> None:
    down = levels([64, 64, 16], [1.0, 1.0, 4.0], most=6)
    assert down.strides[:2] == [[2, 2, 1], [2, 2, 1]]  # 1, then 2 mm beside 4 mm
    assert down.strides[2] == [2, 2, 2]
    assert down.kernels[:2] == [[3, 3, 1], [3, 3, 1]]
    assert down.kernels[2] == [3, 3, 3]


def test_a_patch_is_rounded_up_to_what_the_strides_divide() -> None:
    down = levels([35, 50, 36], [1.0] * 3, most=4)
    assert down.strides == [[2, 2, 2]] * 3
    assert down.patch == [40, 56, 40]


def test_even_the_smallest_patch_has_three_levels() -> None:
    assert levels([6, 6], [1.0, 1.0], most=6).count == 3


def test_cells_halve_the_fine_axes_before_all_levels() -> None:
    assert cell_of([1.0, 1.0, 4.0]) == [2, 2, 1]
    assert cell_of([2.0, 2.0, 2.5]) == [2, 2, 2]
    whole, *_, last = candidates([96, 96, 20], [1.0, 1.0, 4.0], smallest=32, most=6, cell=[2, 2, 1])
    assert whole.patch == [96, 96, 20]
    assert whole.strides[0] == [2, 2, 1]  # of cells of 2 × 2 × 4 mm
    assert len(last.strides) < len(whole.strides)
    assert all(size % step == 0 for size, step in zip(last.patch, (2, 2, 1)))
