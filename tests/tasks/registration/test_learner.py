"""Both ways of a pair, what of a batch is handed on, and figures of pairs whose movement is known."""

from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from torch import Tensor

from shared.errors import InputError
from shared.nets.voxelmorph import CoarseGuide, VoxelMorph
from shared.spatial.jacobian import jacobian_determinant
from shared.tasks.registration.learner import (
    BothWays,
    PairFigure,
    pair_figure,
    prepare_pair,
    regularity_for,
    smoothness_factor,
)
from shared.tasks.registration.metrics import regularity


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


def bent(dims: int) -> VoxelMorph:
    """A network that is no identity: its last layer has weights."""
    network = VoxelMorph(dims, filters=(8, 8, 8))
    torch.nn.init.normal_(network.unet.heads.get_parameter("0.weight"), std=0.3)
    return network


@pytest.mark.parametrize("size", [(20, 27), (9, 13, 8)])
def test_there_is_what_the_network_says_and_back_the_way_of_the_negated_velocity(size: tuple[int, ...]) -> None:
    network, pair = bent(len(size)), torch.rand(2, 2, *size)
    both = BothWays(network)(pair)
    assert both.keys() == {"velocity", "there", "back"}
    assert torch.equal(both["velocity"], network.velocity(pair))
    assert torch.equal(both["there"], network(pair))
    assert torch.equal(both["back"], network.displacement(-network.velocity(pair), size))
    assert float((both["there"] + both["back"]).abs().mean()) > 1e-3  # back is not merely there with another sign


def test_the_way_back_can_be_left_out() -> None:
    network, pair = bent(2), torch.rand(1, 2, 16, 12)
    whole, half = BothWays(network)(pair), BothWays(network, back=False)(pair)
    assert half.keys() == {"velocity", "there"}
    assert all(torch.equal(half[name], whole[name]) for name in half)


def test_a_stride_gives_the_ways_on_a_coarser_grid_in_voxels_of_that() -> None:
    network, pair = bent(2), torch.rand(1, 2, 24, 16)
    both = BothWays(network, stride=2)(pair)
    velocity = network.velocity(pair)
    assert torch.equal(both["velocity"], velocity)
    assert torch.equal(both["there"], network.displacement(velocity, (12, 8)))
    assert torch.equal(both["back"], network.displacement(-velocity, (12, 8)))


@pytest.mark.parametrize("learn", ["all", "guide", "velocity"])
def test_only_what_is_to_be_learned_takes_gradients(learn: str) -> None:
    network = VoxelMorph(2, filters=(8, 8), guide=CoarseGuide(2, 3, filters=(4, 8)))
    torch.nn.init.normal_(network.unet.heads.get_parameter("0.weight"), std=0.3)
    found = BothWays(network, learn=learn)(torch.rand(2, 2, 16, 12))
    assert found.keys() == {
        "all": {"velocity", "there", "back", "guide"}, "guide": {"guide"}, "velocity": {"velocity", "there", "back"},
    }[learn]  # fmt: skip
    torch.stack([value.square().sum() for value in found.values()]).sum().backward()
    learned = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert learned == {"all": {"guide", "reduce", "unet"}, "guide": {"guide"}, "velocity": {"reduce", "unet"}}[learn]


def test_a_guide_that_is_not_there_cannot_be_learned() -> None:
    with pytest.raises(InputError, match=r"\A--learn: expected one of all, got 'guide'"):
        BothWays(VoxelMorph(2, filters=(8, 8)), learn="guide")


def test_the_logits_of_a_guide_are_handed_on() -> None:
    network = VoxelMorph(2, filters=(8, 8), guide=CoarseGuide(2, 3, filters=(4, 8)))
    pair = torch.rand(1, 2, 16, 12)
    both = BothWays(network)(pair)
    assert torch.equal(both["guide"], network.guided(pair)["guide"])
    assert both["guide"].shape == (1, 2 * 3, 8, 6)


def test_fields_have_the_digits_of_float32_though_the_network_computes_in_bfloat16() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        both = BothWays(bent(2))(torch.rand(1, 2, 16, 16))
    assert {field.dtype for field in both.values()} == {torch.float32}
    assert not torch.equal(both["there"], both["there"].bfloat16().float())


@pytest.mark.parametrize("keys", [("image", "label"), ("image",)])
def test_a_batch_is_handed_on_as_plain_tensors_with_its_labels_if_it_has_any(keys: tuple[str, ...]) -> None:
    batch: dict[str, Any] = {key: MetaTensor(torch.rand(1, 2, 4, 5)) for key in keys}
    others: dict[str, Any] = {"case": ["a_to_b"], "grid": torch.eye(3)}
    pair, wanted = prepare_pair({**batch, **others}, "cpu")
    assert pair is wanted["image"]
    assert wanted.keys() == set(keys)
    assert {type(x) for x in wanted.values()} == {Tensor}
    assert all(torch.equal(wanted[key], batch[key].as_tensor()) for key in keys)


