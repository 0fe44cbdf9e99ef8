"""Instances found tile by tile, with a stand-in for the network that finds what is bright and hangs together."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import find_objects
from scipy.ndimage import label as connected_parts

from shared.images.magnifying import Magnification
from shared.nets.mask_rcnn import Instances
from shared.tasks.instances.inferer import TiledInstances
from shared.tasks.instances.metrics import average_precision
from shared.tasks.instances.tiling import tiles

PLACES = 150


def bright_parts(image: torch.Tensor) -> Instances:
    """As `MaskRCNN` gives them: boxes, masks of 28 × 28 in them, and a score that is the share of the box."""
    boxes, scores, masks = torch.zeros(PLACES, 4), torch.zeros(PLACES), torch.zeros(PLACES, 28, 28)
    parts, count = connected_parts(image[0, 0].numpy() > 0.5)
    assert count <= PLACES
    for number, place in enumerate(find_objects(parts)):
        boxes[number] = torch.tensor([float(s.start) for s in place] + [float(s.stop) for s in place])
        mask = torch.as_tensor(parts[place] == number + 1).float()
        scores[number] = 0.2 + 0.8 * mask.mean()
        masks[number] = F.interpolate(mask[None, None], (28, 28), mode="bilinear")[0, 0]
    return Instances(boxes[None], scores[None], torch.zeros(1, PLACES), masks[None], torch.tensor([count]))


def scene(size: tuple[int, int], seed: int = 0, largest: float = 12) -> np.ndarray:
    """Ids of discs that do not touch, of radius 4 to `largest`, some cut by the border."""
    rng, ids = np.random.default_rng(seed), np.zeros(size, dtype=np.int32)
    rows, columns = np.indices(size)
    for _ in range(400):
        (r, c), radius = rng.uniform(0, size), rng.uniform(4, largest)
        distance = np.hypot(rows - r, columns - c)
        if not ids[distance <= radius + 2].any():
            ids[distance <= radius] = ids.max() + 1
    return np.where(np.bincount(ids.ravel())[ids] < 20, 0, ids)  # slivers at the border


def as_image(ids: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(ids > 0, dtype=torch.float32)[None, None]


@pytest.mark.parametrize("roi", [(64, 64), (80, 64), (1000, 64)])
def test_tiles_cover_the_image_and_overlap_as_they_should(roi: tuple[int, int]) -> None:
    size, overlap = (150, 201), 24
    covered = np.zeros(size, dtype=int)
    found = list(tiles(size, roi, overlap))
    for tile in found:
        assert (tile.high - tile.low).tolist() == np.minimum(roi, size).tolist()
        covered[tile.window] += 1
    assert covered.min() >= 1
    for axis in (0, 1):
        lows = sorted({int(tile.low[axis]) for tile in found})
        assert (lows[0], lows[-1]) == (0, size[axis] - min(roi[axis], size[axis]))
        assert all(a + roi[axis] - b >= overlap for a, b in pairwise(lows))


def test_in_tiles_the_same_is_found_as_in_the_whole_once_each() -> None:
    ids = scene((230, 310))
    whole = TiledInstances([512, 512], threshold=0.1)(as_image(ids), bright_parts)
    tiled = TiledInstances([64, 64], overlap=28, threshold=0.1)(as_image(ids), bright_parts)
    truth = ids[None]
    count = len(np.unique(ids)) - 1
    assert count > 60
    for found in (whole, tiled):
        assert found["ids"].shape == (1, 1, 230, 310)
        assert found["scores"].shape == found["labels"].shape == (1, count)
        assert (found["scores"][0, :-1] >= found["scores"][0, 1:]).all()
        # Masks of 28 × 28 parts are finer than the pixels, so that hardly one at a border changes.
        assert average_precision(found["ids"][0].numpy(), truth, [0.5, 0.9]).tolist() == [1, 1]
    np.testing.assert_array_equal(whole["ids"][0, 0] > 0, tiled["ids"][0, 0] > 0)


def test_what_is_larger_than_the_overlap_of_tiles_is_one_instance_too() -> None:
    ids = scene((200, 260), seed=1, largest=60)
    areas = np.bincount(ids.ravel())[1:]
    assert areas.max() > 64 * 64  # than a whole tile
    tiled = TiledInstances([64, 64], overlap=24, threshold=0.1)(as_image(ids), bright_parts)
    assert average_precision(tiled["ids"][0].numpy(), ids[None], [0.5, 0.9]).tolist() == [1, 1]


def test_side_by_side_without_overlap_discs_are_cut() -> None:
    """That the tests above can fail: without an overlap nothing tells which pieces belong together."""
    ids = scene((192, 320))  # of whole tiles, which then touch
    tiled = TiledInstances([64, 64], overlap=0, threshold=0.1)(as_image(ids), bright_parts)
    assert tiled["scores"].shape[1] > 1.2 * (len(np.unique(ids)) - 1)


@pytest.mark.parametrize("scales", [(1, 2), (0.75, 1.5)])
def test_at_several_scales_the_same_is_found_at_the_same_place(scales: tuple[float, ...]) -> None:
    ids = scene((150, 201))
    once = TiledInstances([512, 512], threshold=0.1)(as_image(ids), bright_parts)
    found = TiledInstances([512, 512], scales=scales, threshold=0.1)(as_image(ids), bright_parts)
    assert found["scores"].shape == once["scores"].shape
    # Enlarged and made smaller, a border moves by a fraction of a pixel; a disc of radius 4 has 24 at its border.
    assert average_precision(found["ids"][0].numpy(), ids[None], [0.5, 0.8]).tolist() == [1, 1]
    tiled = TiledInstances([64, 80], overlap=30, scales=scales, threshold=0.1)(as_image(ids), bright_parts)
    assert average_precision(tiled["ids"][0].numpy(), ids[None], [0.5, 0.8]).tolist() == [1, 1]


def test_what_is_seen_at_one_scale_only_needs_twice_the_score() -> None:
    image = as_image(scene((90, 120)))

    def blind_to_large_images(view: torch.Tensor) -> Instances:
        return bright_parts(view if view.shape[2] == 90 else torch.zeros_like(view))

    alone = TiledInstances([512, 512], threshold=0.1)(image, bright_parts)["scores"]
    halved = TiledInstances([512, 512], scales=(1, 2), threshold=0.1)(image, blind_to_large_images)["scores"]
    torch.testing.assert_close(halved, alone / 2)


def test_what_one_scale_is_less_sure_of_than_the_threshold_still_counts_in_the_mean() -> None:
    image = as_image(scene((90, 120)))

    def doubts_large_images(view: torch.Tensor) -> Instances:
        found = bright_parts(view)
        return found if view.shape[2] == 90 else found._replace(scores=0.4 * found.scores)

    alone = TiledInstances([512, 512], threshold=0.1)(image, bright_parts)["scores"][0]
    both = TiledInstances([512, 512], scales=(1, 2), threshold=0.5)(image, doubts_large_images)["scores"][0]
    expected = 0.7 * alone  # the mean of what each scale shows, which is 0.4 of 0.8 or so at the larger
    assert (0.4 * alone < 0.5).all()
    # The share of its box that a disc fills differs by some percent where it is enlarged.
    torch.testing.assert_close(both, expected[expected > 0.5], rtol=0, atol=0.02)


def test_unsure_and_small_instances_are_left_out() -> None:
    ids = scene((230, 310))
    image = as_image(ids)
    scores = TiledInstances([512, 512], threshold=0.1)(image, bright_parts)["scores"][0]
    middle = float(scores.median())
    sure = TiledInstances([512, 512], threshold=middle)(image, bright_parts)
    assert sure["scores"].shape[1] == int((scores > middle).sum())
    large = TiledInstances([512, 512], threshold=0.1, smallest=200)(image, bright_parts)
    areas = np.bincount(ids[ids > 0])[1:]
    assert large["scores"].shape[1] == (areas >= 200).sum()


def test_an_image_of_nothing_has_no_instances() -> None:
    found = TiledInstances([64, 64])(torch.zeros(1, 3, 40, 100), bright_parts)
    assert not found["ids"].any()
    assert found["scores"].shape == (1, 0)


def test_more_images_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match="one image"):
        TiledInstances([64, 64])(torch.zeros(2, 3, 40, 100), bright_parts)


@pytest.mark.parametrize("factor", [2, 0.5])
def test_ids_are_on_the_images_grid_whatever_the_magnification(factor: float) -> None:
    """Tiles of 64 pixels that the network knows are 32 of the image at twice, and 128 at half the magnification."""
    ids, sizes = scene((120, 90), largest=12), []

    def network(image: torch.Tensor) -> Instances:
        sizes.append(image.shape[2:])
        return bright_parts(image)

    known = Magnification(known_px=16 * factor, known_um=8, diameter=16)
    inferer = TiledInstances([64, 64], overlap=30, threshold=0.3, magnification=known)
    found = inferer(as_image(ids), network)["ids"][0, 0].numpy()  # type: ignore[arg-type]
    assert found.shape == ids.shape
    assert max(max(size) for size in sizes) <= 64
    assert len(sizes) == (1 if factor < 1 else len(list(tiles((120, 90), (32, 32), 15))))
    assert average_precision(found, ids, [0.5])[0] > 0.9
