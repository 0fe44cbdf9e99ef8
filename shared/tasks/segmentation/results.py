"""What is done with a segmented case: files, overlays and volumes, or scores where there is a reference."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor

from shared.engine.cases import Figures
from shared.engine.scores import draw_scores
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import write_json
from shared.images.cases import Case
from shared.images.reading import is_raster, read_image
from shared.images.writing import label_path, write_label_map
from shared.tasks.segmentation.metrics import segmentation_scores
from shared.tasks.segmentation.pictures import draw_overlay


class SegmentationWriter:
    """Write each case's label map and overlay; tell the volume of each class in mm³, of raster images in pixels.

    A result must hold "image" and "pred", (1, *S): class ids on the grid of the image's file. The first class is
    told of with `include_background` alone.
    """

    def __init__(self, output_dir: str | Path, *, class_names: Sequence[str], include_background: bool = False) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.first = 0 if include_background else 1

    def finished(self, case: Case) -> Figures | None:
        path = label_path(self.output_dir, case["case"], case["image"])
        if not (path.is_file() and self._overlay(case["case"]).is_file()):
            return None
        try:
            return self._volumes(read_image(path), case["image"])
        except InputError:  # spoilt by someone else: made anew
            return None

    def process(self, result: Mapping[str, Any]) -> Figures:
        case, source, labels = result["case"], result["image"].meta["filename_or_obj"], result["pred"]
        array, affine = labels[0].cpu().numpy(), np.asarray(labels.affine)
        image = read_image(source).numpy()
        draw_overlay(self._overlay(case), image, array, class_names=self.class_names, affine=affine, title=case)
        write_label_map(label_path(self.output_dir, case, source), array, source, affine)
        return self._volumes(labels, source)

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Nothing concerns all cases but the table."""

    def _overlay(self, case: str) -> Path:
        return self.output_dir / "overlays" / f"{case}.png"

    def _volumes(self, labels: MetaTensor, source: str) -> Figures:
        counts = torch.bincount(labels.as_tensor().flatten().long(), minlength=len(self.class_names)).tolist()
        unit, size = "mm3", abs(np.linalg.det(np.asarray(labels.affine, dtype=float)[:3, :3]))
        if is_raster(source):
            unit, size = "px", 1
        return {
            f"{name}_{unit}": round(n * size, 3)
            for name, n in zip(self.class_names[self.first :], counts[self.first :])
        }


class SegmentationScorer:
    """Score each case's label map against its reference, and sum up over the cases.

    A result must hold "image", "pred" and "label", (1, *S): class ids on the grid of the image's file. The first
    class is scored with `include_background` alone. Writes metrics.json (statistics of each metric), scores.png, and
    overlays of the `worst` cases.
    """

    def __init__(
        self, output_dir: str | Path, *, class_names: Sequence[str], include_background: bool = False, worst: int = 3
    ) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.include_background = include_background
        self.worst = worst
        self.kept: list[tuple[float, str, str, np.ndarray, np.ndarray]] = []

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a case alone

    def process(self, result: Mapping[str, Any]) -> Figures:
        pred, reference = (result[key].cpu() for key in ("pred", "label"))
        spacing = nib.affines.voxel_sizes(np.asarray(pred.affine))[: pred.ndim - 1]
        source = result["image"].meta["filename_or_obj"]
        scores = segmentation_scores(
            pred[0].as_tensor(), reference[0].as_tensor(), class_names=self.class_names, spacing=spacing,
            unit="px" if is_raster(source) else "mm", include_background=self.include_background,
        )  # fmt: skip
        kept = (scores["dice_mean"], result["case"], source, pred[0].numpy(), reference[0].numpy())
        self.kept = sorted([*self.kept, kept], key=lambda k: k[:2])[: self.worst]
        return scores

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        done = [row for row in rows if row["status"] == "ok"]
        metrics = [key for row in done[:1] for key in row if key.startswith(("dice", "jaccard", "hd95"))]
        summary = {metric: summarise([row[metric] for row in done]) for metric in metrics}
        write_json(self.output_dir / "metrics.json", {"cases": len(rows), "failed": len(rows) - len(done), **summary})
        if done:
            draw_scores(self.output_dir / "scores.png", {metric: [row[metric] for row in done] for metric in metrics})
        for rank, (dice, case, source, pred, reference) in enumerate(self.kept, start=1):
            image = read_image(source)
            draw_overlay(
                self.output_dir / f"worst_{rank}.png", image.numpy(), pred, class_names=self.class_names,
                affine=np.asarray(image.affine), reference=reference, title=f"{case}: mean Dice {dice:.3f}",
            )  # fmt: skip
        print(format_table([{"metric": m, **values} for m, values in summary.items()], ["metric", *STATISTICS]), "\n")
