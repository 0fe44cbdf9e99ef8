"""Score whether images that were not trained on are nearer to the template of their attributes than to that for all.

python scripts/score_template.py DATA --attributes_table attributes.csv
prints the means over the validation split, and writes a row an image; and prints how far the template is from the
middle of the images of the training and of the validation.
"""

import argparse
from pathlib import Path

from monai_bundle_zoo import ROOT
from shared.door import open_bundle
from shared.engine.tables import format_table
from shared.errors import report_input_errors_in_one_line
from shared.files import write_table
from shared.studies.template_attributes import Nearness, means
from shared.tasks.registration.subjects import split_subjects
from shared.tasks.registration.templates.attributes import AttributeTable

BUNDLE = ROOT / "bundles" / "brain_mr_template_registration"


def main() -> None:
    parser = argparse.ArgumentParser(description="Score whether images are nearer to the template of their attributes.")
    parser.add_argument("data", type=Path, help="the folder of images that the bundle was trained on")
    parser.add_argument("--attributes_table", type=Path, required=True, help="a CSV with id and the bundle's columns")
    parser.add_argument("--label_suffix", default="_seg24", help="which of several label maps is an image's own")
    parser.add_argument("--output", type=Path, default=Path("outputs/nearness.csv"))
    report_input_errors_in_one_line()
    options = parser.parse_args()
    columns = open_bundle(BUNDLE).part("columns")
    parts = split_subjects(options.data, label_suffix=options.label_suffix)
    nearness = Nearness(BUNDLE, AttributeTable(options.attributes_table, columns))
    rows = nearness.rows(parts["validation"])
    write_table(options.output, rows)
    table = means(rows)
    print(format_table(table, list(table[0])))
    for name in ("training", "validation"):
        length = nearness.mean_displacement(parts[name])
        print(f"mean displacement of the {len(parts[name])} images of the {name}: {length:.3f} voxels")


if __name__ == "__main__":
    main()
