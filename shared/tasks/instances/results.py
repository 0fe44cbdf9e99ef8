"""What is done with the instances found in a case: files, overlays and counts, or scores against a reference."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from shared.engine.counting import right_count
from shared.engine.drawing import overlay_path
from shared.engine.outcomes import Figures, Result, Row, as_array
from shared.engine.scores import draw_scores
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import read_json, write_atomically, write_json
from shared.images.cases import Case
from shared.images.coco_writing import AnnotatedImage, file_name_of, write_coco
from shared.images.file import ImageFile
from shared.images.reading import read_image
from shared.tasks.instances.cases import read_groups
from shared.tasks.instances.files import InstanceRow, coco_annotations, instance_table, write_geojson, write_ids
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


@dataclass(frozen=True)
class FoundInstances:
    """The instances found in an image.

    ids: (rows, columns), 0 the background, 1 … N the surest first, on the image's own grid. scores and labels: of each.
    """

    case: str
    image: ImageFile
    ids: np.ndarray
    scores: Sequence[float]
    labels: Sequence[str]

    @cached_property
    def table(self) -> list[InstanceRow]:
        """A row an instance: see `instance_table`."""
        return instance_table(self.ids, self.scores, self.labels, self.image.pixel_size)

    def figures(self) -> Figures:
        """How many instances there are, how large and how dense."""
        return figures_of(self.ids, self.table)

    def save(self, folder: str | Path, *, formats: Sequence[str] = (), pictures: bool = True) -> None:
        """Write the map of ids and the table; with "geojson" among `formats` outlines, with `pictures` the overlay."""
        overlay, path = overlay_path(folder, self.case), Path(folder) / f"{self.case}.png"
        for target in (path, overlay) if pictures else (path,):
            self.image.refuse_as_target(target)
        if pictures:
            draw_instances(overlay, self.image.values, self.ids)
        if "geojson" in formats:
            write_geojson(Path(folder) / f"{self.case}.geojson", self.ids, self.table)
        write_ids(path, self.ids)
        rows, columns = self.ids.shape
        known = {"pixel_size_um": self.image.pixel_size} if self.image.pixel_size else {}
        content = {"image": self.image.path.name, "width": columns, "height": rows, **known, "instances": self.table}
        write_json(Path(folder) / f"{self.case}.json", content)


def figures_of(ids: np.ndarray, table: Sequence[InstanceRow]) -> Figures:
    areas = [row["area_px"] for row in table]
    in_um2 = [row["area_um2"] for row in table if "area_um2" in row]
    diameters = [row["diameter_um"] for row in table if "diameter_um" in row]
    known = {"mean_area_um2": np.mean(in_um2), "median_diameter_um": np.median(diameters)} if in_um2 else {}
    return {
        "count": len(table),
        "mean_area_px": round(float(np.mean(areas)), 1) if areas else None,
        "density_per_megapixel": round(1e6 * len(table) / ids.size, 1),
        "area_fraction": round(sum(areas) / ids.size, 4),
        **{name: round(float(value), 2) for name, value in known.items()},
    }


class InstanceWriter:
    """Write each case's map of ids, table and overlay; report how many instances there are, how large and how dense.

    A result must hold "files", with the "image", "pred", (1, rows, columns): ids 1 … N on the grid of that file, and
    "scores" and "labels" (N). formats: also `<case>.geojson` (QuPath), or all cases in COCO's form of results in
    instances.json and, with the images, as a complete COCO file in coco.json. pictures: whether overlays are drawn.
    """

    def __init__(
        self,
        output_dir: str | Path,
        *,
        class_names: Sequence[str],
        formats: Sequence[str] = (),
        pictures: bool = True,
    ) -> None:
        unknown = [name for name in formats if name not in FORMATS]
        if unknown:
            raise InputError("--formats", expected=f"some of {', '.join(FORMATS)}", got=unknown[0], fix="correct it")
        self.output_dir = Path(output_dir)
        self.class_names = list(class_names)
        self.formats = list(formats)
        self.pictures = pictures
        self.kept: dict[str, Compared] = {}
        self.summaries = ["instances.json", "coco.json"] if "coco" in formats else []

    def targets(self, case: str) -> list[str]:
        outlines = [f"{case}.geojson"] if "geojson" in self.formats else []
        overlay = [f"overlays/{case}.png"] if self.pictures else []
        return [f"{case}.png", f"{case}.json", *outlines, *overlay]

    def finished(self, case: Case) -> Figures | None:
        endings = ["png", "json", *(["geojson"] if "geojson" in self.formats else [])]
        files = [self._file(case["case"], ending) for ending in endings]
        files += [overlay_path(self.output_dir, case["case"])] if self.pictures else []
        if not all(path.is_file() for path in files):
            return None
        try:
            ids, table, _ = self._stored(case["case"])
            return figures_of(ids, table) if int(ids.max(initial=0)) == len(table) else None
        except (InputError, ValueError, KeyError, TypeError):  # spoilt by someone else: made anew
            return None

    def outcome(self, result: Result) -> FoundInstances:
        names = [self.class_names[index] for index in result["labels"].tolist()]
        ids = as_array(result["pred"])[0]
        return FoundInstances(result["case"], result["files"]["image"], ids, result["scores"].tolist(), names)

    def process(self, result: Result) -> Figures:
        instances = self.outcome(result)
        instances.save(self.output_dir, formats=self.formats, pictures=self.pictures)
        return instances.figures()

    def conclude(self, rows: Sequence[Row]) -> None:
        if "coco" not in self.formats:
            return

        results: list[str] = []
        images = []
        for case in (row["case"] for row in rows if self._is_done(row)):
            ids, table, name = self._stored(case)
            found = list(coco_annotations(ids, table, self.class_names))
            results += [json.dumps({"image_id": case} | one) for one in found]
            images.append(AnnotatedImage(file_name_of(case, name), ids.shape[1], ids.shape[0], found))
        text = "[" + ",\n".join(results) + "]\n"
        write_atomically(self.output_dir / "instances.json", lambda path: path.write_text(text, encoding="utf-8"))
        write_coco(self.output_dir / "coco.json", images, self.class_names)

    def _is_done(self, row: Row) -> bool:
        """Whether the results of a row's case are there; those of an earlier run may have been taken away."""
        return row["status"] == "ok" and all(self._file(row["case"], ending).is_file() for ending in ("png", "json"))

    def _stored(self, case: str) -> tuple[np.ndarray, list[InstanceRow], str]:
        """The ids and the table that were written of a case, and the name of its image."""
        ids = read_image(self._file(case, "png"), as_ids=True).values[0].astype(np.int32)
        content = read_json(self._file(case, "json"))
        return ids, content["instances"], content["image"]

    def _file(self, case: str, ending: str) -> Path:
        return self.output_dir / f"{case}.{ending}"


