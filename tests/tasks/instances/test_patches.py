from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shared.tasks.instances.patches import RandCropd, RandStaind, patches_of


def scene(size: tuple[int, int]) -> dict[Hashable, torch.Tensor]:
    """An image whose channels are the coordinates of each pixel, and as ids which quarter it is in."""
    rows, columns = torch.meshgrid(*(torch.arange(s, dtype=torch.float32) for s in size), indexing="ij")
    ids = 1 + 2 * (rows >= size[0] / 2) + (columns >= size[1] / 2)
    return {"image": torch.stack([rows, columns, rows]), "ids": ids[None]}


def test_a_patch_shows_the_scene_turned_and_zoomed_and_its_ids_stay_on_it() -> None:
    data = scene((300, 200))
    crop = RandCropd("image", "ids", size=[64, 96], zoom=[0.8, 2.0], stretch=0.0)
    for seed in range(8):
        crop.set_random_state(seed)
        out = crop(data)
        assert out["image"].shape == (3, 64, 96)
        assert out["ids"].shape == (1, 64, 96)
        rows, columns = out["image"][:2]
        # Where the scene is not mirrored, one step along the patch is one of length 1 / zoom in it, in any direction.
        steps = torch.stack([torch.diff(rows, dim=0)[:, :-1], torch.diff(columns, dim=0)[:, :-1]])
        across = torch.stack([torch.diff(rows, dim=1)[:-1], torch.diff(columns, dim=1)[:-1]])
        lengths, widths = steps.norm(dim=0), across.norm(dim=0)
        assert 1 / 2.0 - 1e-3 <= float(lengths.median()) <= 1 / 0.8 + 1e-3
        assert float(lengths.median()) == pytest.approx(float(widths.median()), abs=1e-3)
        right = (steps * across).sum(dim=0) / (lengths * widths)
        assert float(right.median()) == pytest.approx(0, abs=1e-3)
        expected = 1 + 2 * (rows >= 149.5) + (columns >= 99.5)
        # The nearest pixel's id; interpolated coordinates say another one only along the borders of the quarters.
        assert (out["ids"][0] != expected).float().mean() < 0.02


def test_patches_are_drawn_from_everywhere_and_the_same_again_from_the_same_state() -> None:
    data = scene((300, 200))
    crop = RandCropd("image", "ids", size=[32, 32], zoom=[1.0, 1.0])
    crop.set_random_state(0)
    first = [crop(data)["image"] for _ in range(60)]
    crop.set_random_state(0)
    assert torch.equal(crop(data)["image"], first[0])
    assert not torch.equal(first[0], first[1])
    middles = torch.stack([patch[:2, 16, 16] for patch in first])
    assert (middles.amin(dim=0) < 40).all()
    assert (middles.amax(dim=0) > torch.tensor([260, 160])).all()


