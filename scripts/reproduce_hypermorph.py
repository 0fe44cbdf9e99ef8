"""Put HyperMorph's claim to the test in 2D: one network for any weight of smoothness against one a weight.

Trains, by brain_mr_voxelmorph_registration's train.json and without labels, a network for each of --lambdas and one
that takes them as an input, all for the same epochs, and scores each at its own, the one at all, by evaluate.json on
the validation split. What is done is not done again, so a study that was stopped goes on where it was. Any option of
train.json may be given besides, such as --pairs_per_epoch 1000.
"""

import argparse
from functools import partial
from pathlib import Path

from monai_bundle_zoo import ROOT
from shared.errors import report_input_errors_in_one_line
from shared.studies.hypermorph import BASE, LARGEST, SMALLEST, HyperMorph
from shared.studies.hypermorph_report import write_report
from shared.studies.running import budget_of, command_of, report_into, study_arguments, study_parser

BUNDLE = ROOT / "bundles" / "brain_mr_voxelmorph_registration"
UNSUPERVISED = {"overlap": 0.0}  # with labels in the loss, λ would weight against them, too


def parse() -> argparse.Namespace:
    parser = study_parser(__doc__, output_dir="outputs/hypermorph_study", max_epochs=3)
    parser.add_argument("--dataset_dir", type=Path, default=ROOT / "data" / "oasis2d", help="as train.json takes it")
    parser.add_argument(
        "--lambdas", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
        help=f"weights of smoothness, from {SMALLEST:g} to {LARGEST:g}; that of train.json is {BASE:g}",
    )  # fmt: skip
    parser.add_argument("--filters", type=int, nargs="+", default=[32, 48, 64, 96], help="of each level")
    arguments = study_arguments(parser)
    arguments.options = UNSUPERVISED | arguments.options
    return arguments


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parse()
    study = HyperMorph(
        BUNDLE, arguments.output_dir.resolve(), arguments.dataset_dir.resolve(), arguments.max_epochs,
        arguments.filters, arguments.threads, arguments.options,
    )  # fmt: skip
    measured = study.measured(arguments.lambdas)
    budget = budget_of(BUNDLE, arguments.max_epochs, arguments.filters, arguments.options)
    command = command_of("reproduce_hypermorph")
    report_into(arguments, partial(write_report, measured=measured, budget=budget, command=command))


if __name__ == "__main__":
    main()
