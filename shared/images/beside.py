"""Labels that lie beside their images: `a_seg.nii.gz`, `a_label.nii.gz` or `a_gt.nii.gz` beside `a.nii.gz`."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from shared.errors import InputError

LABEL_NAME = re.compile(r"(?P<image>.*[^/])[_\-.](labels?|seg(mentation)?|gt)", re.IGNORECASE)
# It may well be that of a brain or a field of view, beside an image with a label.
MASK_NAME = re.compile(r"(?P<image>.*[^/])[_\-.]mask", re.IGNORECASE)


def with_labels_beside(root: Path, cases: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Those of `cases` that are images, with the "label" beside each; none where no image has one.

    Where there are no labels, and each image has a mask, these are the labels.
    cases: every image below `root` (see `find_cases`). Raises InputError where an image has no label, or several.
    """
    labels = _beside(cases, LABEL_NAME)
    if not labels:
        masks = _beside(cases, MASK_NAME)
        labels = masks if len(cases) == 2 * len(masks) else {}
    chosen = {path for paths in labels.values() for path in paths}
    images = [case for case in cases if case["image"] not in chosen] if labels else []
    for case in images:
        found = labels.get(case["case"], [])
        if len(found) != 1:
            raise InputError(
                case["image"],
                expected=f"one label beside it, such as {PurePath(case['case']).name}_seg.*",
                got=", ".join(Path(path).name for path in found) or "none",
                fix=f"leave one of them in {root}" if found else "add the label or move the image away",
            )
    return [case | {"label": labels[case["case"]][0]} for case in images]


def _beside(cases: Sequence[dict[str, str]], name: re.Pattern[str]) -> dict[str, list[str]]:
    """The paths of what is called after an image, by that image's name. name: has a group `image`."""
    names = {case["case"] for case in cases}
    found: dict[str, list[str]] = {}
    for case in cases:
        match = name.fullmatch(case["case"])
        if match and match["image"] in names:
            found.setdefault(match["image"], []).append(case["image"])
    return found
