"""What is done with a segmented case: files, overlays and volumes, or scores where there is a reference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch

from shared.engine.drawing import overlay_path
from shared.engine.outcomes import Figures, Result, Row, summary_files
from shared.engine.scores import draw_scores
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import write_json
from shared.images.cases import Case
from shared.images.file import ImageFile
from shared.images.pixel_size import checked_pixel_size
from shared.images.raster import stored_pixel_size
from shared.images.reading import read_image
from shared.tasks.segmentation.dicom_seg import check_installed, is_series, seg_name, write_dicom_seg
from shared.tasks.segmentation.metrics import segmentation_scores
from shared.tasks.segmentation.pictures import draw_overlay
from shared.tasks.segmentation.probabilities import KEY, names_of, write_probabilities
from shared.tasks.segmentation.uncertainty import CONFIDENCE, TEMPERATURE, calibration_error
from shared.tasks.segmentation.uncertainty import KEY as UNCERTAINTY

CALIBRATION = ("ece", TEMPERATURE)


@dataclass(frozen=True)
class Segmented:
    """A segmented image: class ids `labels`, (*S), uint8, on the image's own grid.

    include_background: whether the first class is reported, too.
    probabilities: (C, *S), uint16, of which 65535 is 1; or None. uncertainty: (*S), so too; see `KeepUncertaintyd`.
    dicom_seg: whether that is saved of a DICOM series.
    """

    case: str
    image: ImageFile
    labels: np.ndarray
    class_names: Sequence[str]
    include_background: bool = False
    probabilities: np.ndarray | None = None
    uncertainty: np.ndarray | None = None
    dicom_seg: bool = False

    @property
    def ids(self) -> np.ndarray:
        """(*S): what the file of the label map holds."""
        return self.labels

    @property
    def affine(self) -> np.ndarray:
        """Voxels to mm, RAS."""
        return self.image.affine

    def figures(self) -> Figures:
        """The volume of each class in mm³, of raster images the area in pixels, and in µm² where these are known."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.class_names)).tolist()
        units: dict[str, float] = (
            {"px": 1} if self.image.is_raster else {"mm3": abs(float(np.linalg.det(self.affine[:3, :3])))}
        )
        if self.image.pixel_size:
            units["um2"] = self.image.pixel_size**2
        first = 0 if self.include_background else 1
        sizes = list(zip(self.class_names, counts))[first:]
        known = {"pixel_size_um": self.image.pixel_size} if self.image.pixel_size else {}
        return {f"{n}_{unit}": round(c * each, 3) for unit, each in units.items() for n, c in sizes} | known

    def doubt(self, largest_mm: float) -> str:
        """Why the image may not be what the network was made for, in a line; "" where nothing speaks for that.

        largest_mm: of what was segmented, from one end to the other, and with a margin as wide of the image.
        """
        voxels = nib.affines.voxel_sizes(self.affine)
        image_mm = float(np.max(np.multiply(self.image.shape, voxels)))
        places = np.argwhere(self.labels > 0)
        found_mm = float(np.max((np.ptp(places, axis=0) + 1) * voxels)) if len(places) else 0.0
        if max(image_mm / 2, found_mm) <= largest_mm:
            return ""
        return (
            f"{self.image.path}: expected a crop of at most {2 * largest_mm:g} mm around one structure, "
            f"got {image_mm:.0f} mm, with an answer over {found_mm:.0f} mm; it may be wrong: crop the image"
        )

    def save(self, folder: str | Path, *, pictures: bool = True) -> None:
        """Write the label map, probabilities and uncertainty where there are any, and with `pictures` the overlay.

        They are named after the case, and so is a DICOM SEG where it is asked for.
        """
        if pictures:
            self.draw(overlay_path(folder, self.case), title=self.case)
        if self.probabilities is not None:
            write_probabilities(folder, self.case, self.image, self.probabilities)
        if self.uncertainty is not None:
            write_probabilities(folder, self.case, self.image, self.uncertainty, kind=UNCERTAINTY)
        if self.dicom_seg and is_series(self.image.path):
            path = Path(folder) / seg_name(self.case)
            write_dicom_seg(path, self.labels, self.affine, series=self.image.path, class_names=self.class_names)
        ending = ".png" if self.image.is_raster else ".nii.gz"
        self.image.write_labels(Path(folder) / f"{self.case}{ending}", self.ids)

    def draw(self, path: str | Path, *, title: str, reference: np.ndarray | None = None) -> Path:
        return draw_overlay(
            path, self.image.values, self.labels, class_names=self.class_names, affine=self.affine,
            reference=reference, title=title,
        )  # fmt: skip


