"""What is done with the images that atlases segmented: files, a row of the table each, and Dice over all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.atlases.cases import LEFT_OUT
from shared.atlases.files import from_array
from shared.atlases.segmented import DIGITS, AtlasSegmented
from shared.engine.outcomes import Figures, Result, Row, as_array
from shared.engine.summary import STATISTICS, summarise
from shared.engine.tables import format_table
from shared.errors import InputError
from shared.files import read_grown_table, write_json
from shared.images.cases import Case
from shared.images.reading import read_ids
from shared.tasks.segmentation.probabilities import as_uint16, names_of


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
