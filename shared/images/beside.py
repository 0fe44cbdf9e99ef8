"""Labels that lie beside their images: `a_seg.nii.gz` or `a_label.nii.gz` beside `a.nii.gz`."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from shared.errors import InputError

# A mask is none: it may well be that of a brain or a field of view, beside an image with a label.
LABEL_NAME = re.compile(r"(?P<image>.*[^/])[_\-.](labels?|seg(mentation)?)", re.IGNORECASE)


def with_labels_beside(root: Path, cases: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Those of `cases` that are images, with the "label" beside each; none where no image has one.

    cases: every image below `root` (see `find_cases`). Raises InputError where an image has no label, or several.
    """
    names = {case["case"] for case in cases}
    labels: dict[str, list[str]] = {}
    for case in cases:
        match = LABEL_NAME.fullmatch(case["case"])
        if match and match["image"] in names:
            labels.setdefault(match["image"], []).append(case["image"])
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
