from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from shared.layers.regions import RegionHead
from shared.nets.mask_rcnn import MaskRCNN, build_mask_rcnn

TINY = {
    "filters": (8, 16, 16, 16), "repeats": (1, 1, 1, 1), "channels": 16, "candidates": 60, "proposals": 30,
    "detections": 12,
}  # fmt: skip


def tiny(dims: int, classes: int = 2, seed: int = 0) -> MaskRCNN:
    """With weights that are sure of something, so that there are instances to compare."""
    torch.manual_seed(seed)
    net = build_mask_rcnn(dims, 3, classes, **TINY).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for layer, factor in ((net.box_head.logits, 5), (net.region_head.logits, 20), (net.box_head.codes, 100)):
            layer.weight.mul_(factor)  # type: ignore[operator, union-attr]
    return net


@pytest.mark.parametrize("size", [(64, 96), (50, 33), (17, 16), (32, 40, 24)])
def test_images_of_any_size_give_as_many_places_the_surest_first_and_zeros_after_the_last(
    size: tuple[int, ...],
) -> None:
    dims = len(size)
    with torch.no_grad():
        found = tiny(dims)(torch.rand(2, 3, *size))
    assert found.boxes.shape == (2, 12, 2 * dims)
    assert found.scores.shape == found.labels.shape == (2, 12)
    assert found.masks.shape == (2, 12, *[28] * dims)
    for boxes, scores, labels, masks, count in zip(*found):
        assert 0 < int(count) <= 12
        assert (scores[:count] > 0).all()
        assert torch.equal(scores, scores.sort(descending=True)[0])
        assert not boxes[count:].any()
        assert not scores[count:].any()
        assert not masks[count:].any()
        assert set(labels.tolist()) <= {0, 1}
        low, high = boxes[:count].chunk(2, dim=1)
        assert (low >= 0).all()
        assert (high <= torch.tensor(size)).all()
        assert ((masks >= 0) & (masks <= 1)).all()


def test_boxes_of_one_class_do_not_cover_each_other_and_those_of_two_may() -> None:
    net = tiny(2)
    proposed = torch.tensor([[[10.0, 10, 30, 30], [11.0, 10, 31, 30], [40.0, 40, 60, 60]]])
    logits = torch.tensor([[[0.0, 5, 1], [0.0, 4, 3], [3.0, 1, 2]]])  # of background, first and second class
    likely, size = torch.ones(1, 3), torch.Size([64, 64])
    boxes, scores, labels = net.detect(proposed, likely, logits, torch.zeros(1, 3, 4), size)
    likelihoods = logits[0].softmax(dim=1)
    # Of the two that cover each other, the first class's surest is the one, the second class's surest the other.
    expected = [(0, 0), (1, 1), (2, 1), (2, 0)]
    assert torch.equal(labels[0, :4], torch.tensor([label for _, label in expected]))
    torch.testing.assert_close(scores[0, :4], torch.stack([likelihoods[box, label + 1] for box, label in expected]))
    torch.testing.assert_close(boxes[0, :4], proposed[0, [box for box, _ in expected]])
    assert not scores[0, 4:].any()
    likely[0, 2] = 0  # what is no proposal is nothing, whatever the head says of it
    boxes, scores, _ = net.detect(proposed, likely, logits, torch.zeros(1, 3, 4), size)
    torch.testing.assert_close(boxes[0, :2], proposed[0, :2])
    assert not scores[0, 2:].any()
    assert not boxes[0, 2:].any()


def test_a_proposal_a_quarter_as_likely_scores_half() -> None:
    net, proposed = tiny(2), torch.tensor([[[10.0, 10, 30, 30]]])
    logits, size = torch.tensor([[[0.0, 5, 1]]]), torch.Size([64, 64])
    whole, quarter = (
        net.detect(proposed, torch.full((1, 1), likely), logits, torch.zeros(1, 1, 4), size)[1] for likely in (0.8, 0.2)
    )
    torch.testing.assert_close(quarter, whole / 2)
    assert float(whole[0, 0]) > 0.8


