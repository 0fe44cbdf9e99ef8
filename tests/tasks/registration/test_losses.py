"""The loss of a pair of images: each of its terms by hand, and that it is their sum."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from shared.errors import InputError
from shared.spatial.warping import resize, warp
from shared.tasks.registration.fields import diffusion
from shared.tasks.registration.losses import RegistrationLoss, maps_of, soft_dice_loss
from shared.tasks.registration.ncc import ncc_loss
from shared.tasks.registration.similarity import no_loss, similarity_named

SIZES = [(9, 12), (7, 8, 6)]


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def still(labels: Tensor) -> Tensor:
    """No displacement of label maps or images (B, C, *S)."""
    return torch.zeros(len(labels), labels.ndim - 2, *labels.shape[2:])


A = torch.tensor([[0, 1, 1, 1], [0, 2, 2, 0]])[None, None]
B = torch.tensor([[0, 1, 1, 0], [0, 0, 2, 2]])[None, None]
DICE_1, DICE_2 = 2 * 2 / 5, 2 * 1 / 4


@pytest.mark.parametrize("size", SIZES)
def test_equal_maps_overlap_wholly(size: tuple[int, ...]) -> None:
    labels = torch.randint(0, 4, (2, 1, *size))
    assert float(soft_dice_loss(labels, labels, still(labels))) == pytest.approx(0, abs=1e-6)


def test_dice_of_maps_counted_by_hand() -> None:
    assert float(soft_dice_loss(A, B, still(A))) == pytest.approx(1 - (DICE_1 + DICE_2) / 2)
    assert float(soft_dice_loss(A.float(), B.float(), still(A))) == pytest.approx(1 - (DICE_1 + DICE_2) / 2)


def test_the_moving_map_is_warped_linearly() -> None:
    labels = torch.tensor([[0, 0, 3, 3, 0, 0]] * 2)[None, None]
    half = still(labels)
    half[:, 1] = 0.5
    # Sampled half a voxel further it is ½ 1 ½ where the fixed one is 0 1 1: 1.5 in common of 2 and 2.
    assert float(soft_dice_loss(labels, labels, half)) == pytest.approx(1 - 2 * 1.5 / 4)
    half[:, 1] = 6  # all of it outside
    assert float(soft_dice_loss(labels, labels, half)) == pytest.approx(1)


def test_the_background_does_not_count() -> None:
    a, b = (F.pad(labels, (3, 5, 4, 2)) for labels in (A, B))
    assert float(soft_dice_loss(a, b, still(a))) == pytest.approx(1 - (DICE_1 + DICE_2) / 2)


def test_labels_that_one_map_alone_holds_do_not_count() -> None:
    a, b = A.clone(), B.clone()
    a[..., 1, 0], b[..., 0, 0] = 7, 9  # both instead of background that the other has, too
    assert float(soft_dice_loss(a, b, still(a))) == pytest.approx(1 - (DICE_1 + DICE_2) / 2)
    for fixed in (torch.zeros_like(A), torch.full_like(A, 9)):  # without a label in common
        assert float(soft_dice_loss(A, fixed, still(A))) == 0


def test_of_a_batch_each_label_counts_that_both_maps_of_its_pair_hold() -> None:
    one = (A == 1).long()
    moving, fixed = torch.cat([one, A]), torch.cat([one, B])
    assert float(soft_dice_loss(moving, fixed, still(moving))) == pytest.approx(1 - (1 + DICE_1 + DICE_2) / 3)


@pytest.mark.parametrize("size", [(16, 9), (16, 7, 8)])
@pytest.mark.parametrize("shift", [2, -2])
def test_the_gradient_moves_the_labels_towards_each_other(size: tuple[int, ...], shift: int) -> None:
    fixed = torch.zeros(1, 1, *size)
    fixed[:, :, 5:10, 2:6] = 1
    moving = fixed.roll(shift, dims=2)
    # Where it is sampled; away from the kink of linear interpolation at whole voxels.
    displacement = (still(fixed) + 0.1).requires_grad_()
    soft_dice_loss(moving, fixed, displacement).backward()
    assert displacement.grad is not None
    downhill = -displacement.grad[:, 0].sum()
    assert float(downhill) * shift > 0


@pytest.mark.parametrize("size", [(5, 6), (4, 5, 3)])
def test_the_gradient_of_the_dice_is_right(size: tuple[int, ...]) -> None:
    moving, fixed = (torch.randint(0, 3, (2, 1, *size)) for _ in range(2))
    # Between voxels, where linear interpolation has a derivative.
    displacement = (0.3 + 0.3 * torch.rand(2, len(size), *size, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: soft_dice_loss(moving, fixed, u), (displacement,))


def smooth(size: tuple[int, ...]) -> Tensor:
    """An image (1, 1, *S) from 0 to 1."""
    image = torch.as_tensor(ndimage.gaussian_filter(torch.randn(size).numpy(), 2))[None, None]
    return (image - image.amin()) / (image.amax() - image.amin())


@pytest.mark.parametrize("window", [3, 7])
def test_ncc_is_taken_in_windows_of_the_size_asked_for(window: int) -> None:
    a, b = torch.rand(2, 1, 12, 14), torch.rand(2, 1, 12, 14)
    assert torch.equal(similarity_named("ncc", window=window)(a, b), ncc_loss(a, b, window=window))
    assert not torch.isclose(ncc_loss(a, b, window=window), ncc_loss(a, b))  # that of the default, 9
    assert torch.equal(similarity_named("ncc")(a, b), ncc_loss(a, b, window=9))


def test_mse_is_the_mean_of_the_squared_differences() -> None:
    a = torch.zeros(1, 1, 2, 2)
    b = torch.tensor([[0.0, 1], [2, 3]])[None, None]
    assert float(similarity_named("mse")(a, b)) == pytest.approx((1 + 4 + 9) / 4)


@pytest.mark.parametrize("size", [(40, 36), (20, 18, 16)])
@pytest.mark.parametrize("name", ["mi", "mind"])
def test_some_similarities_find_unlike_contrasts_aligned_where_mse_does_not(name: str, size: tuple[int, ...]) -> None:
    image = smooth(size)
    inverted, shifted = 1 - image, 1 - image.roll(3, dims=2)
    unlike, mse = similarity_named(name), similarity_named("mse")
    least = {"mi": 0.02, "mind": 0.06}[name]  # 0.1 nats, of 1 or so for equal ones; squared differences; as weighted
    assert float(unlike(inverted, image)) < float(unlike(shifted, image)) - least
    assert float(mse(inverted, image)) > float(mse(shifted, image))


@pytest.mark.parametrize("name", ["ncc", "mse", "mi", "mind"])
def test_no_similarity_sees_what_is_not_inside(name: str) -> None:
    a, b, other = torch.rand(3, 1, 1, 12, 14).unbind()
    inside = torch.zeros_like(a)
    inside[:, :, 5:] = 1
    similarity = similarity_named(name)
    given = similarity(a, b, inside=inside)
    assert torch.equal(given, similarity(torch.where(inside > 0, a, other), b, inside=inside))
    assert not torch.equal(given, similarity(a, b))
    assert float(similarity(a, b, inside=torch.ones_like(a))) == pytest.approx(float(similarity(a, b)), abs=1e-6)
    assert float(similarity(a, b, inside=0 * inside)) == 0


@pytest.mark.parametrize("way", ["there", "back"])
def test_of_a_pair_nothing_counts_outside_the_moving_image(way: str) -> None:
    """Neither of images nor of labels, whether the moving image is sampled or the fixed one."""
    inside = torch.ones(1, 1, 16, 18)
    inside[:, :, :8] = 0
    image, other = torch.rand(2, 1, 2, 16, 18).unbind()
    label, other_label = torch.randint(0, 3, (2, 1, 2, 16, 18)).unbind()
    field = torch.full((1, 2, 16, 18), 0.4 if way == "there" else 0.0)
    loss = RegistrationLoss(similarity_named("ncc", window=5), overlap=1.0)
    seen = (inside > 0).expand(-1, 2, -1, -1)
    batches = [
        {"image": image, "label": label, "inside": inside},
        {"image": torch.where(seen, image, other), "label": torch.where(seen, label, other_label), "inside": inside},
    ]
    losses = [float(loss({"velocity": field, way: field}, batch)) for batch in batches]
    assert losses[0] == losses[1]
    del batches[1]["inside"]
    assert float(loss({"velocity": field, way: field}, batches[1])) != losses[0]


def test_an_unknown_similarity_is_refused() -> None:
    words = r"\A--similarity: expected one of ncc, mse, mind, mi, none, got 'ssd'; choose one of these\Z"
    with pytest.raises(InputError, match=words):
        similarity_named("ssd")


def registered(size: tuple[int, ...] = (14, 12)) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Any fields, the velocity at half the resolution, and a batch of two pairs with labels."""
    fields = {name: torch.rand(2, len(size), *size) for name in ("there", "back")}
    fields["velocity"] = torch.rand(2, len(size), *[s // 2 for s in size])
    return fields, {"image": torch.rand(2, 2, *size), "label": torch.randint(0, 3, (2, 2, *size))}


@pytest.mark.parametrize("size", SIZES)
def test_the_loss_is_the_weighted_sum_of_its_terms(size: tuple[int, ...]) -> None:
    fields, batch = registered(size)
    moving, fixed = batch["image"][:, :1], batch["image"][:, 1:]
    unlike = (F.mse_loss(warp(moving, fields["there"]), fixed), F.mse_loss(warp(fixed, fields["back"]), moving))
    rough = diffusion(fields["velocity"])
    a, b = batch["label"].split(1, dim=1)
    apart = (soft_dice_loss(a, b, fields["there"]) + soft_dice_loss(b, a, fields["back"])) / 2
    loss = RegistrationLoss(F.mse_loss, smoothness=0.4, overlap=0.3)(fields, batch)
    assert float(loss) == pytest.approx(float(sum(unlike)) / 2 + 0.4 * float(rough) + 0.3 * float(apart), rel=1e-5)
    default = RegistrationLoss()(fields, batch)  # NCC, smoothness 1 and no overlap
    unlike = (ncc_loss(warp(moving, fields["there"]), fixed), ncc_loss(warp(fixed, fields["back"]), moving))
    assert float(default) == pytest.approx(float(sum(unlike)) / 2 + float(rough), rel=1e-5)


def test_without_the_way_back_the_way_there_counts_alone() -> None:
    fields, batch = registered()
    del fields["back"]
    moving, fixed = batch["image"][:, :1], batch["image"][:, 1:]
    expected = F.mse_loss(warp(moving, fields["there"]), fixed) + diffusion(fields["velocity"])
    assert float(RegistrationLoss(F.mse_loss)(fields, batch)) == pytest.approx(float(expected), rel=1e-5)


def test_where_one_image_is_zero_neither_counts_if_zeros_are_ignored() -> None:
    """The moving image ends at row 3 and comes a row nearer; the fixed one ends at column 5."""
    moving, fixed = torch.rand(1, 1, 8, 9) + 1, torch.rand(1, 1, 8, 9) + 1
    moving[:, :, :3], fixed[..., 5:] = 0, 0
    there = torch.zeros(1, 2, 8, 9)
    there[:, 0] = 1
    difference = (moving[:, :, 3:, :5] - fixed[:, :, 2:-1, :5]).square().sum() / (8 * 9)  # of the part that both hold
    fields, batch = {"velocity": torch.zeros(1, 2, 4, 4), "there": there}, {"image": torch.cat([moving, fixed], dim=1)}
    assert float(RegistrationLoss(F.mse_loss, ignore_zeros=True)(fields, batch)) == pytest.approx(float(difference))
    assert float(RegistrationLoss(F.mse_loss)(fields, batch)) > 2 * float(difference)
    both = {**fields, "back": -there}
    given = RegistrationLoss(F.mse_loss, ignore_zeros=True)(both, batch)
    assert float(given) == pytest.approx(float(difference))  # of the same voxels, a row apart


@pytest.mark.parametrize(("shift", "loss"), [(-0.6, 0.0), (-0.4, (1 - 0.6) ** 2 / 8)])
def test_a_voxel_of_which_less_than_half_is_image_counts_as_zero(shift: float, loss: float) -> None:
    moving, fixed, there = torch.ones(1, 1, 8, 9), torch.ones(1, 1, 8, 9), torch.zeros(1, 2, 8, 9)
    moving[:, :, :3], there[:, 0] = 0, shift  # row 3 shows 0.4 of the image, or 0.6
    fields, batch = {"velocity": torch.zeros(1, 2, 4, 4), "there": there}, {"image": torch.cat([moving, fixed], dim=1)}
    assert float(RegistrationLoss(F.mse_loss, ignore_zeros=True)(fields, batch)) == pytest.approx(loss, abs=1e-6)


def test_on_a_coarser_grid_the_loss_is_that_of_the_images_brought_there() -> None:
    fields, batch = registered((7, 6))
    fine = {"image": torch.rand(2, 2, 14, 12)}
    given = RegistrationLoss(F.mse_loss)(fields, fine)
    assert torch.equal(given, RegistrationLoss(F.mse_loss)(fields, {"image": resize(fine["image"], (7, 6))}))
    assert not torch.isclose(given, RegistrationLoss(F.mse_loss)(fields, batch))


@pytest.mark.parametrize("size", [(9, 12), (8, 7)])
def test_a_guide_learns_the_labels_of_both_images(size: tuple[int, ...]) -> None:
    fields, batch = registered(size)
    batch["label"] = torch.stack([torch.full(size, 1.0), torch.full(size, 2.0)])[None].expand(
        len(batch["image"]), -1, -1, -1
    )
    # Sure of the truth, of the moving image first: nothing is left of Dice and cross-entropy.
    halves = torch.zeros(len(batch["image"]), 6, (size[0] + 1) // 2, (size[1] + 1) // 2)
    halves[:, [1, 5]] = 50
    loss, without = RegistrationLoss(guidance=0.5), RegistrationLoss()(fields, batch)
    assert float(loss({**fields, "guide": halves}, batch)) == pytest.approx(float(without), abs=1e-4)
    exchanged = loss({**fields, "guide": halves.roll(3, dims=1)}, batch) - without
    assert float(exchanged) > 1  # cross-entropy of 50 where they differ
    doubled = RegistrationLoss(guidance=1.0)({**fields, "guide": halves.roll(3, dims=1)}, batch) - without
    assert float(doubled) == pytest.approx(2 * float(exchanged), rel=1e-4)
    assert torch.equal(loss({**fields, "guide": halves}, {"image": batch["image"]}), without)  # no labels to learn


def test_a_guide_is_best_that_knows_the_share_of_each_class_in_its_voxels() -> None:
    fields, batch = registered((8, 12))
    maps = [F.one_hot(batch["label"][:, i].long(), 3).movedim(-1, 1).float() for i in (0, 1)]
    shares = torch.cat([resize(m, (4, 6)) for m in maps], dim=1)
    best = RegistrationLoss()({**fields, "guide": shares.clamp(min=1e-7).log()}, batch)
    for harder in (0.5, 2.0):
        assert RegistrationLoss()({**fields, "guide": harder * shares.clamp(min=1e-7).log()}, batch) > best


def test_without_displacements_the_guide_is_all_that_is_learned() -> None:
    fields, batch = registered((8, 12))
    logits = torch.randn(len(batch["image"]), 6, 4, 6)
    alone = RegistrationLoss()({"guide": logits}, batch)
    together = RegistrationLoss()({**fields, "guide": logits}, batch)
    torch.testing.assert_close(alone, together - RegistrationLoss()(fields, batch))


def test_a_guide_alone_cannot_learn_without_labels() -> None:
    _, batch = registered((8, 12))
    with pytest.raises(InputError, match="expected labels, from which a guide learns"):
        RegistrationLoss()({"guide": torch.zeros(2, 6, 4, 6)}, {"image": batch["image"]})


def test_a_label_for_which_the_guide_has_no_class_is_refused() -> None:
    fields, batch = registered((8, 6))
    batch["label"][0, 0, 0, 0] = 3
    words = r"\Alabel: expected ids from 0 to 2, which the guide segments, got 3; give as many .*guide#out_channels\Z"
    with pytest.raises(InputError, match=words):
        RegistrationLoss()({**fields, "guide": torch.zeros(2, 2 * 3, 4, 3)}, batch)


def test_maps_that_are_sure_overlap_as_their_labels_do() -> None:
    fields, batch = registered()
    labels = batch.pop("label")
    maps = torch.cat([(labels[:, i : i + 1] == torch.tensor([1, 2]).reshape(1, 2, 1, 1)).float() for i in (0, 1)], 1)
    loss = RegistrationLoss(overlap=0.7)
    expected = loss(fields, {**batch, "label": labels})
    assert float(loss(fields, {**batch, "maps": maps})) == pytest.approx(float(expected), rel=1e-6)
    assert not torch.isclose(expected, loss(fields, batch))


def test_which_image_moves_and_which_is_fixed_does_not_matter_to_their_similarity() -> None:
    fields, batch = registered()
    swapped = {**fields, "there": fields["back"], "back": fields["there"]}
    loss = RegistrationLoss(similarity_named("ncc", window=5))
    assert torch.equal(loss(fields, batch), loss(swapped, {"image": batch["image"].flip(1)}))
    assert not torch.isclose(loss(fields, batch), loss(swapped, batch))


def test_without_labels_there_is_no_overlap_to_ask_for() -> None:
    fields, batch = registered()
    expected = RegistrationLoss()(fields, batch)
    assert torch.equal(RegistrationLoss(overlap=1.0)(fields, {"image": batch["image"]}), expected)
    assert not torch.isclose(RegistrationLoss(overlap=1.0)(fields, batch), expected)


def test_the_gradients_of_the_loss_are_right() -> None:
    fields, batch = registered((5, 4))
    loss = RegistrationLoss(partial(ncc_loss, window=3), smoothness=0.5, overlap=0.3)
    images = {**batch, "image": batch["image"].double()}
    # Displacements between 0.2 and 0.8: between voxels, where linear interpolation has a derivative.
    given = [(0.2 + 0.6 * fields[name].double()).requires_grad_() for name in ("velocity", "there", "back")]
    assert torch.autograd.gradcheck(
        lambda velocity, there, back: loss({"velocity": velocity, "there": there, "back": back}, images), given
    )


@pytest.mark.parametrize("size", [(6, 8), (4, 6, 8)])
def test_the_maps_of_a_label_at_half_the_resolution_are_the_shares_of_each_cell(size: tuple[int, ...]) -> None:
    label = torch.randint(0, 4, (2, 1, *size))
    ids = torch.tensor([1, 3]).reshape(1, 2, *[1] * len(size))
    maps = maps_of(label, ids, [s // 2 for s in size])
    pool = torch.nn.functional.avg_pool2d if len(size) == 2 else torch.nn.functional.avg_pool3d
    torch.testing.assert_close(maps, pool((label == ids).float(), 2))


def test_what_a_pair_says_of_its_smoothness_multiplies_the_weight() -> None:
    velocity = torch.rand(1, 2, 6, 6)
    registered, batch = {"velocity": velocity, "there": velocity}, {"image": torch.rand(1, 2, 6, 6)}
    loss = RegistrationLoss(no_loss, smoothness=0.5)
    assert float(loss(registered, batch)) == pytest.approx(0.5 * float(diffusion(velocity)))
    tripled = registered | {"smoothness": torch.tensor(3.0)}
    assert float(loss(tripled, batch)) == pytest.approx(1.5 * float(diffusion(velocity)))


def test_the_smoothness_that_a_pair_comes_with_multiplies_the_weight() -> None:
    velocity = torch.rand(1, 2, 6, 6)
    registered, batch = {"velocity": velocity, "there": velocity}, {"image": torch.rand(1, 2, 6, 6)}
    loss = RegistrationLoss(smoothness=0.5)
    tripled = registered | {"smoothness": torch.tensor(3.0)}
    added = float(loss(tripled, batch)) - float(loss(registered, batch))
    assert added == pytest.approx((3 - 1) * 0.5 * float(diffusion(velocity)), rel=1e-4)
