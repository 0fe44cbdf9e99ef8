"""Fusing what atlases say: a wrong one is outvoted, and those that err together are not believed."""

from itertools import product

import numpy as np
import pytest

from shared.atlases.fusing import FUSIONS, Carried, fusion_named, local_correlation
from shared.atlases.joint import PATCH, POWER, REGULARISATION, SEARCH, joint_weights
from shared.errors import InputError

SIZE = (24, 24)


def square(corner: int) -> np.ndarray:
    labels = np.zeros(SIZE, dtype=np.int64)
    labels[corner : corner + 8, corner : corner + 8] = 1
    return labels


def image_of(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Bright where something is labelled, on a texture."""
    return (10 * labels + np.random.default_rng(seed).normal(size=labels.shape)).astype(np.float32)


def carried(truth: np.ndarray, votes: list[np.ndarray], seeds: list[int] | None = None) -> Carried:
    images = [image_of(vote, seed) for vote, seed in zip(votes, seeds or [0] * len(votes))]
    return Carried(image_of(truth), np.stack(images), np.stack(votes), int(np.max(votes)) + 1)


@pytest.mark.parametrize("name", FUSIONS)
def test_two_right_atlases_outvote_a_wrong_one(name: str) -> None:
    truth = square(8)
    shares = fusion_named(name)(carried(truth, [truth, truth, square(12)]))
    assert shares.shape == (2, *SIZE)
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(shares.argmax(axis=0), truth)


@pytest.mark.parametrize("name", ["weighted", "joint"])
def test_atlases_that_err_alike_and_look_unlike_the_target_are_not_the_majority(name: str) -> None:
    truth, wrong = square(8), square(11)
    given = carried(truth, [truth, truth, wrong, wrong, wrong], seeds=[0, 0, 1, 1, 1])
    assert (FUSIONS["majority"](given).argmax(axis=0) == wrong).all()  # three of five
    np.testing.assert_array_equal(FUSIONS[name](given).argmax(axis=0), truth)


def test_staple_believes_those_that_err_nowhere_else() -> None:
    truth, rng = square(8), np.random.default_rng(0)
    together = truth.copy()
    together[8:10, 16:18] = 1  # four voxels that three atlases add to the square
    poor = [np.where(rng.random(SIZE) < 0.1, 1 - together, together) for _ in range(3)]
    for vote in poor:
        vote[8:10, 16:18] = 1
    given = carried(truth, [truth, truth, *poor])
    assert FUSIONS["majority"](given).argmax(axis=0)[8:10, 16:18].all()
    assert not FUSIONS["staple"](given).argmax(axis=0)[8:10, 16:18].any()


def test_joint_weights_are_those_of_the_paper_at_a_voxel() -> None:
    rng = np.random.default_rng(1)
    target, images = rng.normal(size=(9, 9)).astype(np.float32), rng.normal(size=(3, 9, 9)).astype(np.float32)
    votes = rng.integers(0, 100, (3, 9, 9))
    weights, found = joint_weights(target, images, votes)

    def patch(image: np.ndarray, y: int, x: int) -> np.ndarray:
        values = image[y - PATCH : y + PATCH + 1, x - PATCH : x + PATCH + 1].ravel()
        return (values - values.mean()) / values.std()

    differences = []
    for k, image in enumerate(images):
        places = [(4 + dy, 4 + dx) for dy, dx in product(range(-SEARCH, SEARCH + 1), repeat=2)]
        nearest = min(places, key=lambda place: np.square(patch(image, *place) - patch(target, 4, 4)).sum())
        differences.append(np.abs(patch(image, *nearest) - patch(target, 4, 4)))
        assert found[(k, 4, 4)] == votes[(k, *nearest)]
    matrix = [[np.mean(a * b) ** POWER for b in differences] for a in differences]
    solved = np.linalg.solve(np.array(matrix) + REGULARISATION * np.eye(3), np.ones(3))
    np.testing.assert_allclose(weights[:, 4, 4], solved / solved.sum(), rtol=1e-4)


def test_copies_of_an_atlas_share_the_weight_that_it_has_alone() -> None:
    truth, rng = square(8), np.random.default_rng(2)
    images = [image_of(truth) + rng.normal(size=SIZE).astype(np.float32) * 10 for _ in range(2)]
    votes = [square(8), square(9)]

    def of_first(copies: int) -> np.ndarray:
        order = [0] * copies + [1]
        weights, _ = joint_weights(image_of(truth), *(np.stack([each[i] for i in order]) for each in (images, votes)))
        return weights[:copies].sum(axis=0)[votes[0] != votes[1]].mean()

    # Three copies of one of two equally good atlases would have 3/4 of the weight if their errors were independent.
    assert of_first(3) < (of_first(1) + 3 / 4) / 2


def test_a_volume_that_is_constant_along_an_axis_has_the_joint_weights_of_its_slice() -> None:
    truth = square(8)
    flat = carried(truth, [truth, square(9), square(10)], seeds=[3, 4, 5])
    thick = [np.repeat(x[..., None], 2, axis=-1) for x in flat[:3]]
    expected, found = joint_weights(*flat[:3]), joint_weights(*thick)
    for one, other in zip(expected, found):
        np.testing.assert_allclose(other, np.repeat(one[..., None], 2, axis=-1), atol=1e-4)


def test_the_local_correlation_is_that_of_a_window_whatever_the_contrast() -> None:
    target = image_of(square(8))
    same, inverted = local_correlation(np.stack([5 * target + 300, -target]), target)
    np.testing.assert_allclose(same, 1, atol=1e-5)
    assert (inverted == 0).all()


def test_an_unknown_fusion_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match=r"\A--fusion: expected one of majority, weighted, staple, joint, got 'vote'"):
        fusion_named("vote")
