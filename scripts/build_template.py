"""Build a template of images without learning one: register all to their mean, again and again.

python scripts/build_template.py DATA --bundle brain_mr_nodeo_registration --rounds 4 --output_dir outputs/built
writes template.nii.gz and a row a round: how far the template was from the middle of the images (the length of the mean
displacement, in voxels), how much they differed from their mean when moved to it, and seconds. Any option of the
bundle's inference.json may be given besides. --bundle syn: by antspyx, which builds in its own way.
"""

import argparse
import time
from pathlib import Path

import monai_bundle_zoo  # noqa: F401 (after it shared can be imported)
from shared.engine.tables import format_table
from shared.errors import report_input_errors_in_one_line
from shared.files import GrowingTable
from shared.images.file import ImageFile
from shared.spatial.itk import to_itk
from shared.studies import syn
from shared.studies.registering import SYN, registration_by
from shared.studies.running import options_of
from shared.tasks.registration.alignment import ALIGNMENTS
from shared.tasks.registration.registered import write_on
from shared.tasks.registration.subjects import select_subjects
from shared.tasks.registration.templates.groupwise import mean_of_aligned, rounds_of


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=Path, help="a folder of images")
    parser.add_argument("--bundle", default="brain_mr_nodeo_registration", help="what registers")
    parser.add_argument("--affine", choices=ALIGNMENTS, default="none", help="how images are aligned first")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--part", default="all", help="of the images: all, training or validation")
    parser.add_argument("--count", type=int, help="so many of them, the first")
    parser.add_argument("--label_suffix", default="", help="chooses one of several label maps of an image")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/built_template"))
    arguments, rest = parser.parse_known_args()
    arguments.options = dict(options_of(rest))
    return arguments


def build(arguments: argparse.Namespace) -> ImageFile:
    """The last template. Its rounds are written into a table, and printed."""
    subjects = select_subjects(arguments.data, part=arguments.part, label_suffix=arguments.label_suffix)
    subjects = subjects[: arguments.count]
    if arguments.bundle == SYN:
        return syn.build(subjects, arguments.rounds)
    register = registration_by(arguments.bundle, {"affine": arguments.affine, **arguments.options})
    template, table = mean_of_aligned(subjects, arguments.affine), GrowingTable(arguments.output_dir / "rounds.csv", [])
    started = time.perf_counter()
    for number, (group, following) in enumerate(rounds_of(subjects, register, template, count=arguments.rounds), 1):
        figures = {"mean_displacement_voxels": group.mean_displacement, "sd": float(group.maps["sd"].mean())}
        table.add({"round": number, **figures, "seconds": time.perf_counter() - started})
        template, started = following, time.perf_counter()
    print(format_table(table.rows, table.columns))
    return template


def main() -> None:
    report_input_errors_in_one_line()
    arguments, started = parse(), time.perf_counter()
    template = build(arguments)
    write_on(template, arguments.output_dir / "template.nii.gz", to_itk(template))
    seconds = f"{time.perf_counter() - started:.0f} s, {time.process_time():.0f} s of CPU"
    print(f"{arguments.output_dir / 'template.nii.gz'}: {seconds}")


if __name__ == "__main__":
    main()
