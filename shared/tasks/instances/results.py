"""What is done with the instances found in a case: files, overlays and counts, or scores against a reference."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.engine.cases import Figures
from shared.engine.scores import draw_scores
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import read_table, write_atomically, write_json
from shared.images.cases import Case
from shared.images.reading import read_image
from shared.images.writing import refuse_overwriting
from shared.tasks.instances.files import coco_results, instance_table, write_geojson, write_ids
from shared.tasks.instances.metrics import (
    THRESHOLDS,
    aggregated_jaccard,
    coco_average_precision,
    matches,
    panoptic_quality,
    precision_of,
)  # fmt: skip
from shared.tasks.instances.pictures import draw_instances, draw_sheet

FORMATS = ("geojson", "coco")
METRICS = ("ap", "ap50", "ap75", "aji", "pq")


class InstanceWriter:
    """Write each case's map of ids, table and overlay; tell how many instances there are, how large and how dense.

    A result must hold "image", "pred", (1, rows, columns): ids 1 … N on the grid of the image's file, and "scores" and
    "labels" (N). formats: also `<case>.geojson` (QuPath), or all cases in COCO's form of results in instances.json.
    """

    def __init__(self, output_dir: str | Path, *, class_names: Sequence[str], formats: Sequence[str] = ()) -> None:
        unknown = [name for name in formats if name not in FORMATS]
        if unknown:
            raise InputError("--formats", expected=f"some of {', '.join(FORMATS)}", got=unknown[0], fix="correct it")
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.formats = list(formats)

    def finished(self, case: Case) -> Figures | None:
        files = [self._file(case["case"], ending) for ending in ("png", "json")]
        files += [self._overlay(case["case"])]
        files += [self._file(case["case"], "geojson")] if "geojson" in self.formats else []
        if not all(path.is_file() for path in files):
            return None
        try:
            ids, table = self._stored(case["case"])
            return self._figures(ids, table) if int(ids.max(initial=0)) == len(table) else None
        except (InputError, ValueError, KeyError, TypeError):  # spoilt by someone else: made anew
            return None

    def process(self, result: Mapping[str, Any]) -> Figures:
        case, source = result["case"], result["image"].meta["filename_or_obj"]
        for path in (self._file(case, "png"), self._overlay(case)):
            refuse_overwriting(path, source)
        ids = result["pred"][0].cpu().numpy()
        names = [self.class_names[index] for index in result["labels"].tolist()]
        table = instance_table(ids, result["scores"].tolist(), names)
        draw_instances(self._overlay(case), read_image(source).numpy(), ids)
        if "geojson" in self.formats:
            write_geojson(self._file(case, "geojson"), ids, table)
        write_ids(self._file(case, "png"), ids)
        rows, columns = ids.shape
        content = {"image": Path(source).name, "width": columns, "height": rows, "instances": table}
        write_json(self._file(case, "json"), content)
        return self._figures(ids, table)

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if "coco" not in self.formats:
            return

        def write(temporary: Path) -> None:
            with temporary.open("w", encoding="utf-8") as file:
                separator = "["
                for case in (row["case"] for row in rows if row["status"] == "ok"):
                    for result in coco_results(case, *self._stored(case), self.class_names):
                        file.write(separator + json.dumps(result))
                        separator = ",\n"
                file.write("]\n" if separator != "[" else "[]\n")

        write_atomically(self.output_dir / "instances.json", write)

    def _figures(self, ids: np.ndarray, table: Sequence[Mapping[str, Any]]) -> Figures:
        areas = [row["area_px"] for row in table]
        return {
            "count": len(table),
            "mean_area_px": round(float(np.mean(areas)), 1) if areas else None,
            "density_per_megapixel": round(1e6 * len(table) / ids.size, 1),
            "area_fraction": round(sum(areas) / ids.size, 4),
        }

    def _stored(self, case: str) -> tuple[np.ndarray, list[dict[str, Any]]]:
        ids = read_image(self._file(case, "png"), as_ids=True)[0].numpy().astype(np.int32)
        return ids, json.loads(self._file(case, "json").read_text(encoding="utf-8"))["instances"]

    def _file(self, case: str, ending: str) -> Path:
        return self.output_dir / f"{case}.{ending}"

    def _overlay(self, case: str) -> Path:
        return self.output_dir / "overlays" / f"{case}.png"


class InstanceScorer:
    """Score each case's instances against its reference, and sum up over the cases, in all and by group.

    A result must hold "image", "pred", (1, rows, columns), "scores" (N) and "label", ids (1, rows, columns).
    groups: a CSV with the columns id, the name of an image without its ending, and `group_column`; where there is no
    such file, all cases are of one group. Writes metrics.json, scores.png and worst.png, a sheet of the `worst` cases.
    """

    def __init__(
        self, output_dir: str | Path, *, groups: str | Path = "", group_column: str = "modality", worst: int = 10
    ) -> None:
        self.output_dir = Path(output_dir)
        self.column = group_column
        self.group_of = {
            row["id"]: row[group_column] for row in read_table(groups) if {"id", group_column} <= row.keys()
        }
        self.worst = worst
        self.counts: dict[str, np.ndarray] = {}
        self.results: dict[str, tuple[np.ndarray, list[float], np.ndarray]] = {}
        self.sources: dict[str, str] = {}

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a case alone

    def process(self, result: Mapping[str, Any]) -> Figures:
        case = result["case"]
        found, reference = (result[key][0].cpu().numpy().astype(np.int32) for key in ("pred", "label"))
        counts = matches(found, reference, THRESHOLDS)
        by_threshold = precision_of(counts)
        self.counts[case] = counts
        self.results[case] = (found, result["scores"].tolist(), reference)
        self.sources[case] = result["image"].meta["filename_or_obj"]
        return {
            self.column: self.group_of.get(Path(case).name, ""),
            "ap": float(by_threshold.mean()),
            "ap50": float(by_threshold[0]),
            "ap75": float(by_threshold[5]),
            "aji": aggregated_jaccard(found, reference),
            "pq": panoptic_quality(found, reference),
            "true": int(counts[0, [0, 2]].sum()),
            "found": int(counts[0, [0, 1]].sum()),
        }

    def conclude(self, rows: Sequence[Mapping[str, Any]]) -> None:
        done = [row for row in rows if row["status"] == "ok" and row["case"] in self.results]
        content: dict[str, Any] = {"cases": len(rows), "failed": len(rows) - len(done)}
        if done:
            content |= self._score(done)
        write_json(self.output_dir / "metrics.json", content)

    def _score(self, done: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        names = sorted({row[self.column] for row in done if row[self.column]})
        groups = {name: [row for row in done if row[self.column] == name] for name in names}
        scores = {"all": self._summary(done), **{name: self._summary(members) for name, members in groups.items()}}
        summary = {metric: summarise([row[metric] for row in done]) for metric in METRICS}
        shown = groups or {"all": list(done)}
        values = {f"{m}_{name}": [row[m] for row in rows] for m in METRICS for name, rows in shown.items()}
        draw_scores(self.output_dir / "scores.png", values)
        self._draw_worst(done)
        print(format_table([{"metric": m, **v} for m, v in summary.items()], ["metric", *STATISTICS]), "\n")
        columns = list(scores["all"])
        print(format_table([{"group": name, **values} for name, values in scores.items()], ["group", *columns]), "\n")
        return {**summary, "by_group": scores}

    def _summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Of some cases: means over images, counts pooled over images, and COCO's AP over all instances."""
        pooled = precision_of(np.sum([self.counts[row["case"]] for row in rows], axis=0))
        means = {metric: float(np.mean([row[metric] for row in rows])) for metric in METRICS}
        together = {"pooled_ap": pooled.mean(), "pooled_ap50": pooled[0], "pooled_ap75": pooled[5]}
        coco = coco_average_precision([self.results[row["case"]] for row in rows])
        figures = {**means, **{name: float(value) for name, value in together.items()}, **coco}
        return {"cases": len(rows), **{name: round(value, 6) for name, value in figures.items()}}

    def _draw_worst(self, done: Sequence[Mapping[str, Any]]) -> None:
        cases = []
        for row in sorted(done, key=lambda r: r["ap"])[: self.worst]:
            found, _, reference = self.results[row["case"]]
            title = f"{Path(row['case']).name[:12]}: AP {row['ap']:.2f}, AP50 {row['ap50']:.2f}"
            cases.append((title, read_image(self.sources[row["case"]]).numpy(), found, reference))
        draw_sheet(self.output_dir / "worst.png", cases)
