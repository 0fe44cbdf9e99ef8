"""Maps of instances in the forms that other programs read: PNG, COCO's run lengths, GeoJSON for QuPath."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
from PIL import Image
from scipy.ndimage import find_objects

from shared.errors import InputError
from shared.files import write_atomically

MEASURED: tuple[Literal["score", "area_px", "area_um2", "diameter_um"], ...]
MEASURED = ("score", "area_px", "area_um2", "diameter_um")  # what QuPath shows of an instance
MOST_INSTANCES = 2**16 - 1  # that 16 bits can name


class InstanceRow(TypedDict):
    """What is written of an instance: see `instance_table`."""

    id: int
    box: list[int]
    score: float
    label: str
    area_px: int
    area_um2: NotRequired[float]
    diameter_um: NotRequired[float]


class RunLengths(TypedDict):
    """COCO's, of a mask of `size` (rows, columns): how many pixels are out and in, by turns, column by column."""

    size: list[int]
    counts: list[int]


def write_ids(path: str | Path, ids: np.ndarray) -> Path:
    """Write ids (rows, columns) as a PNG of 16 bits. Raises InputError where there are more than it can name."""
    if ids.max(initial=0) > MOST_INSTANCES:
        raise InputError(
            path, expected=f"at most {MOST_INSTANCES:,} instances in an image", got=int(ids.max()),
            fix="cut the image into parts",
        )  # fmt: skip
    return write_atomically(path, lambda temporary: Image.fromarray(ids.astype(np.uint16)).save(temporary))


def instance_table(
    ids: np.ndarray, scores: Sequence[float], names: Sequence[str], pixel_size: float | None = None
) -> list[InstanceRow]:
    """A row for each id 1 … N of (rows, columns): id, box (x1, y1, x2, y2) in pixels, score, label, area in pixels.

    pixel_size: in µm, where it is known; the area is then in µm² as well, and the diameter of its circle in µm.
    """
    areas = np.bincount(ids.ravel(), minlength=len(scores) + 1)[1:]
    return [
        {
            "id": number,
            "box": [place[1].start, place[0].start, place[1].stop, place[0].stop],
            "score": round(float(score), 4),
            "label": name,
            "area_px": int(area),
            **_in_micrometres(int(area), pixel_size),
        }
        for number, (place, score, name, area) in enumerate(zip(find_objects(ids), scores, names, areas), start=1)
    ]


def _in_micrometres(area_px: int, pixel_size: float | None) -> Any:
    """The entries of an `InstanceRow` that need the size of a pixel."""
    if pixel_size is None:
        return {}
    area = area_px * pixel_size**2
    return {"area_um2": round(area, 3), "diameter_um": round(2 * (area / np.pi) ** 0.5, 3)}


def run_lengths(ids: np.ndarray) -> Iterator[tuple[int, RunLengths]]:
    """Of each id that is there, in their order: it, and its pixels as COCO's run lengths, column by column."""
    rows, columns = ids.shape
    for number, place in enumerate(find_objects(ids), start=1):
        if place is None:
            continue
        across, down = np.nonzero(number == ids[place].T)
        at = (across + place[1].start) * rows + down + place[0].start
        first = np.flatnonzero(np.diff(at, prepend=-2) > 1)  # of each run
        lengths = np.diff(np.append(first, len(at)))
        gaps = at[first] - np.append(0, (at[first] + lengths)[:-1])
        counts = np.stack([gaps, lengths], axis=1).ravel().tolist()
        counts.append(rows * columns - int(at[-1]) - 1)
        yield number, {"size": [rows, columns], "counts": counts if counts[-1] else counts[:-1]}


def compressed(rle: RunLengths) -> dict[str, object]:
    """COCO's run lengths as the text that pycocotools packs them into."""
    from pycocotools.mask import frPyObjects

    packed = frPyObjects(rle, *rle["size"])
    return {"size": rle["size"], "counts": packed["counts"].decode("ascii")}


def coco_annotations(ids: np.ndarray, table: Sequence[InstanceRow], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The instances of an image as COCO has them, with run lengths, but for the image's id.

    category_id counts from 1 in the order of `names`.
    """
    rows = {row["id"]: row for row in table}
    for number, rle in run_lengths(ids):
        row = rows[number]
        x1, y1, x2, y2 = row["box"]
        yield {
            "category_id": names.index(row["label"]) + 1, "segmentation": compressed(rle), "area": row["area_px"],
            "bbox": [x1, y1, x2 - x1, y2 - y1], "score": row["score"],
        }  # fmt: skip


def write_geojson(path: str | Path, ids: np.ndarray, table: Sequence[InstanceRow]) -> Path:
    """Write the outline of each instance as a detection that QuPath reads: x to the right, y down, in pixels.

    A pixel's centre is at 0.5. The outline runs between the centres of pixels inside and outside; holes are filled.
    """
    features = []
    for row, place in zip(table, find_objects(ids)):
        corner = np.array([place[1].start, place[0].start])
        outline = outline_of(ids[place] == row["id"]) + corner
        features.append({
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [outline.tolist()]},
            "properties": {
                "objectType": "detection",
                "name": str(row["id"]),
                "classification": {"name": row["label"]},
                "measurements": {name: row[name] for name in MEASURED if name in row},
            },
        })  # fmt: skip
    text = json.dumps({"type": "FeatureCollection", "features": features})
    return write_atomically(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def outline_of(mask: np.ndarray) -> np.ndarray:
    """The outer border of a mask in one part, (N, 2): x and y of its corners, the first one again at the end."""
    from skimage.measure import find_contours

    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    longest = max(contours, key=len)
    return longest[:, ::-1] - 0.5  # less the margin, plus half a pixel
