"""What two sites of unlike data learn together, beside what each learns alone and what one with all of the data does.

The sites have the smallest and the largest hippocampi of a labelled data set. What is done is not done again.
"""

import argparse
from pathlib import Path

from monai_bundle_zoo import ROOT
from shared.errors import report_input_errors_in_one_line
from shared.studies.federated import NETWORK, Federation, write_report
from shared.studies.running import command_of
from shared.studies.sites import KINDS, halves

BUNDLE = ROOT / "bundles" / "hippocampus_mr_segmentation"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--dataset_dir", type=Path, required=True, help="labelled volumes, such as Task04_Hippocampus")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/federated"))
    parser.add_argument("--docs_dir", type=Path, help="where the report goes, else --output_dir")
    parser.add_argument("--cases", type=int, default=64, help="half of them the smallest, half the largest")
    parser.add_argument(
        "--rounds", type=int, default=3, help="after each the sites' weights are replaced by their mean"
    )
    parser.add_argument("--epochs", type=int, default=4, help="of a round")
    return parser.parse_args()


def main() -> None:
    report_input_errors_in_one_line()
    options = parse()
    folder = options.output_dir.resolve()
    sets = halves(options.dataset_dir, folder / "data", cases=options.cases)
    federation = Federation(BUNDLE, folder, options.rounds, options.epochs, NETWORK)
    sites = {"together": [sets[kind] for kind in KINDS], **{name: [sets[name]] for name in (*KINDS, "all")}}
    weights = {name: federation.learned(name, data) for name, data in sites.items()}
    scores = {name: federation.scores(path, sets["test"]) for name, path in weights.items()}
    command = command_of("reproduce_federated", "--dataset_dir", "Task04_Hippocampus")
    print(write_report(options.docs_dir or folder, scores, federation, cases=options.cases, command=command))


if __name__ == "__main__":
    main()