class SegmentationTask:
    """What a result becomes, with the classes of the bundle.

    A result must hold "files", with the "image", and "pred", (1, *S): class ids on the grid of that file.
    The first class is reported with `include_background` alone. pictures: whether any are drawn.
    """

    def __init__(
        self,
        output_dir: str | Path,
        *,
        class_names: Sequence[str],
        include_background: bool = False,
        pictures: bool = True,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.include_background = include_background
        self.pictures = pictures
        self.kept: dict[str, Scored] = {}

    def outcome(self, result: Result) -> Segmented:
        labels = result["pred"][0].cpu().numpy().astype(np.uint8)
        image = result["files"]["image"]
        return Segmented(
            result["case"], image, labels, self.class_names, self.include_background, result.get(KEY),
            result.get(UNCERTAINTY),
        )  # fmt: skip


class SegmentationWriter(SegmentationTask):
    """Write each case's label map and overlay; report the size of each class.

    largest_mm: see `Segmented.doubt`; None: nothing is doubted. probabilities, uncertainty: whether results hold them.
    dicom_seg: whether that is written of a DICOM series; raises InputError where its library is missing. pixel_size:
    as `ReadCased` has it.
    """

    summaries = ()

    def __init__(
        self,
        output_dir: str | Path,
        *,
        largest_mm: float | None = None,
        probabilities: bool = False,
        uncertainty: bool = False,
        dicom_seg: bool = False,
        pixel_size: object = "",
        **options: Any,
    ) -> None:
        super().__init__(output_dir, **options)
        if dicom_seg:
            check_installed()
        self.largest_mm = largest_mm
        self.maps = [kind for kind, is_written in ((KEY, probabilities), (UNCERTAINTY, uncertainty)) if is_written]
        self.dicom_seg = dicom_seg
        self.pixel_size = checked_pixel_size(pixel_size)

    def targets(self, case: str) -> list[str]:
        files = [target for either in self._files(case) for target in either]
        return [*files, *([seg_name(case)] if self.dicom_seg else [])]

    def outcome(self, result: Result) -> Segmented:
        return replace(super().outcome(result), dicom_seg=self.dicom_seg)

    def finished(self, case: Case) -> Figures | None:
        stored = self.stored(case)
        if stored is None:
            return None
        stored = replace(stored, pixel_size=self.pixel_size or stored_pixel_size(case["image"]))
        labels = stored.values[0].astype(np.uint8)
        return Segmented(case["case"], stored, labels, self.class_names, self.include_background).figures()

    def stored(self, case: Case) -> ImageFile | None:
        """The label map of a case of which all results are written; else, or where it cannot be read, None."""
        name = case["case"]
        paths = [[self.output_dir / file for file in either] for either in self._files(name)]
        if self.dicom_seg and is_series(case["image"]):
            paths.append([self.output_dir / seg_name(name)])
        written = [[path for path in either if path.is_file()] for either in paths]
        if any(len(either) != 1 for either in written):
            return None
        try:
            return read_image(written[0][0], as_ids=True)
        except InputError:  # spoilt by someone else: made anew
            return None

    def process(self, result: Result) -> Figures:
        segmented = self.outcome(result)
        segmented.save(self.output_dir, pictures=self.pictures)
        doubt = segmented.doubt(self.largest_mm) if self.largest_mm else ""
        return segmented.figures() | ({"message": doubt} if doubt else {})

    def _files(self, case: str) -> list[list[str]]:
        """The files of a case, the label map first: what each may be called, of a volume or of a raster image."""
        more = [[f"overlays/{case}.png"]] if self.pictures else []
        return [[f"{case}.nii.gz", f"{case}.png"], *(names_of(case, kind) for kind in self.maps), *more]

    def conclude(self, rows: Sequence[Row]) -> None:
        """Nothing concerns all cases but the table."""


@dataclass(frozen=True)
class Scored:
    """A case beside its reference, (*S), and its mean Dice."""

    dice: float
    segmented: Segmented
    reference: np.ndarray


class SegmentationScorer(SegmentationTask):
    """Score each case's label map against its reference, and sum up over the cases.

    A result must also hold "label", (1, *S): class ids on the grid of the image's file. The first class is scored with
    `include_background` alone. Where it holds "confidence" (see `KeepUncertaintyd`), "ece" is how far that is from
    accuracy, over the voxels that are of a class in either map, background apart, and with `only_in_reference` what
    the result has of classes that the reference lacks. Writes metrics.json (statistics of each metric), scores.png, and
    overlays of the `worst` cases, the pictures only with `pictures`. only_in_reference: see `segmentation_scores`.
    """

    def __init__(
        self, output_dir: str | Path, *, worst: int = 3, only_in_reference: bool = False, **options: Any
    ) -> None:
        super().__init__(output_dir, **options)
        self.worst = worst
        self.only_in_reference = only_in_reference
        self.summaries = summary_files(worst, pictures=self.pictures)

    def targets(self, case: str) -> list[str]:
        return []

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a case alone

    def process(self, result: Result) -> Figures:
        segmented, reference = self.outcome(result), result["label"][0].cpu().numpy().astype(np.uint8)
        scores = self.scores(segmented, reference)
        if CONFIDENCE in result:
            counted = self._counted(segmented.labels, reference)
            is_right = (segmented.labels == reference)[counted]
            scores["ece"] = round(calibration_error(result[CONFIDENCE][counted], is_right), 4)
        if TEMPERATURE in result:
            scores[TEMPERATURE] = round(result[TEMPERATURE], 3)
        self.kept[segmented.case] = Scored(scores["dice_mean"], segmented, reference)
        self.kept = dict(self._worst())
        return scores

    def scores(self, segmented: Segmented, reference: np.ndarray) -> Figures:
        """What is scored of a case; reference: (*S), class ids."""
        return segmentation_scores(
            *(torch.as_tensor(ids) for ids in (segmented.labels, reference)), class_names=segmented.class_names,
            spacing=nib.affines.voxel_sizes(segmented.affine)[: reference.ndim],
            unit="px" if segmented.image.is_raster else "mm", include_background=self.include_background,
            only_in_reference=self.only_in_reference,
        )  # fmt: skip

    def _counted(self, labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """(*S), bool: the voxels whose confidence is held against the reference."""
        found = np.isin(labels, np.unique(reference)) if self.only_in_reference else True
        return (found & (labels > 0)) | (reference > 0) | self.include_background

    def conclude(self, rows: Sequence[Row]) -> None:
        done = [row for row in rows if row["status"] == "ok"]
        scores = scores_by_metric(done)
        summary = {metric: summarise(values) for metric, values in scores.items()}
        write_json(self.output_dir / "metrics.json", {"cases": len(rows), "failed": len(rows) - len(done), **summary})
        if done and self.pictures:
            drawn = {m: values for m, values in scores.items() if m not in CALIBRATION}
            draw_scores(self.output_dir / "scores.png", drawn)
            self._draw_worst()
        print(format_table([{"metric": m, **values} for m, values in summary.items()], ["metric", *STATISTICS]), "\n")

    def _draw_worst(self) -> None:
        for rank, (case, scored) in enumerate(self._worst(), start=1):
            title = f"{case}: mean Dice {scored.dice:.3f}"
            scored.segmented.draw(self.output_dir / f"worst_{rank}.png", title=title, reference=scored.reference)

    def _worst(self) -> list[tuple[str, Scored]]:
        return sorted(self.kept.items(), key=lambda item: (item[1].dice, item[0]))[: self.worst]


def scores_by_metric(rows: Sequence[Row]) -> dict[str, list[float]]:
    """The values of each Dice, Jaccard, HD95 and measure of calibration in those of `rows` that have it."""
    shown = ("dice", "jaccard", "hd95", *CALIBRATION)
    metrics = dict.fromkeys(key for row in rows for key in row if key.startswith(shown))
    return {metric: [row[metric] for row in rows if metric in row] for metric in metrics}
