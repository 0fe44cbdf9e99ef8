"""Options of the trainings that follow a plan: what goes together, and what of the budget each has."""

import argparse

import pytest

from shared.errors import InputError
from shared.planning.budget import budget_of
from shared.planning.trainings import Trainings, add_options, trainings_of


def chosen(task: str, *options: str) -> Trainings:
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", action="store_true")
    add_options(parser)
    return trainings_of(parser.parse_args(options), task)


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("segmentation", ["--folds", "5"], "--train: expected a training"),
        ("segmentation", ["--train", "--folds", "0"], "--folds: expected 1 or more, got 0"),
        ("registration", ["--train", "--folds", "2"], "--folds: expected another task, got registration"),
        ("segmentation", ["--train", "--ensemble"], "--ensemble: expected several networks, got one"),
        ("detection", ["--train", "--folds", "3", "--ensemble"], "--ensemble: expected a segmentation, got detection"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_a_line(task: str, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen(task, *options)


def test_every_training_has_the_same_share_of_the_budget() -> None:
    trainings = chosen("segmentation", "--train", "--folds", "3", "--ensemble", "--learning_curve")
    assert trainings.number == 5  # three folds, a quarter and a half of the cases
    assert budget_of("50m").shared_by(trainings.number).seconds == 600
    assert budget_of("50m").shared_by(trainings.number).text == "50m / 5"
    assert budget_of("50m").shared_by(chosen("segmentation").number) == budget_of("50m")
    assert budget_of("gpu").shared_by(5).seconds is None