@pytest.mark.parametrize(
    ("radius", "narrowest", "widest"),
    [
        (6, 14, 40),  # 10.6 pixels wide, the root of the area; zoomed by 1 to 4 they would be 10.6 to 42.5
        (9, 16, 40),
        (1.5, 11, 11),  # 2.7 wide: 4 times that comes nearest to 14
        (30, 40, 40),  # 53 wide: made smaller, to 40
    ],
)
def test_a_typical_object_is_as_wide_in_the_patches_as_it_may_be(radius: float, narrowest: int, widest: int) -> None:
    rows, columns = np.indices((280, 280))
    near = (rows % 70 - 35) ** 2 + (columns % 70 - 35) ** 2 <= radius**2
    ids = np.where(near, 1 + 4 * (rows // 70) + columns // 70, 0)
    data: dict[Hashable, torch.Tensor] = {"image": scene((280, 280))["image"], "ids": torch.as_tensor(ids)[None]}
    crop = RandCropd("image", "ids", size=[16, 16], zoom=[1.0, 4.0], widths=[14, 40], stretch=0.0)
    crop.set_random_state(0)
    steps = [torch.diff(crop(data)["image"][:2, 7:9, 8], dim=1).norm() for _ in range(60)]  # 1 / zoom, see above
    widths = np.sqrt(near[:70, :70].sum()) / np.array(steps)
    # The width is that of every other pixel; of 60 draws one is within a tenth of either end.
    assert widths.min() == pytest.approx(narrowest, rel=0.15)
    assert widths.max() == pytest.approx(widest, rel=0.15)


def test_half_of_the_patches_are_mirrored() -> None:
    data = scene((100, 100))
    crop = RandCropd("image", "ids", size=[32, 32], zoom=[1.0, 1.0])
    crop.set_random_state(0)

    def orientation(patch: torch.Tensor) -> float:
        (a, b), (c, d) = (
            (patch[:2, 16, 17] - patch[:2, 16, 16]).tolist(),
            (patch[:2, 17, 16] - patch[:2, 16, 16]).tolist(),
        )
        return a * d - b * c

    signs = [orientation(crop(data)["image"]) > 0 for _ in range(60)]
    assert 15 < sum(signs) < 45  # of 60 by chance; beyond, 1 in 20,000


def test_a_stain_changes_the_image_and_not_its_shape_and_can_be_left_as_it_is() -> None:
    image = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    stain = RandStaind("image", inverted=1.0, gray=0.0, changed=0.0)
    stain.set_random_state(1)  # of no noise
    torch.testing.assert_close(stain({"image": image})["image"], -image, rtol=0, atol=1e-6)
    gray = RandStaind("image", inverted=0.0, gray=1.0, changed=0.0)
    gray.set_random_state(1)
    mean = gray({"image": image})["image"]
    torch.testing.assert_close(mean, image.mean(dim=0, keepdim=True).expand(3, -1, -1), rtol=0, atol=1e-6)
    stain = RandStaind("image", inverted=0.0, gray=0.0, changed=1.0)
    for seed in range(5):
        stain.set_random_state(seed)
        out = stain({"image": image})["image"]
        assert out.shape == image.shape
        assert out.isfinite().all()
        order = np.corrcoef(image[0].ravel(), out[0].ravel())[0, 1]
        assert 0.9 < order < 1 - 1e-6  # brighter stays brighter, but not as it was


def test_crowded_images_have_more_patches_and_the_most_crowded_no_more_than_they_may(tmp_path: Path) -> None:
    cases = []
    for count in (0, 40, 41, 250):
        path = tmp_path / f"{count}.png"
        ids = np.repeat(np.arange(count + 1, dtype=np.uint16), 3)  # 0 … count: the background is no instance
        Image.fromarray(np.tile(ids, (4, 1))).save(path)
        cases.append({"case": str(count), "label": str(path)})
    wanted: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [1, 1, 1, 1]), ({"each": 2}, [2, 2, 2, 2]), ({"instances": 40}, [1, 1, 2, 4]),
        ({"instances": 40, "each": 2, "most": 6}, [2, 2, 4, 12]),
    ]  # fmt: skip
    for options, times in wanted:
        names = [case["case"] for case in patches_of(cases, **options)]
        assert [names.count(case["case"]) for case in cases] == times
        assert list(dict.fromkeys(names)) == ["0", "40", "41", "250"]


def test_images_of_a_rare_group_have_more_patches(tmp_path: Path) -> None:
    table = tmp_path / "index.csv"
    table.write_text("id,modality\na,rare\nb,common\n")
    cases = [{"case": name, "label": ""} for name in ("images/a", "images/b", "images/c")]  # c is of no group
    names = [case["case"][-1] for case in patches_of(cases, each=2, groups=table, repeated={"rare": 3})]
    assert names == [*"aaaaaa", *"bb", *"cc"]
    assert len(patches_of(cases, groups=tmp_path / "none.csv", repeated={"rare": 3})) == 3  # data of a user
