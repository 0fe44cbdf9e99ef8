"""Measure how much brain_mr_voxelmorph_registration learns from few and from many subjects.

Trains a network by its train.json on each number of subjects, all for the same steps, and scores each by evaluate.json
on the same validation subjects, without and with refinement. What is done is not done again, so a study that was
stopped goes on where it was. Any option of train.json may be given besides, such as --pairs_per_epoch 1000.
"""

import argparse
import shlex
import sys
from pathlib import Path

from monai_bundle_zoo import ROOT
from shared.errors import report_input_errors_in_one_line
from shared.studies.running import arguments_without, budget_of, options_of
from shared.studies.subjects_curve import SubjectsCurve, write_report

BUNDLE = ROOT / "bundles" / "brain_mr_voxelmorph_registration"
FOLDERS = ("--dataset_dir", "--output_dir", "--docs_dir")  # which a report does not name


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--dataset_dir", type=Path, default=ROOT / "data" / "oasis2d", help="labelled subjects")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/subjects_curve"))
    parser.add_argument("--docs_dir", type=Path, help="gets the report, too")
    parser.add_argument("--subjects", type=int, nargs="+", default=[10, 25, 50, 100, 0], help="to train on; 0: all")
    parser.add_argument("--validation_subjects", type=int, default=0, help="of the validation split; 0: all")
    parser.add_argument("--steps", type=int, default=50, help="of refinement")
    parser.add_argument("--max_epochs", type=int, default=5, help="of each network")
    parser.add_argument("--filters", type=int, nargs="+", default=[32, 48, 64, 96], help="of each level")
    parser.add_argument("--threads", type=int, default=1, help="of training and scoring")
    arguments, rest = parser.parse_known_args()
    arguments.options = dict(options_of(rest))
    return arguments


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parse()
    curve = SubjectsCurve(
        BUNDLE, arguments.output_dir.resolve(), arguments.dataset_dir.resolve(), arguments.max_epochs,
        arguments.filters, arguments.steps, arguments.validation_subjects, arguments.threads, arguments.options,
    )  # fmt: skip
    counts = {count or len(curve.parts()["training"]) for count in arguments.subjects}
    scores = {count: curve.scores(count) for count in sorted(counts)}
    command = shlex.join(["python", "scripts/learning_curve.py", *arguments_without(FOLDERS, sys.argv[1:])])
    budget = budget_of(BUNDLE, arguments.max_epochs, arguments.filters, arguments.options)
    for folder in {arguments.output_dir, arguments.docs_dir or arguments.output_dir}:
        text = write_report(folder, scores, steps=arguments.steps, budget=budget, command=command)
    print(text)


if __name__ == "__main__":
    main()
