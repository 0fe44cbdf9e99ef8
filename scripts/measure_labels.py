"""Measure a structure in every label map of a data set, as an attribute by which a template may vary.

python scripts/measure_labels.py DATA --labels 3 16 --column ventricle_area --output attributes.csv
writes a row an image: its id, as the registration bundles call it, and how many mm³, or of slices mm², have the labels.
"""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np

import monai_bundle_zoo  # noqa: F401 (after it shared can be imported)
from shared.errors import InputError, report_input_errors_in_one_line
from shared.files import write_table
from shared.images.reading import read_ids
from shared.tasks.registration.subjects import find_subjects
from shared.tasks.registration.templates.attributes import ID


def size_of(path: str, labels: list[int]) -> float:
    """The volume, in mm³, or of a slice the area, in mm², of the voxels with one of `labels`."""
    file = read_ids(path)
    sides = [side for side, count in zip(nib.affines.voxel_sizes(file.affine), (*file.shape, 1)) if count > 1]
    return float(np.isin(file.values[0], labels).sum() * np.prod(sides))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a structure in every label map of a data set.")
    parser.add_argument("data", type=Path, help="a folder of images with label maps")
    parser.add_argument("--labels", type=int, nargs="+", required=True, help="the ids of the structure")
    parser.add_argument("--column", required=True, help="what the attribute is called")
    parser.add_argument("--label_suffix", default="", help="chooses one of several label maps of an image")
    parser.add_argument("--output", type=Path, default=Path("attributes.csv"))
    report_input_errors_in_one_line()
    options = parser.parse_args()
    subjects = find_subjects(options.data, options.label_suffix)
    if "label" not in subjects[0]:
        raise InputError(options.data, expected="label maps", got="images alone", fix="add them beside the images")
    rows = [{ID: s["case"], options.column: round(size_of(s["label"], options.labels), 3)} for s in subjects]
    write_table(options.output, rows)
    values = np.array([row[options.column] for row in rows])
    print(f"{options.output}: {len(rows)} rows, mean {values.mean():.1f}, standard deviation {values.std():.1f}")


if __name__ == "__main__":
    main()
