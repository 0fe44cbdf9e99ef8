"""Score labels that are carried from image to image by way of a frame: register each to it, and go back from it.

python scripts/score_through.py DATA --bundle brain_anycontrast_registration --frame mni152 --direct
prints the mean Dice over the pairs of DATA's pairs.csv, or of a ring of its images, and writes a row a pair. Any option
of the bundle's inference.json may be given besides, such as --refine_steps 0.
"""

import argparse
from pathlib import Path

import monai_bundle_zoo  # noqa: F401 (after it shared can be imported)
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import report_input_errors_in_one_line
from shared.files import GrowingTable
from shared.studies.registering import registration_by
from shared.studies.running import options_of
from shared.studies.through_frame import rows_through
from shared.tasks.registration.subjects import select_pairs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=Path, help="a folder of images with label maps")
    parser.add_argument("--bundle", default="brain_anycontrast_registration", help="what registers, or syn: antspyx's")
    parser.add_argument("--frame", default="", help="a file, or mni152; default: the bundle's own template")
    parser.add_argument("--direct", action="store_true", help="also register the pairs to one another")
    parser.add_argument("--part", default="all", help="of the images: all, training or validation")
    parser.add_argument("--pairs", type=int, help="so many of them, the first")
    parser.add_argument("--label_suffix", default="", help="chooses one of several label maps of an image")
    parser.add_argument("--output", type=Path, default=Path("outputs/through.csv"))
    report_input_errors_in_one_line()
    arguments, rest = parser.parse_known_args()
    pairs = select_pairs(arguments.data, part=arguments.part, label_suffix=arguments.label_suffix)[: arguments.pairs]
    options = dict(options_of(rest))
    to_frame = registration_by(arguments.bundle, options, frame=arguments.frame)
    directly = registration_by(arguments.bundle, options) if arguments.direct else None
    table, rows = GrowingTable(arguments.output, []), []
    for row in rows_through(pairs, to_frame, directly=directly):
        table.add(row)
        rows.append(row)
    figures = [name for name in table.columns if name != "case"]
    means = [{"figure": name, **summarise([row[name] for row in rows])} for name in figures]
    print(format_table(means, ["figure", *STATISTICS]))


if __name__ == "__main__":
    main()
