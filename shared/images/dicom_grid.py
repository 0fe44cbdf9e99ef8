"""The grid of a DICOM series: its planes in order, at even distances, on axes at right angles."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.dicom_header import Header

CONVERT = "convert it to NIfTI, say with dcm2niix, and give one volume a file"
LARGEST_TURN = 1e-3  # between the axes of two planes of a volume, as a cosine
LARGEST_DRIFT = 0.1  # pixels, from the first to the last plane, that are rounding rather than a tilted gantry
# What may set two images of one place apart: the name in a header, and in a message.
REPEATS = {"BValue": "b-values", "EchoTime": "echoes", "TemporalPosition": "time points", "AcquisitionNumber": "times"}


@dataclass(frozen=True)
class Plane:
    """One image of a series. position (3,) and the axes of rows and columns (2, 3): LPS, mm. spacing: along both."""

    position: np.ndarray
    axes: np.ndarray
    spacing: np.ndarray
    slope: tuple[str, str]
    repeat: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class SeriesGrid:
    """order: of the planes along the normal. affine: (4, 4), voxels (column, row, plane) to mm, RAS.

    drift: (2,), the pixels by which each plane lies further along the rows and the columns than the one before it,
    where the gantry was tilted; the affine is that of the first plane and has none of it.
    """

    order: np.ndarray
    affine: np.ndarray
    drift: np.ndarray


def planes_of(header: Header) -> list[Plane]:
    """The planes of a file: one, or one a frame of an enhanced image."""
    if "PerFrame" not in header:
        return [_plane([header])]
    shared = header.get("Shared") or [{}]
    return [_plane([*_groups(frame), *_groups(shared[0]), header]) for frame in header["PerFrame"]]


def grid_of_planes(planes: list[Plane], path: Path, thickness: float) -> SeriesGrid:
    """Put the planes of one volume in order. thickness, in mm: the distance of the next where there is but one.

    Raises InputError where they are no volume: turned against each other, several at a place, uneven, missing.
    """
    rows, columns, normal = _axes(planes, path)
    positions = np.array([plane.position for plane in planes])
    depths = positions @ normal
    order = np.argsort(depths, kind="stable")
    positions, gaps = positions[order], np.diff(depths[order])
    _check_gaps(gaps, planes, path)
    step = (positions[-1] - positions[0]) / len(gaps) if len(gaps) else thickness * normal
    spacing = planes[0].spacing
    ideal = positions[0] + np.arange(len(planes))[:, None] * step
    if np.abs(positions - ideal).max() > 0.02 * np.linalg.norm(step) + 0.01:
        raise InputError(path, expected="slices along a straight line", got="others", fix=CONVERT)
    drift = np.array([step @ rows, step @ columns]) / spacing
    if np.abs(drift).max() * len(gaps) <= LARGEST_DRIFT:
        drift = np.zeros(2)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([rows, columns, normal], axis=1) * [*spacing, step @ normal]
    affine[:3, 3] = positions[0]
    return SeriesGrid(order, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, drift)


def straightened(values: np.ndarray, grid: SeriesGrid) -> tuple[np.ndarray, np.ndarray]:
    """The planes (columns, rows, planes) of a tilted series, sheared into place, and the affine of the result.

    The grid grows so that it holds all of them; between pixels the values are linear, and outside a plane they are the
    series' lowest.
    """
    from scipy.ndimage import shift

    count = values.shape[2]
    last = grid.drift * (count - 1)
    low, high = np.floor(np.minimum(last, 0)).astype(int), np.ceil(np.maximum(last, 0)).astype(int)
    lowest = values.min()
    canvas = np.full((*(np.array(values.shape[:2]) + high - low), count), lowest, dtype=np.float32)
    for number in range(count):
        plane = np.pad(values[..., number], [(0, extra) for extra in high - low], constant_values=lowest)
        offset = grid.drift * number - low
        canvas[..., number] = shift(plane.astype(np.float32), offset, order=1, mode="constant", cval=lowest)
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, :2] @ low
    return canvas, affine


def _axes(planes: list[Plane], path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors along the rows, the columns and the normal, which all planes must share."""
    axes = np.array([plane.axes for plane in planes])
    spacings = np.array([plane.spacing for plane in planes])
    if np.abs(axes - axes[0]).max() > LARGEST_TURN or np.abs(spacings / spacings[0] - 1).max() > LARGEST_TURN:
        raise InputError(
            path, expected="slices of one orientation and pixel size", got="several, as localizers have", fix=CONVERT
        )
    rows = axes[0, 0] / np.linalg.norm(axes[0, 0])
    columns = axes[0, 1] / np.linalg.norm(axes[0, 1])
    if not abs(rows @ columns) <= LARGEST_TURN:
        raise InputError(
            path, expected="rows and columns at right angles", got=f"a cosine of {rows @ columns:.2g}", fix=CONVERT
        )
    columns -= rows * (rows @ columns)
    columns /= np.linalg.norm(columns)
    return rows, columns, np.cross(rows, columns)


def _check_gaps(gaps: np.ndarray, planes: list[Plane], path: Path) -> None:
    """Refuse planes that do not follow each other at even distances: some missing, or several at a place."""
    places = 1 + int((gaps > 1e-3).sum())
    if places < len(planes) and len(planes) % places == 0:
        differing = [REPEATS[k] for k in REPEATS if len({str(plane.repeat.get(k)) for plane in planes}) > 1]
        raise InputError(
            path, expected="one volume a series", fix=CONVERT,
            got=f"{len(planes) // places} images of each slice: {', '.join(differing) or 'time points or the like'}",
        )  # fmt: skip
    if len(gaps) and (np.ptp(gaps) > 0.02 * gaps.mean() + 0.01 or gaps.mean() < 1e-3):
        raise InputError(
            path, expected="slices at even distances", got=f"gaps from {gaps.min():g} to {gaps.max():g} mm",
            fix="give one complete volume a folder",
        )  # fmt: skip


def _plane(groups: list[Header]) -> Plane:
    """The plane of a frame whose elements stand in `groups`, the first that has one."""

    def numbers(name: str, default: str) -> np.ndarray:
        text = next((group[name] for group in groups if group.get(name)), default)
        return np.array(text.split("\\"), dtype=float)

    def text(name: str) -> object:
        return next((group[name] for group in groups if name in group), None)

    return Plane(
        position=numbers("Position", "0\\0\\0"),
        axes=numbers("Orientation", "1\\0\\0\\0\\1\\0").reshape(2, 3),
        spacing=numbers("PixelSpacing", "1\\1")[::-1],  # the standard has that between rows first
        slope=(str(text("RescaleSlope")), str(text("RescaleIntercept"))),
        repeat={name: text(name) for name in REPEATS},
    )


def _groups(functional: Header) -> list[Header]:
    """The functional groups of a frame: the one item of each sequence."""
    return [items[0] for items in functional.values() if isinstance(items, list) and items]
