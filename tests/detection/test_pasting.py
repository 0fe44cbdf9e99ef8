from itertools import product

import numpy as np
import pytest
from scipy.ndimage import label as connected_parts
from skimage.draw import polygon2mask

from shared.detection.pasting import Box, Piece, largest_part, paste_mask, stitch

SIZE = (120, 160)
STAR = np.array([[20.0, 30], [50.0, 60], [25.0, 110], [95.0, 130], [80.0, 70], [100.0, 40]])


def test_a_full_mask_fills_the_pixels_whose_centres_lie_in_its_box() -> None:
    place, values = paste_mask(np.ones((28, 28)), np.array([3.4, 5.6, 9.5, 8.49]), (20, 20))
    # Centres from 3.5 to 8.5 along the rows (9.5 is on the border, and in), from 6.5 to 7.5 along the columns.
    assert place.low.tolist() == [3, 6]
    assert place.high.tolist() == [10, 8]
    np.testing.assert_allclose(values, 1)


def test_what_lies_beyond_the_image_is_left_out_and_an_empty_box_is_of_no_pixel() -> None:
    place, values = paste_mask(np.ones((4, 4)), np.array([-5.0, -2, 3, 50]), (20, 20))
    assert (place.low.tolist(), place.high.tolist()) == ([0, 0], [3, 20])
    assert values.shape == (3, 20)
    _, nothing = paste_mask(np.ones((4, 4)), np.array([4.6, 4, 4.9, 9]), (20, 20))
    assert nothing.size == 0


def test_a_polygon_cut_out_of_its_box_is_pasted_where_it_was() -> None:
    box = np.concatenate([STAR.min(axis=0), STAR.max(axis=0)])
    parts = 56
    fine = polygon2mask((parts * 16,) * 2, (STAR - box[:2]) / (box[2:] - box[:2]) * parts * 16 - 0.5)
    mask = fine.reshape(parts, 16, parts, 16).mean(axis=(1, 3))
    place, values = paste_mask(mask, box, SIZE)
    pasted = np.zeros(SIZE, dtype=bool)
    pasted[place.window] = values > 0.5
    expected = polygon2mask(SIZE, STAR - 0.5)  # skimage's pixels have their centres at whole numbers
    # Parts are 1.4 × 1.8 pixels: what differs is a fraction of a pixel along a border of 400 pixels around 3,900.
    overlap = (pasted & expected).sum() / (pasted | expected).sum()
    assert overlap > 0.96
    shifted = np.roll(expected, 1, axis=0)
    assert overlap > (pasted & shifted).sum() / (pasted | shifted).sum() + 0.01


@pytest.mark.parametrize("dims", [2, 3])
def test_a_mask_that_is_linear_is_linear_in_pixels(dims: int) -> None:
    ramp = (np.arange(10) + 0.5).reshape(-1, *[1] * (dims - 1)) * np.ones((10,) * dims)
    place, values = paste_mask(ramp, np.array([4.0] * dims + [24.0] * dims), (30,) * dims)
    middle = (np.arange(place.low[0], place.high[0]) + 0.5 - 4) / 2  # 20 pixels, 10 parts
    inner = (middle > 0.5) & (middle < 9.5)  # beyond the outer parts' centres the mask is constant
    np.testing.assert_allclose(values[inner].min(axis=tuple(range(1, dims))), middle[inner], atol=1e-5)


