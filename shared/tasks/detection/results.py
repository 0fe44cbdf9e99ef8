"""What is done with the objects found in a case: files, overlays and counts, or scores against the true ones."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engine.drawing import overlay_path
from shared.engine.outcomes import Figures, Result, Row, as_array, summary_files
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.files import read_json, write_atomically, write_json
from shared.images.cases import Case
from shared.images.coco_writing import AnnotatedImage, file_name_of, write_coco
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.tasks.detection.pictures import draw_boxes, draw_detection_scores
from shared.tasks.detection.thresholds import (
    SCORE_DIGITS,
    Threshold,
    by_class,
    counting_right,
    is_counted,
    operating_points,
)

if TYPE_CHECKING:  # results are written without torch, too
    from torch import Tensor


@dataclass(frozen=True)
class Detected:
    """The objects found in an image.

    objects: (K, 6), a row an object, surest first: corners (row1, column1, row2, column2) in pixels of the image's
    file, score, class. thresholds: of each class the score from which an object is counted and drawn.
    """

    case: str
    image: ImageFile
    objects: np.ndarray
    class_names: Sequence[str]
    thresholds: np.ndarray

    @property
    def boxes(self) -> list[list[float]]:
        """x1, y1, x2, y2 of each object, in pixels."""
        return [[round(x, 2) for x in (c1, r1, c2, r2)] for r1, c1, r2, c2 in self.objects[:, :4].tolist()]

    @property
    def scores(self) -> list[float]:
        return [round(s, SCORE_DIGITS) for s in self.objects[:, 4].tolist()]

    @property
    def labels(self) -> list[str]:
        return [self.class_names[int(i)] for i in self.objects[:, 5].tolist()]

    @property
    def is_counted(self) -> np.ndarray:
        """Which objects have the score of their class's threshold or more."""
        return is_counted(self.objects, self.thresholds)

    @property
    def counted(self) -> np.ndarray:
        """The objects that are."""
        return self.objects[self.is_counted]

    def figures(self) -> Figures:
        """How many objects of each class are counted, and how many for one of another."""
        return figures_of(self._content(), self.class_names)

    def save(self, folder: str | Path, *, pictures: bool = True) -> None:
        """Write `<case>.json` with all objects, and with `pictures` the overlay of those counted."""
        if pictures:
            self.draw(overlay_path(folder, self.case), title=self.case)
        text = json.dumps(self._content(), indent=None) + "\n"
        write_atomically(Path(folder) / f"{self.case}.json", lambda path: path.write_text(text, encoding="utf-8"))

    def _content(self) -> dict[str, Any]:
        """What the file holds."""
        rows, columns = self.image.shape
        return {
            "image": self.image.path.name,
            "width": columns,
            "height": rows,
            **({"pixel_size_um": self.image.pixel_size} if self.image.pixel_size else {}),
            "boxes": self.boxes,
            "labels": self.labels,
            "scores": self.scores,
            "counted": self.is_counted.tolist(),
        }

    def draw(self, path: Path, *, title: str, reference: "Tensor | None" = None) -> Path:
        self.image.refuse_as_target(path)
        values = self.image.values
        return draw_boxes(path, values, self.counted, class_names=self.class_names, title=title, reference=reference)


def figures_of(content: Mapping[str, Any], class_names: Sequence[str]) -> Figures:
    """What the table has of a case, by what its file holds: counts, and where pixels have a size the width of objects.

    Of each class that is the median, in µm, of the root of width times height of the objects counted.
    """
    counts = counts_of(content["labels"], content["counted"], class_names)
    size = content.get("pixel_size_um")
    if size is None:
        return counts
    counted = np.array(content["counted"], dtype=bool)
    kinds = np.array(content["labels"], dtype=object)[counted]
    boxes = np.array(content["boxes"]).reshape(-1, 4)[counted]
    widths = size * np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    diameters = {f"{n}_um": round(float(np.median(widths[kinds == n])), 2) for n in class_names if (kinds == n).any()}
    return {**counts, "pixel_size_um": size, **diameters}


