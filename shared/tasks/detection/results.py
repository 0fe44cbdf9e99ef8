"""What is done with the objects found in a case: files, overlays and counts, or scores against the true ones."""

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shared.engine.cases import Figures
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import write_atomically, write_json
from shared.images.cases import Case
from shared.images.reading import read_image
from shared.tasks.detection.metrics import coco_evaluation, coco_scores, confusion, precision_curves
from shared.tasks.detection.pictures import draw_boxes, draw_detection_scores


class DetectionWriter:
    """Write each case's objects and overlay; tell how many there are of each class, and of each for one of another.

    A result must hold "image" and "pred", (K, 6): corners (row1, column1, row2, column2) in pixels of the image's
    file, score, class. All are written, as `<case>.json` and in COCO's form of results in detections.json, where
    image_id is the case and category_id counts from 1; those of a score of `threshold` or more are drawn and counted.
    """

    def __init__(self, output_dir: str | Path, *, class_names: Sequence[str], threshold: float) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.threshold = threshold

    def finished(self, case: Case) -> Figures | None:
        if not (self._file(case["case"]).is_file() and self._overlay(case["case"]).is_file()):
            return None
        try:
            content = json.loads(self._file(case["case"]).read_text(encoding="utf-8"))
            return self._counts(content["labels"], content["scores"])
        except (ValueError, KeyError, TypeError):  # spoilt by someone else: made anew
            return None

    def process(self, result: Mapping[str, Any]) -> Figures:
        case, source, found = result["case"], result["image"].meta["filename_or_obj"], result["pred"].cpu()
        if Path(source).resolve() == self._overlay(case).resolve():
            raise InputError(source, expected="results elsewhere", got="their place", fix="choose another --output_dir")
        rows, columns = result["image"].shape[1:]
        sure = found[found[:, 4] >= self.threshold]
        draw_boxes(self._overlay(case), read_image(source).numpy(), sure, class_names=self.class_names, title=case)
        boxes = [[c1, r1, c2, r2] for r1, c1, r2, c2 in found[:, :4].tolist()]
        content = {
            "image": Path(source).name,
            "width": columns,
            "height": rows,
            "boxes": [[round(x, 2) for x in box] for box in boxes],
            "labels": [self.class_names[i] for i in found[:, 5].long().tolist()],
            "scores": [round(s, 4) for s in found[:, 4].tolist()],
        }
        text = json.dumps(content, indent=None)
        write_atomically(self._file(case), lambda path: path.write_text(text + "\n", encoding="utf-8"))
        return self._counts(content["labels"], content["scores"])

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        results = []
        for case in (row["case"] for row in rows if row["status"] == "ok"):
            content = json.loads(self._file(case).read_text(encoding="utf-8"))
            for (x1, y1, x2, y2), label, score in zip(content["boxes"], content["labels"], content["scores"]):
                box = [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
                category = self.class_names.index(label) + 1
                results.append({"image_id": case, "category_id": category, "bbox": box, "score": score})
        text = "[" + ",\n".join(json.dumps(result) for result in results) + "]\n"
        write_atomically(self.output_dir / "detections.json", lambda path: path.write_text(text, encoding="utf-8"))

    def _file(self, case: str) -> Path:
        return self.output_dir / f"{case}.json"

    def _overlay(self, case: str) -> Path:
        return self.output_dir / "overlays" / f"{case}.png"

    def _counts(self, labels: Sequence[str], scores: Sequence[float]) -> Figures:
        sure = [label for label, score in zip(labels, scores) if score >= self.threshold]
        counts = {name: sure.count(name) for name in self.class_names}
        ratios = {
            f"{a}/{b}": round(counts[a] / counts[b], 3) if counts[b] else None
            for a, b in combinations(self.class_names[:3], 2)
        }
        return {**counts, **ratios}


class DetectionScorer:
    """Hold each case's objects against the true ones, and sum up over the cases by COCO's rules.

    A result must hold "image", "pred" as `DetectionWriter` takes it, and "label", (M, 5): corners and class. Writes
    metrics.json, scores.png (precision by recall, confusions, counts) and overlays of the `worst` cases. Counts,
    confusions and pictures are of objects of a score of `threshold` or more, AP of all.
    """

    def __init__(self, output_dir: str | Path, *, class_names: Sequence[str], threshold: float, worst: int = 3) -> None:
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.threshold = threshold
        self.worst = worst
        self.results: dict[str, tuple[str, Tensor, Tensor]] = {}

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a case alone

    def process(self, result: Mapping[str, Any]) -> Figures:
        found, true = result["pred"].cpu(), torch.as_tensor(result["label"]).cpu()
        true = true[true[:, 4] >= 0]
        self.results[result["case"]] = (result["image"].meta["filename_or_obj"], found, true)
        pairs = confusion([found[found[:, 4] >= self.threshold]], [true], len(self.class_names))
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

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        done = [row for row in rows if row["status"] == "ok"]
        summary: dict[str, Any] = {"cases": len(rows), "failed": len(rows) - len(done)}
        if done:
            summary |= self._score(done)
        write_json(self.output_dir / "metrics.json", summary)

    def _score(self, done: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        results = [self.results[row["case"]] for row in done if row["case"] in self.results]
        found, true = [r[1] for r in results], [r[2] for r in results]
        evaluation = coco_evaluation(found, true, self.class_names)
        scores = coco_scores(evaluation, self.class_names)
        sure = [f[f[:, 4] >= self.threshold] for f in found]
        pairs = confusion(sure, true, len(self.class_names))
        counts = {name: [(row[f"{name}_true"], row[f"{name}_found"]) for row in done] for name in self.class_names}
        errors = {name: summarise([abs(a - b) for a, b in of_class]) for name, of_class in counts.items()}
        draw_detection_scores(
            self.output_dir / "scores.png", curves=precision_curves(evaluation, self.class_names), pairs=pairs,
            counts=counts, class_names=self.class_names,
        )  # fmt: skip
        self._draw_worst(done)
        print(format_table([{"metric": name, "value": value} for name, value in scores.items()], ["metric", "value"]))
        print(f"\ncounting error by image, of objects of a score of {self.threshold:g} or more")
        print(format_table([{"class": n, **e} for n, e in errors.items()], ["class", *STATISTICS]), "\n")
        confusions = {
            "rows": "true",
            "columns": "found",
            "order": [*self.class_names, "nothing"],
            "counts": pairs.tolist(),
        }
        return {**scores, "counting_error": errors, "threshold": self.threshold, "confusion": confusions}

    def _draw_worst(self, done: Sequence[Mapping[str, Any]]) -> None:
        ranked = sorted(done, key=lambda row: -(row["missed_or_wrong"] + row["too_many"]))[: self.worst]
        for rank, row in enumerate(ranked, start=1):
            source, found, true = self.results[row["case"]]
            title = f"{row['case']}: {row['missed_or_wrong']} missed or wrong, {row['too_many']} too many"
            draw_boxes(
                self.output_dir / f"worst_{rank}.png", read_image(source).numpy(), found[found[:, 4] >= self.threshold],
                class_names=self.class_names, title=title, reference=true,
            )  # fmt: skip
