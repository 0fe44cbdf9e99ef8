"""Where the hippocampi of a head are, of phantoms whose classes are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from shared.errors import InputError
from shared.images.resizing import resized
from shared.tasks.segmentation.locating import Locator, Places

SIZE = (120, 140, 120)  # mm, as many voxels
LEFT, RIGHT, BRAIN, CSF = 1, 2, 3, 4
CENTRES = {LEFT: (35, 70, 50), RIGHT: (85, 66, 50)}
RADII = (8, 20, 8)  # mm: 5.4 ml, about a hippocampus


def phantom(centres: dict[int, tuple[int, int, int]], radii: tuple[int, int, int] = RADII) -> np.ndarray:
    """(*SIZE), classes: a brain with an ellipsoid at each of `centres`."""
    places = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij"), axis=-1)
    classes = np.zeros(SIZE, np.float32)
    classes[10:110, 10:130, 10:110] = BRAIN
    classes[10:110, 10:130, 100:110] = CSF
    for value, centre in centres.items():
        classes[(((places - centre) / radii) ** 2).sum(axis=-1) < 1] = value
    return classes


class Knows(torch.nn.Module):
    """Answers with the classes that the head was made of."""

    def __init__(self, classes: np.ndarray) -> None:
        super().__init__()
        self.probabilities = np.stack([classes == value for value in range(5)]).astype(np.float32)

    def forward(self, image: Tensor) -> Tensor:
        return torch.from_numpy(resized(self.probabilities, image.shape[2:]) + 1e-6).log()[None]


def located(classes: np.ndarray, spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> Places | None:
    locator = Locator(weights="none.pt", pixdim=[4.0] * 3, sides=[LEFT, RIGHT], scattered=[CSF])
    locator.__dict__["_ready"] = Knows(classes)
    return locator(classes, spacing)


def test_the_middle_of_each_side_is_found_in_voxels_of_the_volume() -> None:
    for step in (1, 2):
        found = located(phantom(CENTRES)[:, :, ::step], (1.0, 1.0, float(step)))
        assert found is not None
        for centre, expected in zip(found.centres, CENTRES.values()):
            # Symmetric structures; the voxel that each second slice leaves out shifts them by a quarter of one.
            np.testing.assert_allclose(centre * [1, 1, step], expected, atol=0.6)


def test_volumes_are_in_mm3_whatever_the_voxels() -> None:
    classes = phantom(CENTRES)
    fine = located(classes)
    flat = located(classes[:, :, ::2], (1.0, 1.0, 2.0))
    assert fine is not None
    assert flat is not None
    assert fine.volumes_mm3[0] == pytest.approx((classes == LEFT).sum(), rel=0.1)
    assert flat.volumes_mm3 == pytest.approx(fine.volumes_mm3, rel=0.1)


@pytest.mark.parametrize(
    "classes",
    [
        phantom({LEFT: CENTRES[LEFT]}),
        phantom({LEFT: CENTRES[RIGHT], RIGHT: CENTRES[LEFT]}),  # a head whose header mistakes the sides
        phantom({LEFT: (50, 70, 50), RIGHT: (68, 70, 50)}),  # 18 mm apart
        phantom(CENTRES, radii=(4, 6, 4)),  # 0.4 ml
    ],
    ids=["one side", "exchanged", "too near", "too small"],
)
def test_what_is_no_pair_of_hippocampi_is_not_found(classes: np.ndarray) -> None:
    assert located(classes) is None


def test_a_missing_file_of_weights_is_named_when_the_first_head_is_seen(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"broken\.pt: expected a state dict of this HalvedUNet"):
        Locator(weights=tmp_path / "broken.pt", pixdim=[4.0] * 3, sides=[1, 2], filters=[4, 4], out_channels=5)(
            phantom(CENTRES), [1.0] * 3
        )