def counts_of(labels: Sequence[str], counted: Sequence[bool], class_names: Sequence[str]) -> Figures:
    """How many objects that are counted each class has, and for the first three the ratios of these counts."""
    sure = [label for label, passes in zip(labels, counted) if passes]
    counts = {name: sure.count(name) for name in class_names}
    ratios = {
        f"{a}/{b}": round(counts[a] / counts[b], 3) if counts[b] else None for a, b in combinations(class_names[:3], 2)
    }
    return {**counts, **ratios}


class DetectionTask:
    """What a result becomes, with the classes of the bundle.

    A result must hold "files", with the "image", and "pred", (K, 6): the objects of a `Detected`. threshold: see
    `by_class`. pictures: whether any are drawn.
    """

    def __init__(
        self, output_dir: str | Path, *, class_names: Sequence[str], threshold: Threshold, pictures: bool = True
    ) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.thresholds = by_class(threshold, self.class_names)
        self.pictures = pictures
        self.kept: dict[str, Compared] = {}

    def outcome(self, result: Result) -> Detected:
        objects = as_array(result["pred"])
        return Detected(result["case"], result["files"]["image"], objects, self.class_names, self.thresholds)


class DetectionWriter(DetectionTask):
    """Write each case's objects and overlay; report how many there are of each class, and of each for one of another.

    All objects are written, as `<case>.json` and in COCO's form of results in detections.json, where image_id is the
    case and category_id counts from 1; those that pass the threshold of their class are drawn and counted, and stand in
    coco.json, a complete COCO file with the images.
    """

    summaries = ("detections.json", "coco.json")

    def targets(self, case: str) -> list[str]:
        return [f"{case}.json", *([f"overlays/{case}.png"] if self.pictures else [])]

    def finished(self, case: Case) -> Figures | None:
        path = self._file(case["case"])
        drawn = not self.pictures or overlay_path(self.output_dir, case["case"]).is_file()
        if not (path.is_file() and drawn):
            return None
        try:
            return figures_of(read_json(path), self.class_names)
        except (ValueError, KeyError, TypeError):  # spoilt by someone else: made anew
            return None

    def process(self, result: Result) -> Figures:
        detected = self.outcome(result)
        detected.save(self.output_dir, pictures=self.pictures)
        return detected.figures()

    def conclude(self, rows: Sequence[Row]) -> None:
        results: list[dict[str, Any]] = []
        images = []
        for case in (row["case"] for row in rows if row["status"] == "ok" and self._file(row["case"]).is_file()):
            content = read_json(self._file(case))
            found = self._annotations(content)
            results += [{"image_id": case} | one for one in found]
            sure = [one for one, counts in zip(found, content["counted"]) if counts]
            name = file_name_of(case, content["image"])
            images.append(AnnotatedImage(name, content["width"], content["height"], sure))
        text = "[" + ",\n".join(json.dumps(result) for result in results) + "]\n"
        write_atomically(self.output_dir / "detections.json", lambda path: path.write_text(text, encoding="utf-8"))
        write_coco(self.output_dir / "coco.json", images, self.class_names)

    def _annotations(self, content: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The objects of a case's file as COCO has them."""
        found = zip(content["boxes"], content["labels"], content["scores"])
        return [
            {
                "category_id": self.class_names.index(label) + 1,
                "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                "score": score,
            }
            for (x1, y1, x2, y2), label, score in found
        ]

    def _file(self, case: str) -> Path:
        return self.output_dir / f"{case}.json"


@dataclass(frozen=True)
class Compared:
    """The objects found in an image, and the true ones: (M, 5), corners and class."""

    image: Path
    found: np.ndarray
    true: "Tensor"


class DetectionScorer(DetectionTask):
    """Hold each case's objects against the true ones, and sum up over the cases by COCO's rules.

    A result must also hold "label", (M, 5): corners and class. Writes metrics.json, scores.png (precision by recall,
    confusions, counts) and overlays of the `worst` cases. Recall, precision, counts, confusions and pictures are of the
    objects that pass the threshold of their class, AP of all.
    """

    def __init__(self, output_dir: str | Path, *, worst: int = 3, **options: Any) -> None:
        super().__init__(output_dir, **options)
        self.worst = worst
        self.summaries = summary_files(worst, pictures=self.pictures)

    def targets(self, case: str) -> list[str]:
        return []

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a case alone

    def process(self, result: Result) -> Figures:
        import torch

        from shared.tasks.detection.metrics import NOTHING, confusion  # imports torch

        detected, true = self.outcome(result), torch.as_tensor(result["label"]).cpu()
        true = true[true[:, 4] != NOTHING]
        self.kept[detected.case] = Compared(detected.image.path, detected.objects, true)
        pairs = confusion([torch.as_tensor(detected.counted)], [true], len(self.class_names))
        figures: Figures = {}
        for index, name in enumerate(self.class_names):
            figures |= {f"{name}_true": int(pairs[index].sum()), f"{name}_found": int(pairs[:, index].sum())}
        right = int(np.trace(pairs))
        return {
            **figures,
            "right": right,
            "missed_or_wrong": int(pairs[:-1].sum()) - right,
            "too_many": int(pairs[-1].sum()),
        }

    def conclude(self, rows: Sequence[Row]) -> None:
        done = [row for row in rows if row["status"] == "ok"]
        summary: dict[str, object] = {"cases": len(rows), "failed": len(rows) - len(done)}
        if done:
            summary |= self._score(done)
        write_json(self.output_dir / "metrics.json", summary)

    def _score(self, done: Sequence[Row]) -> dict[str, object]:
        import torch

        from shared.tasks.detection.metrics import coco_evaluation, coco_scores, confusion, precision_curves

        results = [self.kept[row["case"]] for row in done]
        found, true = [torch.as_tensor(r.found) for r in results], [r.true for r in results]
        evaluation = coco_evaluation(found, true, self.class_names)
        scores = coco_scores(evaluation, self.class_names)
        counted = [torch.as_tensor(r.found[is_counted(r.found, self.thresholds)]) for r in results]
        pairs = confusion(counted, true, len(self.class_names))
        chosen = counting_right([r.found for r in results], [r.true.numpy() for r in results], len(self.class_names))
        points = operating_points(pairs, self.thresholds, chosen, self.class_names)
        counts = {name: [(row[f"{name}_true"], row[f"{name}_found"]) for row in done] for name in self.class_names}
        errors = {name: summarise([abs(a - b) for a, b in of_class]) for name, of_class in counts.items()}
        if self.pictures:
            curves = precision_curves(evaluation, self.class_names)
            draw_detection_scores(
                self.output_dir / "scores.png", curves=curves, pairs=pairs, counts=counts, class_names=self.class_names
            )
            self._draw_worst(done)
        print(format_table([{"metric": name, "value": value} for name, value in scores.items()], ["metric", "value"]))
        print("\nat the thresholds; counts_right: the one by which as many objects are found as there are")
        print(format_table([{"class": n, **p} for n, p in points.items()], ["class", *next(iter(points.values()))]))
        print("\ncounting error by image, of objects that pass the threshold of their class")
        print(format_table([{"class": n, **e} for n, e in errors.items()], ["class", *STATISTICS]), "\n")
        confusions = {
            "rows": "true",
            "columns": "found",
            "order": [*self.class_names, "nothing"],
            "counts": pairs.tolist(),
        }
        return {**scores, "at_threshold": points, "counting_error": errors, "confusion": confusions}

    def _draw_worst(self, done: Sequence[Row]) -> None:
        ranked = sorted(done, key=lambda row: (-row["missed_or_wrong"] - row["too_many"], row["case"]))[: self.worst]
        for rank, row in enumerate(ranked, start=1):
            kept = self.kept[row["case"]]
            title = f"{row['case']}: {row['missed_or_wrong']} missed or wrong, {row['too_many']} too many"
            image = read_image(kept.image)
            detected = Detected(row["case"], image, kept.found, self.class_names, self.thresholds)
            detected.draw(self.output_dir / f"worst_{rank}.png", title=title, reference=kept.true[kept.true[:, 4] >= 0])