def shifted_by_2(*, dims: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """The displacement, the images and the labels of a pair whose moving side lies 2 voxels further along y."""
    size = (12, 14, 9)[:dims]
    label, image = torch.zeros(size), torch.zeros(size)
    label[3:7, 4:7], label[7:9, 5:9] = 1, 4
    image[2:10, 3:10] = torch.rand(8, 7, *size[2:])
    displacement = torch.zeros(dims, *size)
    displacement[1] = 2
    images, labels = (torch.stack([x.roll(2, dims=1), x]) for x in (image, label))
    return displacement, images, labels


@pytest.mark.parametrize("dims", [2, 3])
def test_a_shift_by_whole_voxels_is_undone_without_a_rest(dims: int) -> None:
    displacement, images, labels = shifted_by_2(dims=dims)
    assert pair_figure("dice", displacement, images, labels) == 1
    # 1 in windows of one contrast; those in the empty margin count as uncorrelated, and are the same for equal images.
    equal = pair_figure("ncc", torch.zeros_like(displacement), images[1:].expand(2, *images.shape[1:]))
    assert pair_figure("ncc", displacement, images) == pytest.approx(equal, abs=1e-5)
    # Of label 1, rows 4 to 6 meet 6 to 8: one of three is in common. Of label 4, 5 to 8 and 7 to 10: two of four.
    assert pair_figure("dice", 0 * displacement, images, labels) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_equal_images_correlate_wholly() -> None:
    image = torch.rand(1, 16, 16).expand(2, 16, 16)
    assert pair_figure("ncc", torch.zeros(2, 16, 16), image) == pytest.approx(1, abs=2e-3)  # epsilon of the variances


def test_the_labels_that_count_are_those_of_the_fixed_image() -> None:
    displacement, images, labels = shifted_by_2()
    labels[0, 0, :3] = 9  # of the moving image alone
    assert pair_figure("dice", displacement, images, labels) == 1
    labels[1, 0, :3] = 5  # of the fixed image alone: missed
    assert pair_figure("dice", displacement, images, labels) == pytest.approx(2 / 3)


@pytest.mark.parametrize("figure", ["folds_percent", "sd_log_jacobian"])
def test_what_tells_of_the_field_is_that_of_the_metrics(figure: str) -> None:
    displacement = 0.5 * torch.randn(2, 9, 8)
    expected = regularity(jacobian_determinant(displacement[None]))[figure]
    assert pair_figure(figure, displacement, torch.rand(2, 9, 8)) == expected
    assert expected > 0


def mean_over(figure: str, *batches: list[dict[str, Any]]) -> float:
    """The figure of an engine that hands on what an evaluator with `prepare_pair` gives of each batch."""
    engine = Engine(lambda engine, batch: batch)
    PairFigure(figure).attach(engine, figure)
    return float(engine.run(batches).metrics[figure])


def mirrored(part: float) -> dict[str, Any]:
    """A pair whose displacement folds the first `part` of the rows along the other axis: x ↦ -x."""
    displacement = torch.zeros(2, 10, 8)
    displacement[1, : round(10 * part)] = -2 * torch.arange(8.0)
    return {"pred": displacement, "label": {"image": torch.rand(2, 10, 8)}}


def test_a_figure_is_the_mean_over_pairs() -> None:
    # det J = (1 + du/dx)(1 + dv/dy) - du/dy dv/dx, of which u = 0 leaves 1 + dv/dy = -1 in the mirrored rows.
    assert mean_over("folds_percent", [mirrored(0.4)]) == pytest.approx(40)
    assert mean_over("folds_percent", [mirrored(0.4)], [mirrored(0)], [mirrored(1)]) == pytest.approx(140 / 3)
    assert mean_over("folds_percent", [mirrored(0.4), mirrored(0), mirrored(1)]) == pytest.approx(140 / 3)


def test_pairs_weigh_alike_in_batches_of_unlike_size() -> None:
    assert mean_over("folds_percent", [mirrored(0.4), mirrored(0)], [mirrored(1)]) == pytest.approx(140 / 3)


def test_labels_reach_the_mean_and_each_run_starts_anew() -> None:
    displacement, images, labels = shifted_by_2()
    undone = {"pred": displacement, "label": {"image": images, "label": labels}}
    left = {**undone, "pred": 0 * displacement}
    assert mean_over("dice", [undone], [left]) == pytest.approx((1 + (1 / 3 + 2 / 4) / 2) / 2)
    figure, engine = PairFigure("dice"), Engine(lambda engine, batch: batch)
    figure.attach(engine, "dice")
    assert engine.run([[left]]).metrics["dice"] < 1
    assert engine.run([[undone]]).metrics["dice"] == 1


def test_each_step_of_training_draws_a_regularity_and_its_weight() -> None:
    learner = BothWays(VoxelMorph(2, filters=(4, 4), regularity=0.5))
    pair = torch.rand(1, 2, 16, 16)
    weights = [float(learner(pair)["smoothness"]) for _ in range(20)]
    assert min(weights) < 0.5 < 2 < max(weights)  # of 1 / 10 to 10; seed 0 of 20 draws has both
    learner.eval()
    learner.network.regularity = 1.0
    assert float(learner(pair)["smoothness"]) == pytest.approx(10)
    assert "smoothness" not in BothWays(VoxelMorph(2, filters=(4, 4)))(pair)


@pytest.mark.parametrize("learn", ["all", "velocity"])
def test_a_guide_that_is_not_learned_keeps_the_statistics_of_its_norms(learn: str) -> None:
    network = VoxelMorph(2, filters=(4, 4), guide=CoarseGuide(2, 2, filters=(4, 4), norm="batch"))
    before = {name: value.clone() for name, value in network.named_buffers()}
    BothWays(network, learn=learn).train()(torch.rand(1, 2, 16, 16))
    kept = all(torch.equal(before[name], value) for name, value in network.named_buffers())
    assert kept == (learn == "velocity")


def test_the_regularity_for_a_factor_gives_it_back() -> None:
    assert [smoothness_factor(regularity_for(factor)) for factor in (0.1, 0.7, 10)] == pytest.approx([0.1, 0.7, 10])
    assert regularity_for(1) == 0.5
