"""Draw a sheet of synthetic images, as brain_anycontrast_segmentation learns from, of the label maps in a folder."""

import argparse

import monai_bundle_zoo  # noqa: F401  # makes `shared` importable
from shared.errors import report_input_errors_in_one_line
from shared.synthesis.brain import brain_labels
from shared.synthesis.dataset import SyntheticDataset
from shared.synthesis.maps import split_label_maps
from shared.synthesis.pictures import draw_sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset_dir", required=True, help="a folder of label maps with FreeSurfer's ids")
    parser.add_argument("--output", default="synthetic.png")
    parser.add_argument("--count", type=int, default=25)
    parser.add_argument("--size", type=int, nargs=3, default=[96, 112, 96], help="voxels")
    parser.add_argument("--spacing", type=float, default=2.0, help="mm")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images = SyntheticDataset(
        split_label_maps(options.dataset_dir)["all"], brain_labels, size=options.size, spacing=options.spacing,
        samples=options.count, seed=options.seed,
    )  # fmt: skip
    print(draw_sheet(options.output, [images[index]["image"] for index in range(options.count)]))


if __name__ == "__main__":
    report_input_errors_in_one_line()
    main()
