"""Labels carried from image to image by way of a frame."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import InputError
from shared.images.file import ImageFile
from shared.spatial.itk import displacement_to_itk, to_itk
from shared.studies.through_frame import overlap_through, rows_through
from shared.tasks.registration.registered import Registered

SIZE = (30, 24)


def square(row: int, column: int) -> ImageFile:
    """A slice with labels 1 and 2, the halves of a square of 8 voxels from (row, column) on."""
    values = np.zeros((1, *SIZE, 1), np.float32)
    values[0, row : row + 8, column : column + 4] = 1
    values[0, row : row + 8, column + 4 : column + 8] = 2
    return ImageFile(Path(f"{row}_{column}"), values, np.eye(4))


def moved(row: int, column: int, by: tuple[int, int]) -> Registered:
    """A square that a field moves `by` voxels, onto a frame; it is its own label map."""
    file, frame = square(row, column), square(10, 8)
    displacement = np.broadcast_to(np.reshape(by, (2, 1, 1)), (2, *SIZE)).astype(float)
    field = displacement_to_itk(displacement, to_itk(frame))
    return Registered("pair", moving=file, fixed=frame, field=field, moving_label=file)


def test_labels_go_to_the_frame_and_on_from_it() -> None:
    first, second = moved(6, 4, (-4, -4)), moved(14, 11, (4, 3))  # each from the frame's square at (10, 8)
    assert overlap_through(first, second) == 1
    assert overlap_through(second, first) == 1


def test_where_one_is_registered_badly_the_overlap_is_less() -> None:
    first, second = moved(6, 4, (-4, -4)), moved(14, 11, (4, 1))  # two voxels off along the second axis
    # Of each label, 4 voxels wide, two columns of four fall onto its own: 2 · 2 / (4 + 4).
    assert overlap_through(first, second) == pytest.approx(0.5)


def test_each_image_of_a_ring_goes_to_the_frame_once_and_the_first_once_more() -> None:
    calls: list[Path] = []

    def register(**images: Any) -> Registered:
        calls.append(images["moving"])
        return moved(10, 8, (0, 0))

    names = ["a", "b", "c", "d"]
    ring = [
        {"case": f"{m}_to_{f}", "moving": m, "fixed": f, "moving_label": m, "fixed_label": f}
        for m, f in zip(names, [*names[1:], names[0]])
    ]
    rows = list(rows_through(ring, register))
    assert [row["dice_through"] for row in rows] == [1, 1, 1, 1]
    assert calls == ["a", "b", "c", "d", "a"]


def test_a_pair_without_labels_is_refused() -> None:
    pair = {"case": "a_to_b", "moving": "a", "fixed": "b"}
    with pytest.raises(InputError, match=r"^a_to_b: expected label maps of both images"):
        list(rows_through([pair], lambda **_: moved(0, 0, (0, 0))))
