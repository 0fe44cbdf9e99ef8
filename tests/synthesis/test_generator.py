"""Synthetic images and their classes, from label maps whose geometry is known."""

from typing import Any

import pytest
import torch

from shared.synthesis.generator import LabelMap, Synthesiser
from shared.synthesis.labels import Labels
from shared.synthesis.ranges import Ranges

LABELS = Labels.make(
    [0, 2, 41, 24], learned=[0, 2, 41, 24], sides={2: 41}, merged={}, tissues={"brain": [2], "CSF": [24]}
)
LEFT, CSF, RIGHT = (int((LABELS.ids == value).nonzero()[0][0]) for value in (2, 24, 41))
STILL: dict[str, Any] = {"rotation": 0, "scaling": 0, "shearing": 0, "translation": 0, "warp": 0, "flip": 0, "crop": 0}
CLEAN = {"bias": 0, "gamma": 0, "noise": 0, "thin_slices": 0.1, "thick_slices": 0.1}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def halves(dims: int, spacing: float = 1.0) -> LabelMap:
    """CSF around a block 32 voxels wide, whose first half along the first axis is left (2), the other right (41)."""
    indices = torch.full([48] * dims, CSF, dtype=torch.uint8)
    inner = (slice(8, 40),) * (dims - 1)
    indices[(slice(8, 24), *inner)] = LEFT
    indices[(slice(24, 40), *inner)] = RIGHT
    return LabelMap(indices, spacing, torch.full([dims], 23.5))


def synthesiser(dims: int, *, spacing: float = 2.0, **ranges: Any) -> Synthesiser:
    return Synthesiser(LABELS, size=[24] * dims, spacing=spacing, ranges=Ranges(**STILL | ranges))


@pytest.mark.parametrize("dims", [2, 3])
def test_a_still_sample_shows_the_map_at_its_own_resolution(dims: int) -> None:
    label_map = halves(dims)
    _, classes = synthesiser(dims)(label_map, seeded(0))
    ids = torch.as_tensor(LABELS.classes)[label_map.indices.int()]
    # Of 48 voxels of 1 mm, 24 of 2 mm around one centre: those of 2 mm are centred between two of 1 mm, and blocks are
    # even in place and width.
    assert torch.equal(classes[0], ids[(slice(None, None, 2),) * dims].to(torch.uint8))
    assert classes.shape == (1, *[24] * dims)
    assert classes.dtype == torch.uint8


def test_the_spacing_of_the_map_counts() -> None:
    """A map of 0.5 mm voxels is half as large: the block covers 8 of 24 voxels of 2 mm."""
    _, classes = synthesiser(2)(halves(2, spacing=0.5), seeded(0))
    assert ((classes == 1) | (classes == 2)).sum() == 8 * 8


def test_a_seed_gives_one_sample_and_another_seed_another() -> None:
    make = Synthesiser(LABELS, size=[24, 24, 24], spacing=2.0, ranges=Ranges())
    first, again, other = (make(halves(3), seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_a_flip_exchanges_the_sides_in_place_and_in_name() -> None:
    """The mirror image of a symmetric head is that head: left is still on the left."""
    still, flipped = (synthesiser(3, flip=flip)(halves(3), seeded(0))[1] for flip in (0, 1))
    assert torch.equal(still, flipped)
    lopsided = halves(3)
    lopsided.indices[8:16] = CSF  # the left half is half as wide
    _, classes = synthesiser(3, flip=1)(lopsided, seeded(0))
    assert (classes == 1).sum() == 2 * (classes == 2).sum() > 0
    assert (classes[0] == 1).nonzero()[:, 0].max() < (classes[0] == 2).nonzero()[:, 0].min()


def test_a_clean_image_is_flat_within_a_label_and_both_sides_are_alike() -> None:
    for seed in range(5):
        image, classes = synthesiser(3, deviation=(0, 0), **CLEAN)(halves(3), seeded(seed))
        # 0.5 % of the voxels are clipped at either end; here all of a label.
        assert image[classes == 1].std() < 1e-3
        torch.testing.assert_close(image[classes == 1].mean(), image[classes == 2].mean(), rtol=0, atol=1e-3)
        assert image.min() == 0
        assert image.max() == 1


def test_a_voxel_across_a_border_is_in_between() -> None:
    """Voxels of 3 mm around a border between voxels of 1 mm see both labels: partial volume."""
    label_map = halves(3)
    image, _ = synthesiser(3, spacing=2.0, translation=0, deviation=(0, 0), **CLEAN)(label_map, seeded(1))
    moved = LabelMap(label_map.indices, 1.0, label_map.centre + 1.0)
    between, _ = synthesiser(3, spacing=2.0, deviation=(0, 0), **CLEAN)(moved, seeded(1))
    assert len(image.unique()) == 2
    assert ((between > 0.4) & (between < 0.6)).any()


def test_the_noise_of_a_label_is_that_of_its_gaussian() -> None:
    """Two images of one seed, with deviations of 10 and of 0, differ by that noise, in units of their contrast."""
    make = {deviation: synthesiser(3, deviation=(deviation, deviation), **CLEAN) for deviation in (0, 10)}
    (flat, classes), (noisy, _) = (make[deviation](halves(3), seeded(3)) for deviation in (0, 10))
    # The noise is symmetric, and both images are scaled from dark to bright: so is the noise, once clipping is undone.
    inner = flat[classes == 1]
    assert noisy[classes == 1].std() == pytest.approx(float(noisy[classes == 2].std()), rel=0.05)
    assert inner.std() < 1e-3 < 0.02 < noisy[classes == 1].std()


def test_what_a_scan_does_not_show_is_background() -> None:
    image, classes = synthesiser(3, crop=1.0, crop_share=0.5)(halves(3), seeded(2))
    hidden = classes == 0
    assert hidden.any()
    assert not image[hidden].any()
    assert (classes[~hidden] > 0).all()


def test_two_images_of_one_shape_are_easy_to_make() -> None:
    """As a registration learns from: one anatomy in two contrasts."""
    make = synthesiser(3)
    indices, mirrored = make.random_shape(halves(3), seeded(0))
    one, two = (make.random_image(indices, seeded(seed)) for seed in (1, 2))
    assert not torch.equal(one, two)
    assert torch.equal(make.classes(indices[0], mirrored), make(halves(3), seeded(0))[1])
