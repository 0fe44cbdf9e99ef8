"""What is done with an image that atlases segmented: a label map, an overlay, volumes, and Dice where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from shared.atlases.cases import LEFT_OUT
from shared.atlases.files import from_array, upright_slice, write_ids
from shared.engine.drawing import overlay_path
from shared.engine.outcomes import Figures, Result, Row, as_array
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import read_grown_table, write_json
from shared.images.cases import Case
from shared.images.file import ImageFile
from shared.images.reading import read_ids
from shared.spatial.itk import to_itk
from shared.tasks.registration.ids import ids_of_fixed
from shared.tasks.registration.metrics import label_dice
from shared.tasks.segmentation.pictures import draw_overlay
from shared.tasks.segmentation.probabilities import as_uint16, names_of, write_probabilities

DIGITS = 4  # of Dice and similarity


@dataclass(frozen=True)
class AtlasSegmented:
    """An image that atlases segmented: `labels`, (*S), int32 ids on its own grid.

    known: (C,), the ids that the atlases have. class_names: of ids from 0 on; one without a name is called by its
    id. reference: its own label map, if it has one. probabilities: (C, *S), uint16, of which 65535 is 1; or None.
    """

    case: str
    image: ImageFile
    labels: np.ndarray
    known: np.ndarray
    class_names: Sequence[str]
    reference: ImageFile | None = None
    probabilities: np.ndarray | None = None

    @property
    def affine(self) -> np.ndarray:
        """Voxels to mm, RAS."""
        return self.image.affine

    def figures(self) -> Figures:
        """The volume in mm³, of a picture the area in pixels, and Dice with the reference, of each label but 0."""
        unit, size = ("px", 1.0) if self.image.is_raster else ("mm3", abs(float(np.linalg.det(self.affine[:3, :3]))))
        count = dict(zip(*(values.tolist() for values in np.unique(self.labels, return_counts=True))))
        sizes = {f"{self._name(i)}_{unit}": round(count.get(i, 0) * size, 3) for i in self.known.tolist() if i}
        return sizes | self._dice()

    def save(self, folder: str | Path, *, pictures: bool = True) -> None:
        """Write the label map, probabilities where there are any, and with `pictures` the overlay."""
        if pictures:
            self.draw(overlay_path(folder, self.case))
        if self.probabilities is not None:
            write_probabilities(folder, self.case, self.image, self.probabilities)
        ending = ".png" if self.image.is_raster else ".nii.gz"
        write_ids(Path(folder) / f"{self.case}{ending}", self.image, self.labels, known=self.known)

    def draw(self, path: str | Path) -> Path:
        """Draw the image with the outlines of its labels into a PNG, and dotted those of the reference."""
        maps = [self.labels] if self.reference is None else [self.labels, self._reference_ids]
        drawn = np.unique(np.concatenate([[0, *self.known], np.unique(maps[-1])]))
        indices = [upright_slice(np.searchsorted(drawn, ids), self.image) for ids in maps]
        image = np.stack([upright_slice(channel, self.image) for channel in self.image.values])
        return draw_overlay(
            path, image, indices[0], class_names=[self._name(i) for i in drawn.tolist()], affine=self.affine,
            reference=indices[1] if len(indices) > 1 else None, title=self.case,
        )  # fmt: skip

    def _dice(self) -> Figures:
        if self.reference is None:
            return {}
        reference = self._reference_ids
        labels = [i for i in np.unique(reference).tolist() if i]
        values = label_dice(torch.as_tensor(self.labels), torch.as_tensor(reference), labels)
        by_label = {f"dice_{self._name(i)}": round(value, DIGITS) for i, value in zip(labels, values)}
        return {"dice_mean": round(float(np.mean(values)), DIGITS), **by_label} if values else {}

    @property
    def _reference_ids(self) -> np.ndarray:
        """(*S), int32, on the grid of the image."""
        assert self.reference is not None
        ids = ids_of_fixed(self.reference, self.image, to_itk(self.image))
        return from_array(sitk.GetArrayFromImage(ids), self.image)

    def _name(self, label: int) -> str:
        return self.class_names[label] if 0 <= label < len(self.class_names) else str(label)


class AtlasWriter:
    """Write the label map and overlay of each image; report volumes, atlases and, where it has a label map, Dice.

    A result must hold what `SegmentByAtlasesd` gives, and "files", with the image, "fixed", and "fixed_label" if it has
    one. Where any has, metrics.json holds the statistics of Dice over them. probabilities: whether they are written.
    """

    def __init__(
        self, output_dir: str | Path, *, class_names: Sequence[str], probabilities: bool, pictures: bool = True
    ) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.probabilities = probabilities
        self.pictures = pictures
        self.kept: dict[str, Any] = {}
        self.summaries = ["metrics.json"]

    def targets(self, case: str) -> list[str]:
        return [target for either in self._files(case) for target in either]

    def finished(self, case: Case) -> Figures | None:
        """The row of the table as it was, where the files are as they were written."""
        paths = [[self.output_dir / file for file in either] for either in self._files(case["case"])]
        written = [next((path for path in either if path.is_file()), None) for either in paths]
        former = {row.get("case"): row for row in read_grown_table(self.output_dir / "summary.csv")}
        if written[0] is None or None in written or case["case"] not in former:
            return None
        try:
            read_ids(written[0])
        except InputError:  # spoilt by someone else: made anew
            return None
        row = former[case["case"]]
        return {key: _number(text) for key, text in row.items() if text and key not in ("case", "status", "seconds")}

    def outcome(self, result: Result) -> AtlasSegmented:
        image, ids = result["files"]["fixed"], as_array(result["ids"])
        shares = as_array(result["pred"])
        return AtlasSegmented(
            result["case"], image, from_array(ids[shares.argmax(axis=0)], image), ids, self.class_names,
            result["files"].get("fixed_label"),
            np.stack([from_array(as_uint16(share), image) for share in shares]) if self.probabilities else None,
        )  # fmt: skip

    def process(self, result: Result) -> Figures:
        segmented = self.outcome(result)
        segmented.save(self.output_dir, pictures=self.pictures)
        used = {"atlases": int(result["atlases"]), "similarity": round(float(result["similarity"]), DIGITS)}
        return used | segmented.figures() | _note(result)

    def conclude(self, rows: Sequence[Row]) -> None:
        """Write and print the statistics of Dice, where there is one."""
        done = [row for row in rows if row["status"] == "ok"]
        metrics = dict.fromkeys(key for row in done for key in row if key.startswith("dice_"))
        values = {m: [float(row[m]) for row in done if row.get(m) not in (None, "")] for m in metrics}
        summary = {metric: summarise(numbers) for metric, numbers in values.items()}
        if summary:
            counts = {"cases": len(rows), "failed": len(rows) - len(done)}
            write_json(self.output_dir / "metrics.json", counts | summary)
            print(format_table([{"metric": m, **v} for m, v in summary.items()], ["metric", *STATISTICS]), "\n")

    def _files(self, case: str) -> list[list[str]]:
        """The files of a case, the label map first: what each may be called, of a volume or of a picture."""
        more = [names_of(case)] * self.probabilities + [[f"overlays/{case}.png"]] * self.pictures
        return [[f"{case}.nii.gz", f"{case}.png"], *more]


def _number(text: str) -> float | str:
    """What a table's cell holds."""
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def _note(result: Result) -> Figures:
    if LEFT_OUT not in result:
        return {}
    return {"message": f"{result[LEFT_OUT]}: is the image itself, and is left out of its atlases"}