@dataclass(frozen=True)
class Compared:
    """The instances found in an image and those of its reference, both ids (rows, columns).

    counts: of true positives, false positives and false negatives, a row for each of THRESHOLDS.
    """

    image: Path
    found: np.ndarray
    scores: list[float]
    reference: np.ndarray
    counts: np.ndarray


class InstanceScorer:
    """Score each case's instances against its reference, and sum up over the cases, in all and by group.

    A result must hold what `InstanceWriter` takes and "label", ids (1, rows, columns).
    groups: a CSV with the columns id, the name of an image without its ending, and `group_column`; where there is no
    such file, all cases are of one group. Writes metrics.json, "counts_right" in it the threshold by which as many are
    found as there are, and with `pictures` scores.png and worst.png, a sheet of the `worst` cases.
    """

    def __init__(
        self,
        output_dir: str | Path,
        *,
        groups: str | Path = "",
        group_column: str = "modality",
        worst: int = 10,
        pictures: bool = True,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.column = group_column
        self.group_of = read_groups(groups, group_column)
        self.worst = worst
        self.kept: dict[str, Compared] = {}
        self.pictures = pictures
        self.summaries = ["metrics.json", *(["scores.png", "worst.png"] if pictures else [])]

    def targets(self, case: str) -> list[str]:
        return []

    def finished(self, case: Case) -> Figures | None:
        return None  # nothing is written of a case alone

    def process(self, result: Result) -> Figures:
        case = result["case"]
        found, reference = (result[key][0].cpu().numpy().astype(np.int32) for key in ("pred", "label"))
        counts = matches(found, reference, THRESHOLDS)
        by_threshold = precision_of(counts)
        image = result["files"]["image"].path
        self.kept[case] = Compared(image, found, result["scores"].tolist(), reference, counts)
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

    def conclude(self, rows: Sequence[Row]) -> None:
        done = [row for row in rows if row["status"] == "ok"]
        content: dict[str, object] = {"cases": len(rows), "failed": len(rows) - len(done)}
        if done:
            content |= self._score(done)
        write_json(self.output_dir / "metrics.json", content)

    def _score(self, done: Sequence[Row]) -> dict[str, object]:
        names = sorted({row[self.column] for row in done if row[self.column]})
        groups = {name: [row for row in done if row[self.column] == name] for name in names}
        scores = {"all": self._summary(done), **{name: self._summary(members) for name, members in groups.items()}}
        summary = {metric: summarise([row[metric] for row in done]) for metric in METRICS}
        if self.pictures:
            shown = groups or {"all": list(done)}
            values = {f"{m}_{name}": [row[m] for row in rows] for m in METRICS for name, rows in shown.items()}
            draw_scores(self.output_dir / "scores.png", values)
            self._draw_worst(done)
        print(format_table([{"metric": m, **v} for m, v in summary.items()], ["metric", *STATISTICS]), "\n")
        columns = list(scores["all"])
        print(format_table([{"group": name, **values} for name, values in scores.items()], ["group", *columns]), "\n")
        return {**summary, "by_group": scores, "counts_right": self._counts_right(done)}

    def _counts_right(self, rows: Sequence[Row]) -> float | None:
        """None where fewer instances were found, at the threshold of this run, than there are."""
        found = np.concatenate([self.kept[row["case"]].scores for row in rows])
        return right_count(found, sum(row["true"] for row in rows))

    def _summary(self, rows: Sequence[Row]) -> dict[str, float]:
        """Of some cases: means over images, counts pooled over images, and COCO's AP over all instances."""
        compared = [self.kept[row["case"]] for row in rows]
        pooled = precision_of(np.sum([c.counts for c in compared], axis=0))
        means = {metric: float(np.mean([row[metric] for row in rows])) for metric in METRICS}
        together = {"pooled_ap": pooled.mean(), "pooled_ap50": pooled[0], "pooled_ap75": pooled[5]}
        coco = coco_average_precision([(c.found, c.scores, c.reference) for c in compared])
        figures = {**means, **{name: float(value) for name, value in together.items()}, **coco}
        return {"cases": len(rows), **{name: round(value, 6) for name, value in figures.items()}}

    def _draw_worst(self, done: Sequence[Row]) -> None:
        cases = []
        for row in sorted(done, key=lambda r: r["ap"])[: self.worst]:
            compared = self.kept[row["case"]]
            title = f"{Path(row['case']).name[:12]}: AP {row['ap']:.2f}, AP50 {row['ap50']:.2f}"
            cases.append((title, read_image(compared.image).values, compared.found, compared.reference))
        draw_sheet(self.output_dir / "worst.png", cases)
