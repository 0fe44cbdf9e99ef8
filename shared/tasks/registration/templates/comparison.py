"""Where two groups of images differ in volume: effect sizes on a template's grid, and which of them are no chance."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import binary_fill_holes

from shared.engine.canvas import caption, colour_mapped, save_picture, stacked
from shared.errors import InputError
from shared.files import read_table, write_json
from shared.images.file import ImageFile
from shared.tasks.registration.pictures import ORANGE_TO_PURPLE
from shared.tasks.registration.registered import DIGITS, Registered, write_on
from shared.tasks.registration.templates.attributes import ID
from shared.tasks.registration.templates.effects import Moments, effect_size, q_values
from shared.tasks.registration.templates.group import in_columns, log_determinant, planes, template_values
from shared.tasks.registration.views import scaled, turned, upright

GROUP = "group"  # the column of the groups' names
FALSE_DISCOVERIES = 0.05  # at most, of the voxels that are shown to differ
BACKGROUND = 0.1  # of the template from 0 to 1, up to which what is not enclosed by more is outside
LARGEST_EFFECT = 2.0  # standard deviations, at which colours end


class Comparison:
    """log det J of images registered to `template`, an image (*S), in two groups: the second name against the first.

    group_of: the name of each case's group; cases without one take no part.
    """

    def __init__(self, template: ImageFile, group_of: Mapping[str, str]) -> None:
        self.template = template
        self.group_of = group_of
        self.moments = {name: Moments() for name in sorted(set(group_of.values()))}

    def add(self, pair: Registered) -> None:
        if pair.case in self.group_of:
            self.moments[self.group_of[pair.case]].add(log_determinant(pair))

    def save(self, folder: Path, *, pictures: bool = True) -> None:
        """Write the files of `comparison_files`. Raises InputError where a group has fewer than two images."""
        self._check()
        first, second = self.moments.values()
        inside = inside_of(self.template)
        effect, q = effect_size(first, second), q_values(first, second, inside=inside)
        for name, values in (("effect_size", effect), ("q_value", q)):
            image = sitk.GetImageFromArray(np.ascontiguousarray(values.T.astype(np.float32)))
            write_on(self.template, folder / f"{name}.nii.gz", image)
        share = round(100 * float((q[inside] <= FALSE_DISCOVERIES).mean()), DIGITS)
        cases = {name: moments.count for name, moments in self.moments.items()}
        write_json(folder / "comparison.json", {"cases": cases, "differing_percent": share})
        print(f"{self._title}: {share:.1f} % of the voxels differ\n")
        if pictures:
            self._draw(folder / "comparison.png", effect, q)

    def _check(self) -> None:
        for name, moments in self.moments.items():
            if moments.count < 2:
                raise InputError(
                    f"--groups, {name}", expected="two images or more of each group", got=moments.count,
                    fix="add images, or correct their ids in the table",
                )  # fmt: skip

    @property
    def _title(self) -> str:
        first, second = (f"{name} ({moments.count})" for name, moments in self.moments.items())
        return f"{second} against {first}"

    def _draw(self, path: Path, effect: np.ndarray, q: np.ndarray) -> None:
        view = upright(self.template)
        gray, effects, qs = (
            planes(turned(values, view)) for values in (scaled(template_values(self.template)), effect, q)
        )
        painted = [colour_mapped(part, ORANGE_TO_PURPLE, LARGEST_EFFECT) for part in effects]
        marked = [
            np.where((part <= FALSE_DISCOVERIES)[..., None], colour, below[..., None])
            for part, colour, below in zip(qs, painted, gray)
        ]
        columns = {f"Hedges' g, to ±{LARGEST_EFFECT:g}": painted, f"where q ≤ {FALSE_DISCOVERIES}": marked}
        body = in_columns({"template": gray, **columns})
        save_picture(path, stacked([caption(f"{self._title}\npurple: larger, orange: smaller", body.width), body]))


def comparison_files(*, pictures: bool) -> list[str]:
    """The names of what `Comparison.save` writes."""
    return ["effect_size.nii.gz", "q_value.nii.gz", "comparison.json"] + ["comparison.png"] * pictures


def groups_in(path: str | Path) -> dict[str, str]:
    """The group of each case, by the columns `id` and `group` of a CSV file; what has none is left out.

    Raises InputError for a missing file or column, an id that is repeated, or other than two groups.
    """
    rows = read_table(path)
    if not rows or not {ID, GROUP} <= rows[0].keys():
        raise InputError(
            path, expected=f"a table with the columns {ID}, {GROUP}", got=", ".join(rows[0]) if rows else "none",
            fix="write it, or leave --groups out",
        )  # fmt: skip
    named = [(row[ID].strip(), row[GROUP].strip()) for row in rows if (row[GROUP] or "").strip()]
    groups = dict(named)
    if len(groups) < len(named):
        raise InputError(path, expected="each id once", got="one again", fix="remove the row")
    found = sorted(set(groups.values()))
    if len(found) != 2:
        raise InputError(path, expected="two groups", got=", ".join(found) or "none", fix="correct the table")
    return groups


def inside_of(template: ImageFile) -> np.ndarray:
    """(*S): where the template shows something, or is enclosed by it, as ventricles are."""
    return np.asarray(binary_fill_holes(scaled(template_values(template)) > BACKGROUND))
