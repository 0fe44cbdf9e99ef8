"""Both hippocampi of a head from their crops onto grids that lie otherwise."""

from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from shared.samples import Sample
from shared.tasks.segmentation.restoring_heads import RestoreHeadd

GRID = np.array([[1.0, 0, 0, -60], [0, 1, 0, -70], [0, 0, 1, -50], [0, 0, 0, 1]])  # upright, 1 mm
STARTS = {"left": (20, 40, 30), "right": (70, 42, 28)}
CROP = (30, 40, 28)
OWN = {
    "as the grid": ((120, 130, 110), GRID),
    "2 mm, to left, back and bottom": (
        (60, 65, 55), np.array([[-2.0, 0, 0, 58.5], [0, -2, 0, 58.5], [0, 0, -2, 58.5], [0, 0, 0, 1]]),
    ),
    "axes exchanged, 1.5 mm": (
        (90, 75, 85), np.array([[0, 1.5, 0, -59.0], [0, 0, -1.5, 58.0], [1.2, 0, 0, -49.0], [0, 0, 0, 1]]),
    ),
}  # fmt: skip


def crop_of_two() -> torch.Tensor:
    """(3, *CROP): an ellipsoid, its front of class 1 and its rear of class 2, sure but for its border."""
    places = np.stack(np.meshgrid(*map(np.arange, CROP), indexing="ij"), axis=-1)
    middle, radii = np.array([14, 19, 13]), np.array([7, 13, 6])
    inside = 1 / (1 + np.exp(8 * (np.linalg.norm((places - middle) / radii, axis=-1) - 1)))
    front = places[..., 1] > middle[1]
    return torch.tensor(np.stack([1 - inside, inside * front, inside * ~front]), dtype=torch.float32)


def restored(shape: tuple[int, ...], affine: np.ndarray, **options: Any) -> Sample:
    meta = {"original_affine": affine, "spatial_shape": list(shape)}
    image = MetaTensor(torch.zeros(1, 120, 130, 110), affine=torch.as_tensor(GRID), meta=meta)
    pred = {side: crop_of_two() for side in STARTS} | {f"{s}_start": torch.tensor(v) for s, v in STARTS.items()}
    return RestoreHeadd(keys="pred", crops=[], **options)({"image": image, "pred": pred})


@pytest.mark.parametrize("name", OWN)
def test_each_part_lies_where_its_crop_lies_in_the_world(name: str) -> None:
    shape, affine = OWN[name]
    out = restored(shape, affine)
    labels = out["pred"][0].numpy()
    np.testing.assert_array_equal(out["pred"].affine, affine)
    assert labels.shape == shape
    classes = crop_of_two().argmax(dim=0).numpy()
    for value, (side, kind) in enumerate([("left", 1), ("left", 2), ("right", 1), ("right", 2)], start=1):
        expected = nib.affines.apply_affine(GRID, np.argwhere(classes == kind).mean(axis=0) + STARTS[side])
        found = nib.affines.apply_affine(affine, np.argwhere(labels == value).mean(axis=0))
        np.testing.assert_allclose(found, expected, atol=0.4)  # of parts some 13 mm wide, on voxels of up to 2 mm
        volume = (labels == value).sum() * abs(np.linalg.det(affine[:3, :3]))
        assert volume == pytest.approx((classes == kind).sum(), rel=0.06)


def test_nothing_is_outside_of_the_crops() -> None:
    shape, affine = OWN["as the grid"]
    labels = restored(shape, affine)["pred"][0].numpy()
    for start in STARTS.values():
        labels[tuple(slice(s, s + n) for s, n in zip(start, CROP))] = 0
    assert not labels.any()


def test_probabilities_are_those_of_the_labels() -> None:
    for shape, affine in OWN.values():
        out = restored(shape, affine, probabilities=True)
        assert out["probabilities"].shape == (5, *shape)
        assert (out["probabilities"].argmax(axis=0) == out["pred"][0].numpy()).all()
        # They sum up to 1, of 65,535, but for rounding of each.
        np.testing.assert_allclose(out["probabilities"].sum(axis=0, dtype=np.int64), 65535, atol=3)


def test_uncertainty_is_the_entropy_of_the_crop_that_a_voxel_lies_in() -> None:
    out = restored(*OWN["2 mm, to left, back and bottom"], probabilities=True, uncertainty=True)
    likely = out["probabilities"] / 65535
    present = np.where(likely > 0, likely, 1)
    expected = -(present * np.log(present)).sum(axis=0) / np.log(3)  # the background and two parts in each crop
    assert expected.max() > 0.5
    np.testing.assert_allclose(out["uncertainty"] / 65535, expected, atol=1e-3)


def test_a_crop_is_changed_by_the_transforms_of_crops_alone() -> None:
    logits = torch.rand(3, 4, 5, 6)
    out = RestoreHeadd(keys="pred", crops=[lambda data: {**data, "pred": data["pred"] + 1}])({"pred": logits})
    assert torch.equal(out["pred"], logits + 1)
    assert "is_head" not in out
