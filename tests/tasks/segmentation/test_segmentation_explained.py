import math

import torch

from shared.tasks.segmentation.explained import SegmentationReading

# Four voxels of three classes: 0, 1, 1, 2, each surer of its class by 1 than of the others.
ANSWER = torch.eye(3)[[0, 1, 1, 2]].T[None]


def test_the_background_is_counted_where_it_is_a_class_like_others() -> None:
    assert SegmentationReading().amounts(ANSWER).tolist() == [0, 2, 1]
    assert SegmentationReading(include_background=True).amounts(ANSWER).tolist() == [1, 2, 1]


def test_evidence_is_the_mean_log_likelihood_over_what_the_answer_has_of_a_class() -> None:
    own, other = 1 - math.log(math.e + 2), -math.log(math.e + 2)  # softmax of (1, 0, 0)
    evidence = SegmentationReading().evidence(torch.cat([ANSWER, ANSWER.roll(1, dims=2)]), ANSWER)
    expected = torch.tensor([[own, own, own], [other, (own + other) / 2, other]])  # rolled: 2, 0, 1, 1
    torch.testing.assert_close(evidence, expected)


def test_agreement_is_the_mean_dice_of_the_classes_that_are_there() -> None:
    reading = SegmentationReading()
    assert reading.agreement(ANSWER, ANSWER) == 1
    # Rolled by one: of class 1 one voxel of two is the same, of class 2 none.
    torch.testing.assert_close(reading.agreement(ANSWER.roll(1, dims=2), ANSWER), 0.25)