def test_a_score_is_the_likelihood_of_the_class_times_that_of_the_mask() -> None:
    net, image = tiny(2, classes=1), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        net.get_parameter("mask_head.8.weight").zero_()
        found = {}
        for logit in (20.0, 0.847298, -3.0):  # of 1, 0.7 and 0.047
            net.get_parameter("mask_head.8.bias").fill_(logit)
            found[logit] = net(image)
    torch.testing.assert_close(found[0.847298].scores, 0.7 * found[20.0].scores, rtol=1e-4, atol=0)
    assert int(found[-3.0].number) == 0  # no pixel is above 1/2


def test_the_heads_answers_are_in_the_order_of_the_anchors() -> None:
    """A head that answers with the place it is asked at: the anchor of each answer is at that place."""
    net = tiny(2, classes=1)

    class Places(torch.nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            places = torch.meshgrid(*(torch.arange(s) + 0.5 for s in features.shape[2:]), indexing="ij")
            return torch.stack(places)[None]

    class Logits(torch.nn.Module):
        def forward(self, places: Tensor) -> Tensor:
            return torch.stack([places[:, 0], places[:, 0] + 1000], dim=1)

    class Codes(torch.nn.Module):
        def forward(self, places: Tensor) -> Tensor:
            return places.repeat(1, 4, 1, 1)

    net.region_head = RegionHead(2, 16, anchors=2)
    net.region_head.shared, net.region_head.logits, net.region_head.codes = Places(), Logits(), Codes()  # type: ignore[assignment]
    regions = net.regions(net.features(torch.rand(1, 3, 64, 32)))
    assert regions.counts == [16 * 8, 8 * 4, 4 * 2]
    low, high = regions.anchors.chunk(2, dim=1)
    strides = torch.cat([torch.full((2 * count,), s) for s, count in zip((4, 8, 16), regions.counts)])
    centres = (low + high) / 2 / strides[:, None]
    torch.testing.assert_close(regions.codes[0, :, :2], centres)
    torch.testing.assert_close(regions.logits[0] % 1000, centres[:, 0])
    sides = (high - low)[:, 0]
    assert sorted(set(sides[regions.logits[0] < 1000].tolist())) == [8, 22, 60]  # the first anchor of each level
    assert sorted(set(sides[regions.logits[0] > 1000].tolist())) == [14, 36, 100]


@pytest.mark.parametrize("fixed", [True, False])
def test_an_export_looks_at_the_masks_of_all_places_or_of_those_with_a_score_and_gives_the_same(
    fixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, image, masks_of = tiny(2), torch.rand(2, 3, 64, 96), []
    look, detect = net.look, net.detect

    def five_found(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        boxes, scores, labels = detect(*arguments)
        return boxes, scores * (torch.arange(12) < 5), labels

    def counted(maps: Sequence[Tensor], boxes: Tensor, *, bins: int) -> Tensor:
        masks_of.extend([boxes.shape[1]] if bins == 14 else [])
        return look(maps, boxes, bins=bins)

    monkeypatch.setattr(net, "look", counted)
    monkeypatch.setattr(net, "detect", five_found)
    net.faint = 0.0
    with torch.no_grad():
        expected = net(image)
        net.exports_fixed = fixed
        monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
        found = net(image)
    assert masks_of == [5, 12 if fixed else 5]
    torch.testing.assert_close(found.masks, expected.masks)
    torch.testing.assert_close(found.scores, expected.scores)


@pytest.mark.parametrize("dims", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_onnxruntime_gives_the_same_from_one_static_graph(dims: int, tmp_path: Path) -> None:
    net, size = tiny(dims), (64, 48, 32)[:dims]
    torch.onnx.export(
        net, (torch.rand(1, 3, *size),), str(tmp_path / "net.onnx"), input_names=["image"], opset_version=20,
        dynamo=True, verbose=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    image = torch.rand(1, 3, *size)
    with torch.no_grad():
        expected = net(image)
    given = session.run(None, {"image": image.numpy()})
    assert int(expected.number[0]) > 3  # it is about something
    for name, ours, theirs in zip(expected._fields, expected, given):
        # float32 sums in another order: boxes of tens of pixels, the rest from 0 to 1.
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=0, atol=1e-3, err_msg=name)


def test_anchors_that_do_not_fit_the_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="anchor sizes"):
        build_mask_rcnn(2, 3, 1, anchor_sizes=((8, 14), (22, 36)))
