"""A training step of Mask R-CNN, on drawn discs."""

import numpy as np
import torch

from shared.detection.greedy import overlaps
from shared.nets.mask_rcnn import MaskRCNN, build_mask_rcnn
from shared.tasks.instances.inferer import TiledInstances
from shared.tasks.instances.learner import MaskRCNNLearner, prepare_instances
from shared.tasks.instances.losses import total_loss
from shared.tasks.instances.metrics import average_precision
from shared.tasks.instances.transforms import InstancesToTruthd, collate_instances


def discs(size: int = 64) -> tuple[torch.Tensor, np.ndarray]:
    """An image (3, size, size) of bright discs, two of which touch, and its ids."""
    rows, columns = np.indices((size, size))
    ids = np.zeros((size, size), dtype=np.int32)
    for number, (r, c, radius) in enumerate(((14, 14, 7), (16, 44, 9), (44, 20, 11), (44, 40, 9)), start=1):
        ids[(rows - r) ** 2 + (columns - c) ** 2 <= radius**2] = number
    noise = np.random.default_rng(0).normal(0, 0.1, (3, size, size))
    return torch.as_tensor(np.where(ids > 0, 0.5 + 0.1 * ids, -0.8) + noise, dtype=torch.float32), ids


def batch_of(image: torch.Tensor, ids: np.ndarray, count: int = 1) -> dict:
    sample = InstancesToTruthd("label")({"image": image, "label": torch.as_tensor(ids)[None]})
    return collate_instances([sample] * count)


def learned(image: torch.Tensor, ids: np.ndarray, *, steps: int, masks: bool) -> MaskRCNN:
    """A network that has learned one image, after `steps`; its loss has fallen to less than a third."""
    torch.manual_seed(0)
    net = build_mask_rcnn(
        2, 3, 1, filters=(16, 32, 32), repeats=(1, 1, 1), channels=32, anchor_sizes=((14, 20), (28, 40)), masks=masks,
        candidates=100, proposals=40, detections=20,
    )  # fmt: skip
    learner = MaskRCNNLearner(net, positives=12, negatives=12)
    inputs, _, _, truth = prepare_instances(batch_of(image, ids))
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        terms = learner(inputs, **truth)
        assert set(terms) == {"regions", "classes", "boxes", *(["masks"] if masks else [])}
        loss = total_loss(terms)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    # Measured with masks: from 4.2 to 0.9; what is left is the entropy of pixels that a border crosses.
    assert np.mean(losses[-10:]) < losses[0] / 3
    return net.eval()


def test_the_loss_falls_and_what_was_learned_is_found() -> None:
    image, ids = discs()
    net = learned(image, ids, steps=120, masks=True)
    with torch.no_grad():
        found = TiledInstances([64, 64])(image[None], net)
    assert average_precision(found["ids"][0].numpy(), ids[None], [0.5, 0.7]).tolist() == [1, 1]


def test_an_empty_image_and_a_full_one_train_together() -> None:
    torch.manual_seed(0)
    image, ids = discs()
    samples = [
        InstancesToTruthd("label")({"image": image, "label": torch.as_tensor(i)[None]})
        for i in (ids, np.zeros_like(ids))
    ]
    inputs, _, _, truth = prepare_instances(collate_instances(samples))
    net = build_mask_rcnn(2, 3, 1, filters=(8, 8, 8, 8), repeats=(1, 1, 1, 1), channels=8)
    terms = MaskRCNNLearner(net)(inputs, **truth)
    assert set(terms) == {"regions", "classes", "boxes", "masks"}
    total_loss(terms).backward()
    gradients = {name: p.grad for name, p in net.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(g.isfinite().all() for g in gradients.values() if g is not None)


def test_masks_are_learned_of_their_own_class() -> None:
    """Of two classes' masks the loss has a gradient for the one that the objects are of, alone."""
    torch.manual_seed(0)
    image, ids = discs()
    inputs, _, _, truth = prepare_instances(batch_of(image, ids))
    truth["truth"]["classes"] += 1
    net = build_mask_rcnn(2, 3, 2, filters=(8, 8, 8, 8), repeats=(1, 1, 1, 1), channels=8)
    MaskRCNNLearner(net)(inputs, **truth)["masks"].backward()
    gradient = net.get_parameter("mask_head.8.weight").grad
    assert gradient is not None
    assert not gradient[0].any()
    assert gradient[1].any()


def test_without_masks_boxes_are_learned_and_found() -> None:
    """Faster R-CNN: the same parts but for the mask head."""
    image, ids = discs()
    net = learned(image, ids, steps=80, masks=False)
    with torch.no_grad():
        found = net(image[None])
    assert found.masks.shape == (1, 20, 1, 1)
    assert (found.masks[0, : int(found.number)] == 1).all()
    truth = prepare_instances(batch_of(image, ids))[3]["truth"]
    boxes, true = found.boxes[0][found.scores[0] > 0.5].numpy(), truth["boxes"][0].numpy()
    assert len(boxes) == len(true)
    assert overlaps(true[:, None], boxes[None]).max(axis=1).min() > 0.7
