from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from shared.engine import canvas
from shared.tasks.segmentation import pictures
from shared.tasks.segmentation.pictures import COLOURS, draw_overlay

NAMES = ["background", "first", "second"]
SHAPE, ZOOMS = (10, 12, 8), np.array([2.0, 1.0, 3.0])  # 20 × 12 × 24 mm, right, anterior and superior
TILT = np.array([[1, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
AFFINE = np.eye(4)
AFFINE[:3] = np.c_[TILT * ZOOMS, (-30, 5, 12)]


def with_box(shape: Sequence[int], *ranges: tuple[int, int], label: int = 1) -> np.ndarray:
    labels = np.zeros(shape, dtype=np.uint8)
    labels[tuple(slice(*r) for r in ranges)] = label
    return labels


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def panels(path: Path) -> list[np.ndarray]:
    """The pixels (rows, columns, RGB) of the pictures in a PNG, which hold no white and stand side by side on white."""
    pixels = read(path)
    inked = np.less(pixels, 200).any(axis=-1)
    columns = np.flatnonzero(inked.mean(axis=0) > 0.5)
    found = []
    for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
        rows = np.flatnonzero(inked[:, run].mean(axis=1) > 0.9)
        found.append(pixels[rows[0] : rows[-1] + 1, run[0] : run[-1] + 1])
    return found


def outlined(panel: np.ndarray) -> np.ndarray:
    """Where the outlines of class 1 are."""
    return abs(panel - 255 * np.array(to_rgb(COLOURS[0]))).max(axis=-1) < 60


def assert_box(panel: np.ndarray, rows: tuple[float, float], columns: tuple[float, float]) -> None:
    """The outlines of class 1 span the given rows and columns, as fractions of the panel."""
    for expected, found, size in zip((rows, columns), np.nonzero(outlined(panel)), panel.shape):
        # Half a line's width, the panel's frame and rounding are a pixel each; half a voxel is 8 pixels or more.
        assert (found.min(), found.max() + 1) == pytest.approx([size * e for e in expected], abs=3)


def test_outlines_of_a_volume_lie_where_its_labels_are_in_mm(tmp_path: Path) -> None:
    labels = with_box(SHAPE, (1, 4), (2, 7), (5, 7))
    path = draw_overlay(tmp_path / "a.png", np.zeros((1, *SHAPE)), labels, class_names=NAMES, affine=AFFINE)
    sagittal, coronal, axial = panels(path)
    # Rows go down from superior or anterior, columns from posterior or from right to left: all but one against RAS.
    right_to_left, posterior_to_anterior = (1 - 8 / 20, 1 - 2 / 20), (2 / 12, 7 / 12)
    superior_down, anterior_down = (1 - 21 / 24, 1 - 15 / 24), (1 - 7 / 12, 1 - 2 / 12)
    assert_box(sagittal, superior_down, posterior_to_anterior)
    assert_box(coronal, superior_down, right_to_left)
    assert_box(axial, anterior_down, right_to_left)
    for panel, across, up in ((sagittal, 12, 24), (coronal, 20, 24), (axial, 20, 12)):  # mm
        assert panel.shape[1] / panel.shape[0] == pytest.approx(across / up, rel=0.02)  # 4 of 200 pixels


def test_letters_name_the_sides_of_the_patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters: list[tuple[str, float, float]] = []

    def note(picture: Image.Image, place: tuple[float, float], text: str, **options: object) -> None:
        letters.append((text, place[0] / picture.width, place[1] / picture.height))

    monkeypatch.setattr(pictures, "write_label", note)
    corner = with_box(SHAPE, (9, 10), (11, 12), (7, 8))  # the last voxel along R, A and S
    path = draw_overlay(tmp_path / "a.png", np.zeros((1, *SHAPE)), corner, class_names=NAMES, affine=AFFINE)
    named = []
    for number, panel in enumerate(panels(path)):
        rows, columns = np.nonzero(outlined(panel))
        x, y = columns.mean() / panel.shape[1], rows.mean() / panel.shape[0]
        around = letters[4 * number : 4 * number + 4]
        beside = [letter for letter, at, _ in around if abs(at - x) < 0.2]
        above = [letter for letter, _, at in around if abs(at - y) < 0.2]
        named.append("".join(beside + above))
    assert named == ["AS", "RS", "RA"]


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((0, 1, 2), (1, 1, -1)), ((0, 1, 2), (-1, -1, 1)), ((2, 0, 1), (1, -1, -1)), ((1, 0, 2), (-1, 1, -1))],
)
def test_the_picture_does_not_depend_on_how_the_volume_is_stored(
    tmp_path: Path, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    image = np.random.default_rng(0).uniform(size=SHAPE)
    labels = with_box(SHAPE, (1, 4), (2, 7), (5, 7)) + with_box(SHAPE, (6, 9), (2, 4), (0, 6), label=2)
    affine = AFFINE.copy()
    affine[:, :3] = AFFINE[:, axes] * flips
    for axis, flip, size in zip(axes, flips, np.array(SHAPE)[list(axes)]):
        affine[:, 3] += AFFINE[:, axis] * (size - 1) * (flip < 0)  # the first voxel is where the last one was
    ways = tuple(slice(None, None, flip) for flip in flips)
    stored = [volume.transpose(axes)[ways] for volume in (image, labels)]
    a = draw_overlay(tmp_path / "a.png", image[None], labels, class_names=NAMES, affine=AFFINE)
    b = draw_overlay(tmp_path / "b.png", stored[0][None], stored[1], class_names=NAMES, affine=affine)
    assert np.array_equal(read(a), read(b))


@pytest.mark.parametrize(("labelled", "shown"), [({2: 2, 7: 4}, 7), ({1: 5, 7: 4}, 1), ({}, 5)])
def test_a_view_cuts_most_labelled_voxels_or_else_the_middle(
    tmp_path: Path, labelled: dict[int, int], shown: int
) -> None:
    image = np.broadcast_to(np.arange(10.0), (1, 16, 16, 10))  # each axial slice is as gray as its index
    labels = sum(
        (with_box((16, 16, 10), (0, w), (0, w), (z, z + 1)) for z, w in labelled.items()), np.zeros((16, 16, 10))
    )
    axial = panels(draw_overlay(tmp_path / "a.png", image, labels, class_names=NAMES, affine=np.eye(4)))[2]
    centre = axial[axial.shape[0] // 2, axial.shape[1] // 2]
    assert centre == pytest.approx(255 * shown / 9, abs=1)  # black is slice 0, white slice 9


def test_a_2d_image_is_drawn_whole_and_in_its_colours_with_rows_down(tmp_path: Path) -> None:
    image = np.zeros((3, 20, 30))
    image[0, :, 15:] = 200  # red on the right
    image[1, 10:] = 200  # green below
    labels = with_box((20, 30), (2, 5), (4, 25))
    (panel,) = panels(draw_overlay(tmp_path / "a.png", image, labels, class_names=NAMES, affine=np.eye(4)))
    height, width, _ = panel.shape
    assert width / height == pytest.approx(30 / 20, rel=0.01)  # 5 of 555 pixels
    assert_box(panel, (2 / 20, 5 / 20), (4 / 30, 25 / 30))
    quarters = panel[[[int(0.4 * height)], [int(0.8 * height)]], [int(0.2 * width), int(0.8 * width)]]
    assert quarters.tolist() == [[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [255, 255, 0]]]


def test_a_picture_of_4096_pixels_is_thinned_out_with_its_outline_in_place(tmp_path: Path) -> None:
    image = np.zeros((3, 4096, 2500), dtype=np.uint8)
    image[0, 2048:] = 200  # red below
    labels = with_box((4096, 2500), (512, 1024), (1250, 2375))
    path = draw_overlay(tmp_path / "a.png", image, labels, class_names=NAMES, affine=np.eye(4))
    (panel,) = panels(path)
    height, width, _ = panel.shape
    assert width / height == pytest.approx(2500 / 4096, rel=0.01)  # 5 of 488 pixels
    # Thinning by 3 may move an edge by 3 of 4,096 pixels, 0.6 of the 800 of the picture.
    assert_box(panel, (512 / 4096, 1024 / 4096), (1250 / 2500, 2375 / 2500))
    border = np.flatnonzero(np.diff(panel[:, width // 5, 0]) > 100)  # where no outline is
    assert border == pytest.approx([height / 2], abs=3)


# Of 1,601 pixels every second is left, of 4,096 every third; pictures of less than 800 are enlarged to that.
@pytest.mark.parametrize(
    ("size", "expected"),
    [((1600, 20), (1600, 20)), ((20, 1601), (10, 801)), ((4096, 4096), (1366, 1366)), ((20, 40), (400, 800))],
)
def test_a_picture_is_thinned_out_only_as_far_as_it_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    sizes = []

    def note(values: np.ndarray, size: tuple[int, int]) -> Image.Image:
        sizes.append(size[::-1])
        return canvas.panel(values, size)

    monkeypatch.setattr(pictures, "panel", note)
    image = np.zeros((1, *size), dtype=np.float32)
    draw_overlay(tmp_path / "a.png", image, with_box(size, (0, 9), (0, 9)), class_names=NAMES, affine=np.eye(4))
    assert sizes == [expected]


def test_gray_runs_from_the_darkest_to_the_brightest_but_half_a_percent(tmp_path: Path) -> None:
    image = np.full((1, 20, 30), 300.0)
    image[0, :, :15] = 100
    image[0, :4, :4] = 700
    image[0, 10, 10] = 1e6  # 1 of 600 voxels
    (panel,) = panels(draw_overlay(tmp_path / "a.png", image, image[0] > 1e7, class_names=NAMES, affine=np.eye(4)))
    left, right = panel[len(panel) * 3 // 4, [panel.shape[1] // 4, panel.shape[1] * 3 // 4], 0]
    assert left == 0
    assert right == pytest.approx(255 * (300 - 100) / (700 - 100), abs=1)


def test_the_reference_is_dotted(tmp_path: Path) -> None:
    left, right = with_box((20, 30), (5, 15), (2, 12)), with_box((20, 30), (5, 15), (18, 28))
    path = draw_overlay(
        tmp_path / "a.png", np.zeros((1, 20, 30)), left, reference=right, class_names=NAMES, affine=np.eye(4)
    )
    (panel,) = panels(path)
    assert_box(panel, (5 / 20, 15 / 20), (2 / 30, 28 / 30))  # both are drawn, each on its side
    solid, dotted = (outlined(half).sum() for half in np.array_split(panel, 2, axis=1))
    assert 0.1 * solid < dotted < 0.7 * solid  # dots are 1 line width long, gaps 1.65


def test_only_classes_in_neither_map_are_marked_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[str] = []

    def note(classes: Sequence[tuple[str, str]], width: int) -> Image.Image:
        entries.extend(name for name, _ in classes)
        return canvas.legend(classes, width)

    monkeypatch.setattr(pictures, "legend", note)
    labels, reference = with_box((8, 8), (1, 3), (1, 3)), with_box((8, 8), (4, 6), (4, 6), label=3)
    names = ["background", "found", "nowhere", "missed"]
    draw_overlay(
        tmp_path / "a.png", np.zeros((1, 8, 8)), labels, reference=reference, class_names=names, affine=np.eye(4)
    )
    assert entries == ["found", "nowhere (none)", "missed"]


def test_colours_may_be_given_and_classes_of_one_name_share_a_line_of_the_legend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    legends = []

    def kept(entries: list[tuple[str, str]], width: int) -> Image.Image:
        legends.append(entries)
        return canvas.legend(entries, width)

    monkeypatch.setattr(pictures, "legend", kept)
    labels = with_box(SHAPE, (1, 4), (2, 7), (2, 6), label=2)
    path = draw_overlay(
        tmp_path / "a.png", np.zeros((1, *SHAPE)), labels, class_names=["background", "it", "it", "other"],
        affine=AFFINE, colours=["#ff0000", "#00ff00", "#0000ff"],
    )  # fmt: skip
    assert legends == [[("it", "#ff0000"), ("other (none)", "#0000ff")]]
    for panel in panels(path):
        assert ((panel[..., 1] > 200) & (panel[..., 0] < 60)).any()  # class 2 in green
        assert not ((panel[..., 0] > 200) & (panel[..., 1] < 60)).any()


def test_central_slices_go_through_the_middle_of_what_is_labelled() -> None:
    """One thick slab, with most voxels in its second slice, and a thin tail far off."""
    labels = with_box((20, 6, 6), (0, 12), (0, 6), (0, 2))
    labels[1] = 1
    assert pictures._fullest_slice(labels, 0) == 1
    # 12 voxels in each of slices 0 to 11 but 36 in slice 1: (12 · 66 + 24 · 1) / 168 = 4.9.
    assert pictures._middle_slice(labels, 0) == 5
    assert pictures._middle_slice(np.zeros_like(labels), 0) == 10
