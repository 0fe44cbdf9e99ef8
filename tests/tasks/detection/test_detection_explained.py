import torch

from shared.tasks.detection.explained import DetectionReading

READING = DetectionReading(class_names=["a", "b"], threshold={"a": 0.4, "b": 0.6}, overlap=0.5, most=300)


def found(*rows: tuple[float, float, float]) -> torch.Tensor:
    """(1, 6, N): boxes of 10 × 10 pixels from a place on, and their scores of both classes."""
    return torch.tensor([[x, x, x + 10, x + 10, a, b] for x, a, b in rows]).T[None]


def test_an_object_counts_once_and_by_the_threshold_of_its_class() -> None:
    # Two boxes upon each other, one of class "b" below its threshold, and one above it.
    assert READING.amounts(found((0, 0.9, 0), (1, 0.8, 0), (30, 0, 0.5), (60, 0, 0.7))).tolist() == [1, 1]


def test_evidence_is_the_sum_of_scores_and_agreement_that_of_counts() -> None:
    answer, fainter = found((0, 0.9, 0), (30, 0.5, 0)), found((0, 0.9, 0), (30, 0.3, 0))
    torch.testing.assert_close(READING.evidence(fainter, answer), torch.tensor([[1.2, 0.0]]))
    assert READING.agreement(answer, answer) == 1
    assert READING.agreement(fainter, answer) == 0.5  # one of two is left
