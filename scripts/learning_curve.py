"""Measure how much brain_mr_voxelmorph_registration learns from few and from many subjects.

Trains a network by its train.json on each number of subjects, all for the same steps, and scores each by evaluate.json
on the same validation subjects, without and with refinement. What is done is not done again, so a study that was
stopped goes on where it was. Any option of train.json may be given besides, such as --pairs_per_epoch 1000.
"""

import argparse
from functools import partial
from pathlib import Path

from monai_bundle_zoo import ROOT
from shared.errors import report_input_errors_in_one_line
from shared.studies.running import budget_of, command_of, report_into, study_arguments, study_parser
from shared.studies.subjects_curve import SubjectsCurve, write_report

BUNDLE = ROOT / "bundles" / "brain_mr_voxelmorph_registration"


def parse() -> argparse.Namespace:
    parser = study_parser(__doc__, output_dir="outputs/subjects_curve", max_epochs=5)
    parser.add_argument("--dataset_dir", type=Path, default=ROOT / "data" / "oasis2d", help="labelled subjects")
    parser.add_argument("--subjects", type=int, nargs="+", default=[10, 25, 50, 100, 0], help="to train on; 0: all")
    parser.add_argument("--validation_subjects", type=int, default=0, help="of the validation split; 0: all")
    parser.add_argument("--steps", type=int, default=50, help="of refinement")
    parser.add_argument("--filters", type=int, nargs="+", default=[32, 48, 64, 96], help="of each level")
    return study_arguments(parser)


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parse()
    curve = SubjectsCurve(
        BUNDLE, arguments.output_dir.resolve(), arguments.dataset_dir.resolve(), arguments.max_epochs,
        arguments.filters, arguments.steps, arguments.validation_subjects, arguments.threads, arguments.options,
    )  # fmt: skip
    counts = {count or len(curve.parts()["training"]) for count in arguments.subjects}
    scores = {count: curve.scores(count) for count in sorted(counts)}
    budget = budget_of(BUNDLE, arguments.max_epochs, arguments.filters, arguments.options)
    write = partial(
        write_report, scores=scores, steps=arguments.steps, budget=budget, command=command_of("learning_curve")
    )
    report_into(arguments, write)


if __name__ == "__main__":
    main()