def disc(centre: tuple[float, float], radius: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    rows, columns = np.indices(size)
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def piece_of(mask: np.ndarray, tile: Box, score: float = 0.9) -> Piece:
    """What of `mask`, on the whole image, is seen in `tile`."""
    inside = np.zeros_like(mask)
    inside[tile.window] = mask[tile.window]
    rows, columns = np.nonzero(inside)
    place = Box(np.array([rows.min(), columns.min()]), np.array([rows.max() + 1, columns.max() + 1]))
    return Piece(place, inside[place.window], score, 0, tile, cut=bool(inside.sum() < mask.sum()))


WHOLE = Box(np.array([0, 0]), np.array(SIZE))
TILES = [
    Box(np.array(low), np.array(low) + np.array([70, 90])) for low in product((0, 50), (0, 70))
]  # overlap: 20 pixels


def test_instances_apart_are_numbered_surest_first() -> None:
    masks = [disc((20, 20), 10), disc((60, 60), 15), disc((90, 120), 12)]
    ids, kept = stitch([piece_of(m, WHOLE, s) for m, s in zip(masks, (0.6, 0.9, 0.7))], SIZE)
    assert [p.score for p in kept] == [0.9, 0.7, 0.6]
    for number, index in ((1, 1), (2, 2), (3, 0)):
        np.testing.assert_array_equal(ids == number, masks[index])


def test_what_two_claim_is_the_surer_ones_and_the_rest_must_be_half() -> None:
    first, second, hidden = disc((50, 50), 20), disc((50, 75), 20), disc((50, 60), 12)
    pieces = [piece_of(m, WHOLE, s) for m, s in ((second, 0.8), (first, 0.9), (hidden, 0.7))]
    ids, kept = stitch(pieces, SIZE)
    assert len(kept) == 2
    np.testing.assert_array_equal(ids == 1, first)
    np.testing.assert_array_equal(ids == 2, second & ~first)


def test_no_instance_is_in_two_parts() -> None:
    beam, long = disc((50, 80), 14), np.zeros(SIZE, dtype=bool)
    long[45:55, 20:145] = True
    ids, kept = stitch([piece_of(beam, WHOLE, 0.9), piece_of(long, WHOLE, 0.8)], SIZE)
    assert len(kept) == 2
    assert connected_parts(ids == 2)[1] == 1
    assert (ids == 2)[50, 140]  # of what the disc leaves on its two sides, 46 columns and 50, the larger one
    assert not (ids == 2)[50, 20]


@pytest.mark.parametrize("radius", [4, 9, 25, 48], ids=lambda r: f"radius {r}")
def test_an_instance_on_the_seam_of_four_tiles_is_one_instance(radius: int) -> None:
    """Smaller ones are whole in a tile; larger ones are in none, and are put together from four."""
    mask = disc((60, 80), radius)
    pieces = [piece_of(mask, tile, 0.9 - 0.1 * i) for i, tile in enumerate(TILES) if mask[tile.window].any()]
    assert any(not p.cut for p in pieces) == (radius < 10)
    ids, kept = stitch(pieces[::-1], SIZE)
    assert len(kept) == 1
    np.testing.assert_array_equal(ids == 1, mask)


def test_a_piece_that_shows_less_of_what_both_tiles_see_continues_the_instance() -> None:
    """Agreement is a share of the smaller one: here 8 rows of 20."""
    beam, thin = np.zeros(SIZE, dtype=bool), np.zeros(SIZE, dtype=bool)
    beam[20:40, 10:150], thin[20:28, 10:150] = True, True
    ids, kept = stitch([piece_of(beam, TILES[0], 0.9), piece_of(thin, TILES[1], 0.8)], SIZE)
    assert len(kept) == 1
    np.testing.assert_array_equal(ids == 1, beam & (np.indices(SIZE)[1] < 90) | thin)


def test_neighbours_on_a_seam_stay_apart() -> None:
    """Each is seen by both tiles; nothing that one of them is could be taken for the other."""
    masks = [disc((30, 68), 11), disc((30, 92), 11)]
    pieces = [piece_of(m, tile, 0.9) for m in masks for tile in TILES if m[tile.window].any()]
    assert len(pieces) > 2
    ids, kept = stitch(pieces, SIZE)
    assert len(kept) == 2
    for mask in masks:
        assert len(np.unique(ids[mask])) == 1


def test_of_one_tile_two_that_are_alike_are_one_and_the_surer_one() -> None:
    first, second = disc((30, 30), 12), disc((32, 31), 12)
    ids, kept = stitch([piece_of(second, WHOLE, 0.6), piece_of(first, WHOLE, 0.9)], SIZE)
    assert len(kept) == 1
    np.testing.assert_array_equal(ids == 1, first)


def test_nothing_found_is_a_map_of_nothing() -> None:
    ids, kept = stitch([], (5, 6))
    assert ids.shape == (5, 6)
    assert not ids.any()
    assert kept == []


def test_the_largest_part_of_a_mask() -> None:
    mask = np.array([[1, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 0]], dtype=bool)
    expected = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    np.testing.assert_array_equal(largest_part(mask), expected)
