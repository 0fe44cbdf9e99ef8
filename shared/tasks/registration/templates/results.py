"""What is done with images registered to a template: files of each, and of all of them as a group."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from shared.engine.datasets import opened_files
from shared.engine.outcomes import Figures
from shared.errors import InputError
from shared.images.cases import Case
from shared.spatial.itk import read_field
from shared.tasks.registration.ids import as_small_as_holds, ids_on
from shared.tasks.registration.registered import Registered, write_on
from shared.tasks.registration.results import RegistrationWriter
from shared.tasks.registration.subjects import find_subjects
from shared.tasks.registration.templates.comparison import Comparison, comparison_files, groups_in
from shared.tasks.registration.templates.file import TemplateFile
from shared.tasks.registration.templates.group import Group, group_files
from shared.tasks.registration.transforms import image_for_itk

CARRIED = "template_label.nii.gz"


def find_images(dataset_dir: str | Path, label_suffix: str = "", output_dir: str | Path | None = None) -> list[Case]:
    """The images of a folder, or a file, to register: {"case", "moving"} and, if labelled, "moving_label".

    As `find_subjects` finds them, with its errors.
    """
    names = {"image": "moving", "label": "moving_label"}
    subjects = find_subjects(dataset_dir, label_suffix, output_dir)
    return [{names.get(key, key): value for key, value in subject.items()} for subject in subjects]


class TemplateWriter(RegistrationWriter):
    """Write what `RegistrationWriter` writes of each image registered to `template`, and in group/ what `Group` does.

    inverse.nii.gz, the way back, is always written, and where the template has labels template_label.nii.gz: these on
    the image's own grid.
    groups: a table of two groups (see `groups_in`), which `Comparison` then compares; "" compares none.
    """

    def __init__(
        self, output_dir: str | Path, template: TemplateFile, *, groups: str | Path = "", pictures: bool = True
    ) -> None:
        super().__init__(output_dir, pictures=pictures, inverse=True)
        self.template = template
        self.group_of = groups_in(groups) if groups else {}
        self.kept: dict[str, Case] = {}
        names = group_files(labelled=True, pictures=pictures)
        names += comparison_files(pictures=pictures) if groups else []
        self.summaries = [f"group/{name}" for name in names]

    def targets(self, case: str) -> list[str]:
        return [*super().targets(case), f"{case}/{CARRIED}"]

    def finished(self, case: Case) -> Figures | None:
        carried = self.output_dir / case["case"] / CARRIED
        if self.template.label and not carried.is_file():
            return None
        pair: dict[str, Any] = {**case, **self.template.files}
        figures = super().finished(pair)
        if figures is not None:
            self._keep(case)
        return figures

    def process(self, result: Mapping[str, Any]) -> Figures:
        pair = self.outcome(result)
        pair.save(self.output_dir, pictures=self.parts["pictures"], inverse=True)
        if pair.fixed_label is not None:
            write_carried_label(self.output_dir / pair.case / CARRIED, pair)
        images = {"moving": pair.moving, "moving_label": pair.moving_label}
        self._keep({"case": pair.case, **{key: str(image.path) for key, image in images.items() if image}})
        return {"seconds": result["network_seconds"], **pair.figures()}

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the maps of the group of all images of this run, from their fields as they are in the files."""
        group, comparison = Group(self.template.image), Comparison(self.template.image, self.group_of)
        for row in rows:
            if row["status"] == "ok" and row["case"] in self.kept:
                pair = self._read(self.kept[row["case"]])
                group.add(pair)
                comparison.add(pair)
        if group.count:
            group.save(self.output_dir / "group", pictures=self.parts["pictures"])
            print(f"mean displacement of {group.count} images: {group.mean_displacement:.3f} voxels\n")
        if self.group_of:
            comparison.save(self.output_dir / "group", pictures=self.parts["pictures"])

    def _keep(self, case: Case) -> None:
        self.kept[case["case"]] = {key: str(case[key]) for key in ("case", "moving", "moving_label") if key in case}

    def _read(self, case: Case) -> Registered:
        field = read_field(self.output_dir / case["case"] / "displacement.nii.gz")
        files: dict[str, Any] = opened_files(case)
        return Registered(case["case"], field=field, fixed=self.template.image, **files)


def write_carried_label(path: Path, pair: Registered) -> None:
    """Write the label map of the fixed image on the grid of the moving one. Raises InputError without one."""
    if pair.fixed_label is None:
        raise InputError(path, expected="a label map of the template", got="none", fix="give --template_label")
    back = sitk.DisplacementFieldTransform(sitk.Image(pair.inverse))
    ids = ids_on(pair.fixed_label, pair.fixed, image_for_itk(pair.moving), back)
    write_on(pair.moving, path, as_small_as_holds(ids, pair.fixed_label))
