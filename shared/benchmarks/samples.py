"""Data sets for timing, of as many cases as are wanted, from a bundle's samples."""

import shutil
from collections.abc import Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from shared.files import write_table
from shared.images.cases import find_cases
from shared.images.reading import without_ending
from shared.tasks.registration.cases import PAIRS_FILE, find_pairs


def repeated(bundle: Path, config: Mapping[str, Any], folder: Path, count: int) -> list[str]:
    """Fill `folder` with `count` cases, the bundle's samples again and again; their names.

    config: its inference.json. Pairs are listed in a table that names the sample files, images are copied.
    """
    names = [f"sample_{number:04d}" for number in range(count)]
    samples, folder = bundle.resolve() / "sample_data", folder.resolve()
    if (samples / PAIRS_FILE).is_file():
        pairs = islice(cycle(find_pairs(samples)), count)
        rows = [{"id": name, **{k: v for k, v in pair.items() if k != "case"}} for name, pair in zip(names, pairs)]
        write_table(folder / PAIRS_FILE, rows)
        return names
    kinds = {"kinds": config["cases"]["kinds"]} if "kinds" in config["cases"] else {}
    found = [Path(case["image"]) for case in find_cases(samples, **kinds)]
    suffix = config.get("label_suffix")  # of labels that lie beside the images
    images = [path for path in found if not (suffix and without_ending(path).name.endswith(suffix))]
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(names, cycle(images)):
        shutil.copy(image, folder / image.name.replace(without_ending(image).name, name, 1))
    return names
