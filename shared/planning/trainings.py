"""Which networks are trained of a plan, within one budget: options of the command."""

import argparse
from dataclasses import dataclass

from shared.errors import InputError

SHARES = (0.25, 0.5)  # of the training cases, besides all of them, that the learning curve rests on
WITHOUT_FOLDS = {"registration"}  # tasks whose train.json has no --fold


@dataclass(frozen=True)
class Trainings:
    """folds: networks, each validated on another part of the cases; 1: on the usual one.

    ensemble: whether the bundle's network is their mean. learning_curve: whether one is trained on each of SHARES, too.
    """

    folds: int = 1
    ensemble: bool = False
    learning_curve: bool = False

    @property
    def number(self) -> int:
        """Of trainings, which share the budget equally."""
        return self.folds + len(SHARES) * self.learning_curve


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folds", type=int, default=1, metavar="K", help="train K networks and cross-validate them")
    parser.add_argument("--ensemble", action="store_true", help="the mean of the K is the bundle's; segmentation")
    parser.add_argument(
        "--learning_curve", action="store_true",
        help="estimate what twice the data would bring, by two more trainings; all share the budget",
    )  # fmt: skip


def trainings_of(arguments: argparse.Namespace, task: str) -> Trainings:
    """Raises InputError for options that do not go together, or not with the task."""
    chosen = Trainings(arguments.folds, arguments.ensemble, arguments.learning_curve)
    if chosen != Trainings() and not arguments.train:
        raise InputError("--train", expected="a training, which the options ask for", got="none", fix="add --train")
    if chosen.folds < 1:
        raise InputError("--folds", expected="1 or more", got=chosen.folds, fix="correct it")
    if chosen.folds > 1 and task in WITHOUT_FOLDS:
        raise InputError("--folds", expected="another task", got=task, fix="leave it out: its train.json has no --fold")
    if chosen.ensemble and task != "segmentation":
        fix = "leave it out: boxes, outlines and fields of several networks are not averaged"
        raise InputError("--ensemble", expected="a segmentation", got=task, fix=fix)
    if chosen.ensemble and chosen.folds == 1:
        raise InputError("--ensemble", expected="several networks", got="one", fix="add --folds 5")
    return chosen
