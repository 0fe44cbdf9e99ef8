"""Put brain_anycontrast_segmentation to the test on real heads that are made worse, and on what is no head.

Dice against slice thickness, noise, bias field, rotation, field of view and inverted contrast, and whether the quality
in summary.csv tells which cases failed. With --label_maps also a learning curve: small networks, trained from --maps of
them. What is done is not done again, but by other weights, so a run that was stopped goes on where it was.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from monai_bundle_zoo import ROOT
from shared.door import open_bundle
from shared.errors import report_input_errors_in_one_line
from shared.files import sha256_of
from shared.images.cases import find_labelled_cases
from shared.studies.learning_curve import Curve
from shared.studies.learning_curve import write_report as write_curve
from shared.studies.robustness import answers, chosen
from shared.studies.robustness_report import write_report
from shared.synthesis.ranges import Ranges

BUNDLE = ROOT / "bundles" / "brain_anycontrast_segmentation"
COMMAND = "python scripts/reproduce_brains.py --dataset_dir DIR"  # as reports name it, without folders of this machine
Report = Callable[[Path], str]  # writes it into a folder, and returns its text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--dataset_dir", type=Path, required=True, help="heads with labels, as evaluate.json takes them; NAME_CONTRAST"
    )
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/brains"))
    parser.add_argument("--docs_dir", type=Path, help="gets the report, too")
    parser.add_argument("--weights", type=Path, default=BUNDLE / "models" / "model.pt")
    parser.add_argument("--heads", type=int, default=4, help="of each contrast, 19 answers each; 0: all")
    parser.add_argument("--device", help="where the network runs: the GPU, if there is one")
    parser.add_argument("--label_maps", type=Path, help="a folder of them: the learning curve is made, too")
    parser.add_argument("--maps", type=int, nargs="+", default=[1, 5, 20], help="how many of them each network gets")
    parser.add_argument("--epochs", type=int, default=300, help="of 200 images, of each network; 20 teach it nothing")
    parser.add_argument("--threads", type=int, default=1, help="of training")
    return parser.parse_args()


def robustness(arguments: argparse.Namespace) -> Report:
    device = {"device": arguments.device} if arguments.device else {}
    opened = open_bundle(BUNDLE, weights=str(arguments.weights), **device)
    heads = chosen(find_labelled_cases(arguments.dataset_dir), arguments.heads)
    table, weights = arguments.output_dir / "answers.csv", sha256_of(arguments.weights)[:12]
    lists = tqdm(answers(opened, heads, table, weights=weights), total=len(heads) + 1, unit="head", desc="answers")
    return partial(
        write_report, answers=[answer for each in lists for answer in each], knots=Ranges().bias_spacing,
        lowest_quality=opened.part("lowest_quality"), command=f"{COMMAND} --heads {arguments.heads}",
    )  # fmt: skip


def learning_curve(arguments: argparse.Namespace) -> Report:
    curve = Curve(
        BUNDLE, arguments.output_dir / "trainings", arguments.label_maps, arguments.dataset_dir,
        epochs=arguments.epochs, threads=arguments.threads,
    )  # fmt: skip
    scores = {count: curve.scores(count) for count in tqdm(arguments.maps, unit="network", desc="learning curve")}
    options = f"--label_maps DIR --maps {' '.join(map(str, arguments.maps))} --epochs {arguments.epochs}"
    return partial(write_curve, scores=scores, epochs=arguments.epochs, command=f"{COMMAND} {options}")


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parse()
    reports = [robustness(arguments), *([learning_curve(arguments)] if arguments.label_maps else [])]
    for report in reports:
        for folder in {arguments.output_dir, arguments.docs_dir or arguments.output_dir}:
            text = report(folder)
        print(text)


if __name__ == "__main__":
    main()
