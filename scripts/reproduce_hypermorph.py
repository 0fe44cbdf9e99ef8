"""Put HyperMorph's claim to the test in 2D: one network for any weight of smoothness against one a weight.

Trains, by brain_mr_voxelmorph_registration's train.json and without labels, a network for each of --lambdas and one
that takes them as an input, all for the same epochs, and scores each at its own, the one at all, by evaluate.json on
the validation split. What is done is not done again, so a study that was stopped goes on where it was. Any option of
train.json may be given besides, such as --pairs_per_epoch 1000.
"""

import argparse
import shlex
import sys
from pathlib import Path

from monai_bundle_zoo import ROOT
from shared.errors import report_input_errors_in_one_line
from shared.studies.hypermorph import BASE, LARGEST, SMALLEST, HyperMorph
from shared.studies.hypermorph_report import write_report
from shared.studies.running import arguments_without, budget_of, options_of

BUNDLE = ROOT / "bundles" / "brain_mr_voxelmorph_registration"
UNSUPERVISED = {"overlap": 0.0}  # with labels in the loss, λ would weight against them, too
FOLDERS = ("--dataset_dir", "--output_dir", "--docs_dir")  # which a report does not name


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--dataset_dir", type=Path, default=ROOT / "data" / "oasis2d", help="as train.json takes it")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/hypermorph_study"))
    parser.add_argument("--docs_dir", type=Path, help="gets the report, too")
    parser.add_argument(
        "--lambdas", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
        help=f"weights of smoothness, from {SMALLEST:g} to {LARGEST:g}; that of train.json is {BASE:g}",
    )  # fmt: skip
    parser.add_argument("--max_epochs", type=int, default=3, help="of each network")
    parser.add_argument("--filters", type=int, nargs="+", default=[32, 48, 64, 96], help="of each level")
    parser.add_argument("--threads", type=int, default=1, help="of training and scoring")
    arguments, rest = parser.parse_known_args()
    arguments.options = {**UNSUPERVISED, **dict(options_of(rest))}
    return arguments


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parse()
    study = HyperMorph(
        BUNDLE, arguments.output_dir.resolve(), arguments.dataset_dir.resolve(), arguments.max_epochs,
        arguments.filters, arguments.threads, arguments.options,
    )  # fmt: skip
    measured = study.measured(arguments.lambdas)
    command = shlex.join(["python", "scripts/reproduce_hypermorph.py", *arguments_without(FOLDERS, sys.argv[1:])])
    budget = budget_of(BUNDLE, arguments.max_epochs, arguments.filters, arguments.options)
    for folder in {arguments.output_dir, arguments.docs_dir or arguments.output_dir}:
        text = write_report(folder, measured, budget=budget, command=command)
    print(text)


if __name__ == "__main__":
    main()
