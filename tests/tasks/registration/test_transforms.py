"""Two images on one grid, and known movements found again."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image
from scipy import ndimage

from shared.engine.datasets import opened_files
from shared.errors import InputError
from shared.images.reading import read_image
from shared.spatial.itk import matrix_of, matrix_of_grid, resample, transform_of
from shared.tasks.registration.alignment import align
from shared.tasks.registration.transforms import (
    ReadPaird,
    ReadSubjectd,
    image_for_itk,
    working_grid,
)


def blobs(size: tuple[int, ...]) -> np.ndarray:
    """A smooth picture with structure everywhere, black at its border."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=size), 3, mode="constant")
    window = np.ones(size)
    for axis, length in enumerate(size):
        window *= np.hanning(length).reshape([-1 if i == axis else 1 for i in range(len(size))])
    return 100 * window * np.clip(1 + noise / noise.std() / 2, 0, None)


def store(path: Path, image: np.ndarray, affine: np.ndarray | None = None) -> str:
    nib.save(nib.Nifti1Image(image.astype(np.float32), np.eye(4) if affine is None else affine), path)
    return str(path)


def test_images_of_other_grids_come_onto_the_fixed_one(tmp_path: Path) -> None:
    """The moving image is stored with another orientation, origin and spacing; in the world it is the same."""
    image = blobs((20, 24, 16))
    fixed = nib.Nifti1Image(image.astype(np.float32), np.diag([1.0, 1, 2, 1]))
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt("PIR"))
    nib.save(fixed, tmp_path / "fixed.nii.gz")
    nib.save(fixed.as_reoriented(turn), tmp_path / "moving.nii.gz")
    pair = ReadPaird()({"moving": str(tmp_path / "moving.nii.gz"), "fixed": str(tmp_path / "fixed.nii.gz")})
    assert pair["image"].shape == (2, 20, 24, 16)
    torch.testing.assert_close(pair["image"][0], pair["image"][1], rtol=0, atol=1e-2)  # of values near 100
    np.testing.assert_array_equal(pair["initial"], np.eye(4))


RAS_TO_LPS = np.diag([-1.0, -1, 1, 1])
# Nearest to RAS, turned by 10° and 15°, of three spacings.
A, B = np.radians(10), np.radians(15)
TURN = np.array([[np.cos(A), -np.sin(A), 0], [np.sin(A), np.cos(A), 0], [0, 0, 1]]) @ np.array(
    [[1, 0, 0], [0, np.cos(B), -np.sin(B)], [0, np.sin(B), np.cos(B)]]
)
OBLIQUE = np.eye(4)
OBLIQUE[:3] = np.column_stack([TURN * [0.8, 1.3, 2.1], [12, -30, 7]])


def stored_as(path: Path, codes: str, image: np.ndarray, affine: np.ndarray) -> str:
    """A volume whose axes are nearest to RAS, in a file that has them in the order and direction of `codes`."""
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes))
    nib.save(nib.Nifti1Image(image.astype(np.float32), affine).as_reoriented(turn), path)
    assert nib.aff2axcodes(nib.Nifti1Image.from_filename(path).affine) == tuple(codes)
    return str(path)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SAL", "IRP"])
def test_a_volume_stored_in_any_orientation_gives_the_same_tensor(tmp_path: Path, codes: str) -> None:
    image, size = blobs((14, 17, 12)), (14, 17, 12)
    label = np.random.default_rng(1).integers(0, 4, size)
    data = {
        "case": "1",
        "moving": stored_as(tmp_path / "m.nii", "RAS", image, OBLIQUE),
        "moving_label": stored_as(tmp_path / "ml.nii", "RAS", label, OBLIQUE),
        "fixed": stored_as(tmp_path / "f.nii", codes, image, OBLIQUE),
        "fixed_label": stored_as(tmp_path / "fl.nii", codes, label, OBLIQUE),
    }
    pair = ReadPaird()(data)
    for channel in range(2):
        np.testing.assert_allclose(pair["image"][channel], image, rtol=0, atol=1e-2)  # of values near 100
        np.testing.assert_array_equal(pair["label"][channel], label)
    np.testing.assert_allclose(pair["grid"], RAS_TO_LPS @ OBLIQUE, rtol=0, atol=1e-5)  # headers hold float32
    assert pair.keys() == {"case", "image", "label", "initial", "grid"}


@pytest.mark.parametrize("codes", ["RAS", "LIA", "PIR", "SRP"])
@pytest.mark.parametrize("thin", [0, 1, 2])
def test_a_slice_stored_in_any_orientation_gives_the_same_plane(tmp_path: Path, codes: str, thin: int) -> None:
    size = np.insert([14, 17], thin, 1)
    image = blobs((14, 17))
    path = stored_as(tmp_path / "a.nii", codes, image.reshape(size), OBLIQUE)
    pair = ReadPaird()({"moving": path, "fixed": path})
    np.testing.assert_allclose(pair["image"], [image, image], rtol=0, atol=1e-3)
    np.testing.assert_allclose(
        np.linalg.norm(pair["grid"][:2, :2], axis=0), np.delete([0.8, 1.3, 2.1], thin), rtol=1e-5
    )  # float32 headers


def test_labels_are_read_only_where_both_images_have_them(tmp_path: Path) -> None:
    path = store(tmp_path / "a.nii", blobs((12, 14, 10)))
    assert "label" not in ReadPaird()({"moving": path, "fixed": path})
    label = store(tmp_path / "l.nii", np.ones((12, 14, 10)))
    assert "label" not in ReadPaird()({"moving": path, "fixed": path, "fixed_label": label})


def test_files_that_are_open_give_what_their_paths_give(tmp_path: Path) -> None:
    image = blobs((12, 14, 10))
    files = [
        store(tmp_path / f"{n}.nii.gz", array) for n, array in enumerate((image, image + 1, image > 40, image > 50))
    ]
    paths = dict(zip(("moving", "fixed", "moving_label", "fixed_label"), files))
    by_path, by_file = ReadPaird()(paths), ReadPaird()(opened_files(paths))
    assert by_path.keys() == by_file.keys()
    for key, value in by_path.items():
        np.testing.assert_array_equal(value, by_file[key])
    assert by_file["image"].meta["filename_or_obj"] == paths["fixed"]


def corners(matrix: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Where the outermost corners of the voxels of a grid lie, in a fixed order."""
    ends = np.stack(np.meshgrid(*([-0.5, s - 0.5] for s in size), indexing="ij")).reshape(len(size), -1)
    points = np.round((matrix[:-1, :-1] @ ends + matrix[:-1, -1:]).T, 3) + 0.0
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("codes", ["RAS", "PIR"])
@pytest.mark.parametrize("pixdim", [0.7, 1.5, 3.0])
def test_pixdim_keeps_the_outer_faces_and_what_is_seen_where(tmp_path: Path, codes: str, pixdim: float) -> None:
    """An image that is linear in the world: resampling loses nothing of it, and misplacing it shows."""
    size = (20, 17, 12)
    voxels = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")).reshape(3, -1)
    x, y, z = OBLIQUE[:3, :3] @ voxels + OBLIQUE[:3, 3:]
    path = stored_as(tmp_path / "a.nii", codes, (2 * x - 3 * y + z).reshape(size), OBLIQUE)
    pair = ReadPaird(pixdim=pixdim)({"moving": path, "fixed": path})
    given = tuple(pair["image"].shape[1:])
    np.testing.assert_array_equal(corners(pair["grid"], given), corners(RAS_TO_LPS @ OBLIQUE, size))
    extent = np.array([20 * 0.8, 17 * 1.3, 12 * 2.1])
    assert given == tuple(np.rint(extent / pixdim))
    spacing = np.linalg.norm(pair["grid"][:3, :3], axis=0)
    np.testing.assert_allclose(spacing, extent / given)
    voxels = np.stack(np.meshgrid(*map(np.arange, given), indexing="ij")).reshape(3, -1)
    world = RAS_TO_LPS[:3, :3] @ (pair["grid"][:3, :3] @ voxels + pair["grid"][:3, 3:])
    stored = (np.linalg.inv(OBLIQUE) @ np.vstack([world, np.ones(world.shape[1])]))[:3]
    inside = np.all((stored >= 0) & (stored <= np.array(size)[:, None] - 1), axis=0)
    assert inside.mean() > 0.5  # beyond the centres of the outermost voxels nothing is linear
    expected = 2 * world[0] - 3 * world[1] + world[2]
    for channel in pair["image"].numpy().reshape(2, -1):
        np.testing.assert_allclose(channel[inside], expected[inside], rtol=0, atol=1e-3)  # float32, values near 100


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        ((0.92, 1.09, 1.0), (20, 18, 16)),  # each within a tenth of 1: left
        ((1.0, 1.0, 1.2), (20, 18, 19)),  # 16 × 1.2 = 19.2
        ((0.8, 1.0, 1.0), (16, 18, 16)),
    ],
)
def test_a_spacing_within_a_tenth_is_left(
    tmp_path: Path, spacing: tuple[float, ...], expected: tuple[int, ...]
) -> None:
    path = store(tmp_path / "a.nii", blobs((20, 18, 16)), np.diag([*spacing, 1]))
    pair = ReadPaird(pixdim=1.0)({"moving": path, "fixed": path})
    assert pair["image"].shape == (2, *expected)
    if expected == (20, 18, 16):
        assert torch.equal(pair["image"], ReadPaird()({"moving": path, "fixed": path})["image"])


def test_an_image_thinner_than_pixdim_keeps_a_voxel(tmp_path: Path) -> None:
    image = np.random.default_rng(0).uniform(size=(20, 18, 2))
    grid = working_grid(read_image(store(tmp_path / "a.nii", image)), 6.0)
    assert grid.GetSize() == (3, 3, 1)
    np.testing.assert_array_equal(
        corners(matrix_of_grid(grid), grid.GetSize()), corners(RAS_TO_LPS, (20, 18, 2))
    )  # fmt: skip


def test_pictures_have_no_spacing_and_slices_have_that_of_their_plane(tmp_path: Path) -> None:
    plane = blobs((30, 22))
    Image.fromarray(plane.T.clip(0, 255).astype(np.uint8)).save(tmp_path / "a.png")
    picture = str(tmp_path / "a.png")
    slices = store(tmp_path / "a.nii", plane[:, None, :], np.diag([0.5, 4.0, 1.5, 1]))
    for pixdim in (0.5, 3.0):
        assert ReadPaird(pixdim=pixdim)({"moving": picture, "fixed": picture})["image"].shape == (2, 30, 22)
        assert ReadSubjectd(pixdim=pixdim)({"image": picture})["image"].shape == (1, 30, 22)
    # 30 × 0.5 and 22 × 1.5, in steps of 1.
    assert ReadPaird(pixdim=1.0)({"moving": slices, "fixed": slices})["image"].shape == (2, 15, 33)


def test_centre_lets_the_centres_fall_together_and_turns_nothing(tmp_path: Path) -> None:
    image = blobs((20, 18, 16))
    elsewhere = np.eye(4)
    elsewhere[:3, 3] = [40, -25, 10]
    fixed, moving = store(tmp_path / "f.nii", image), store(tmp_path / "m.nii", image, elsewhere)
    pair = ReadPaird("centre")({"moving": moving, "fixed": fixed})
    torch.testing.assert_close(pair["image"][0], pair["image"][1], rtol=0, atol=1e-3)
    expected = np.eye(4)
    expected[:3, 3] = [-40, 25, 10]  # of LPS, from fixed to moving points
    np.testing.assert_allclose(pair["initial"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_centre_turns_nothing_though_the_images_grids_are_turned_and_of_unlike_sizes(tmp_path: Path, dims: int) -> None:
    thin = (..., *[None] * (3 - dims))
    fixed, moving = (
        image_for_itk(read_image(store(tmp_path / f"{n}.nii", blobs(size[:dims])[thin], affine)))
        for n, size, affine in ((0, (20, 18, 16), np.eye(4)), (1, (15, 25, 12), OBLIQUE))
    )
    matrix = matrix_of(align(moving, fixed, "centre"))
    np.testing.assert_allclose(matrix[:dims, :dims], np.eye(dims), rtol=0, atol=1e-12)
    centres = [
        image.TransformContinuousIndexToPhysicalPoint([(s - 1) / 2 for s in image.GetSize()])
        for image in (fixed, moving)
    ]
    assert matrix @ [*centres[0], 1] == pytest.approx([*centres[1], 1])


def test_labels_are_those_of_the_nearest_voxel_where_images_are_interpolated(tmp_path: Path) -> None:
    """The moving image lies 0.4 voxels off, its label map with it: nearest is what is at the same index."""
    image, off = blobs((20, 18, 16)), np.eye(4)
    off[0, 3] = 0.4
    label = np.random.default_rng(0).choice([0, 3, 17], image.shape)
    data = {
        "moving": store(tmp_path / "m.nii", image, off), "moving_label": store(tmp_path / "ml.nii", label, off),
        "fixed": store(tmp_path / "f.nii", image), "fixed_label": store(tmp_path / "fl.nii", label),
    }  # fmt: skip
    pair = ReadPaird()(data)
    np.testing.assert_array_equal(pair["label"][0], label)
    np.testing.assert_array_equal(pair["label"][1], label)
    between = 0.4 * image[4:-5] + 0.6 * image[5:-4]  # at the world's x, the moving file's x - 0.4
    np.testing.assert_allclose(pair["image"][0, 5:-4], between, rtol=0, atol=1e-3)
    off[0, 3] = 1.0
    data["moving_label"] = store(tmp_path / "ml.nii", label, off)
    shifted = ReadPaird()(data)["label"][0]
    np.testing.assert_array_equal(shifted[1:], label[:-1])
    assert set(np.unique(shifted)) == {0, 3, 17}


@pytest.mark.parametrize("pixdim", [None, 1.5])
def test_a_subject_alone_is_what_it_is_as_the_fixed_image_of_a_pair(tmp_path: Path, pixdim: float | None) -> None:
    image = blobs((20, 17, 12))
    path = stored_as(tmp_path / "a.nii", "PIR", image, OBLIQUE)
    label = stored_as(tmp_path / "l.nii", "PIR", image > 40, OBLIQUE)
    pair = ReadPaird(pixdim=pixdim)({"moving": path, "fixed": path, "moving_label": label, "fixed_label": label})
    subject = ReadSubjectd(pixdim=pixdim)({"case": "a", "image": path, "label": label})
    assert (subject["case"], subject["image"].shape[0], subject["label"].shape[0]) == ("a", 1, 1)
    assert torch.equal(subject["image"][0], pair["image"][1].as_tensor())
    assert torch.equal(subject["label"][0], pair["label"][1])
    assert set(subject["label"].unique().tolist()) == {0, 1}
    assert ReadSubjectd(pixdim=pixdim)({"image": path}).keys() == {"image"}


def test_pictures_and_slices_are_planes_with_x_first(tmp_path: Path) -> None:
    plane = blobs((30, 22))
    rgb = np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    slices = store(tmp_path / "b.nii", plane.T[..., None])
    images = [ReadPaird()({"moving": path, "fixed": path})["image"][0] for path in (str(tmp_path / "a.png"), slices)]
    assert images[0].shape == (22, 30)
    # Luminance of equal colours is their value; a byte has no fractions.
    assert (images[0] - images[1]).abs().max() < 1
    with refused("a.png: expected a scan, as .*b.nii, got a picture; give two scans"):
        ReadPaird()({"moving": slices, "fixed": str(tmp_path / "a.png")})


def part_of(folder: Path, first: int) -> dict[str, str]:
    """A volume, and what is left of it from so many voxels along the first axis on, where it was."""
    image, affine = blobs((20, 18, 16)), np.eye(4)
    affine[0, 3] = first
    return {"fixed": store(folder / "f.nii", image), "moving": store(folder / "m.nii", image[first:], affine)}


def test_where_the_moving_image_is_a_part_it_is_told_which(tmp_path: Path) -> None:
    pair = ReadPaird()(part_of(tmp_path, 8))
    assert pair["inside"].shape == (1, 20, 18, 16)
    np.testing.assert_array_equal(pair["inside"][0, :, 3, 4], [0] * 8 + [1] * 12)
    assert "inside" not in ReadPaird()(part_of(tmp_path, 0))
    larger = part_of(tmp_path, 8)
    assert "inside" not in ReadPaird()({"moving": larger["fixed"], "fixed": larger["moving"]})


@pytest.mark.parametrize("alignment", ["rigid", "affine"])
def test_a_part_that_lies_where_it_belongs_stays_there(tmp_path: Path, alignment: str) -> None:
    """Its centre is 16 voxels from that of the whole, which is where other pairs are started from."""
    image, affine = blobs((64, 56, 40)), np.eye(4)
    affine[0, 3] = 32
    fixed, moving = (
        image_for_itk(read_image(store(tmp_path / f"{n}.nii", *stored)))
        for n, stored in enumerate(((image,), (image[32:], affine)))
    )
    found = align(moving, fixed, alignment)
    for index in ((32, 0, 0), (63, 55, 39), (40, 30, 20)):
        point = fixed.TransformIndexToPhysicalPoint(index)
        assert np.linalg.norm(np.subtract(found.TransformPoint(point), point)) < 0.5


def test_images_that_share_less_than_a_twentieth_of_the_smaller_are_refused(tmp_path: Path) -> None:
    image, affine = blobs((40, 18, 16)) + 1, np.eye(4)
    fixed = store(tmp_path / "f.nii", image)
    for size, first, fits in ((40, 37, True), (40, 39, False), (4, 39, True)):  # of 40 voxels 3 and 1, of 4 one
        affine[0, 3] = first
        moving = store(tmp_path / "m.nii", image[:size], affine)
        if fits:
            assert ReadPaird()({"moving": moving, "fixed": fixed})["inside"].any()
        else:
            with refused("m.nii: expected an image that overlaps"):
                ReadPaird()({"moving": moving, "fixed": fixed})


def test_a_grid_that_memory_does_not_hold_is_refused_before_it_is_made(tmp_path: Path) -> None:
    path = store(tmp_path / "a.nii", blobs((20, 18, 16)), np.diag([90.0, 90, 90, 1]))
    with refused("a.nii: expected at most .* voxels when resampled to .*got .*from voxels of 90 × 90 × 90 mm"):
        working_grid(read_image(path), 0.1)


def test_ids_to_learn_from_are_those_that_float32_holds(tmp_path: Path) -> None:
    image = store(tmp_path / "a.nii", blobs((12, 14, 10)))
    for largest, fits in ((2**24, True), (2**24 + 1, False)):
        ids = np.zeros((12, 14, 10), np.int32)
        ids[3:6] = largest
        nib.save(nib.Nifti1Image(ids, np.eye(4)), tmp_path / "l.nii")
        data = {"image": image, "label": str(tmp_path / "l.nii")}
        if fits:
            assert ReadSubjectd()(data)["label"].max() == largest
        else:
            with refused("l.nii: expected ids up to 16,777,216 to learn from, got 16777217; number the labels anew"):
                ReadSubjectd()(data)


@pytest.mark.parametrize("alignment", ["rigid", "affine"])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_known_movement_is_found_again(tmp_path: Path, alignment: str, dims: int) -> None:
    size = (64, 56, 40)[:dims]
    fixed = image_for_itk(read_image(store(tmp_path / "f.nii", blobs(size)[(..., *[None] * (3 - dims))])))
    centre = fixed.TransformContinuousIndexToPhysicalPoint([s / 2 for s in size])
    if dims == 2:
        known: Any = sitk.Euler2DTransform(centre, 0.15, (3.0, -2.0))
    else:
        known = sitk.Euler3DTransform(centre, 0.05, -0.08, 0.12, (2.0, -1.5, 1.0))
    moving = resample(fixed, fixed, known.GetInverse())  # at known(x) it shows what `fixed` shows at x
    found = align(moving, fixed, alignment)
    corners = [fixed.TransformContinuousIndexToPhysicalPoint([float(c) for c in corner]) for corner in
               ((0,) * dims, [s - 1 for s in size], [size[0] - 1, *[0] * (dims - 1)])]  # fmt: skip
    for point in corners:
        # At the far corners, where the picture is black and the movement 6 to 9 voxels; what is left of it is measured.
        # An affine transform has twice the freedom there.
        left = np.linalg.norm(np.subtract(found.TransformPoint(point), known.TransformPoint(point)))
        assert left < {"rigid": 0.25, "affine": 1.0}[alignment]
        assert np.linalg.norm(np.subtract(point, known.TransformPoint(point))) > 2
    again = transform_of(matrix_of(found))
    assert again.TransformPoint(corners[1]) == pytest.approx(found.TransformPoint(corners[1]))


def refused(words: str) -> Any:
    return pytest.raises(InputError, match=rf"\A[^\n]*{words}[^\n]*\Z")


def test_pairs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    volume = store(tmp_path / "v.nii", blobs((12, 14, 10)))
    plane = store(tmp_path / "p.nii", blobs((12, 14))[..., None])
    far = store(
        tmp_path / "far.nii",
        blobs((12, 14, 10)),
        np.array([[1.0, 0, 0, 900], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    )
    flat = store(tmp_path / "flat.nii", np.ones((12, 14, 10)))
    with refused("expected 3 dimensions, as .*v.nii, got 2; give two slices or two volumes"):
        ReadPaird()({"moving": plane, "fixed": volume})
    with refused("far.nii: expected an image that overlaps .*v.nii, got one that is elsewhere"):
        ReadPaird()({"moving": far, "fixed": volume})
    with refused("flat.nii: expected an image with contrast"):
        ReadPaird()({"moving": volume, "fixed": flat})
    for dims, path, fix in ((2, volume, "give slices or pictures"), (3, plane, "give volumes")):
        with refused(f"expected {dims} dimensions, got {5 - dims} .*; {fix}"):
            ReadPaird(spatial_dims=dims)({"moving": path, "fixed": path})
        with refused(f"expected {dims} dimensions, got {5 - dims} .*; {fix}"):
            ReadSubjectd(spatial_dims=dims)({"image": path})
    with refused("--affine: expected one of none, centre, rigid, affine, got 'elastic'"):
        ReadPaird("elastic")


class Finder:
    """Stands for a `StructureAligner`: what it is asked, and what it answers."""

    pixdim = 4.0

    def __init__(self, answer: sitk.Transform | None) -> None:
        self.answer = answer
        self.spacings: list[tuple[float, ...]] = []

    def __call__(self, moving: sitk.Image, fixed: sitk.Image, *grids: sitk.Image) -> sitk.Transform | None:
        self.spacings = [grid.GetSpacing() for grid in grids]
        return self.answer


@pytest.mark.parametrize("found", [True, False])
def test_what_structures_do_not_align_mutual_information_does_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    by_structures, by_information = (sitk.TranslationTransform(3, [shift, 0.0, 0.0]) for shift in (1.0, 2.0))
    by_alignment = {"affine": by_information}
    monkeypatch.setattr("shared.tasks.registration.transforms.align_in_place", lambda *asked: by_alignment[asked[-1]])
    pair = {key: store(tmp_path / f"{key}.nii.gz", blobs((24, 28, 20))) for key in ("moving", "fixed")}
    finder = Finder(by_structures if found else None)
    read = ReadPaird("auto", aligner=finder)(pair)
    assert finder.spacings == [(4.0, 4.0, 4.0)] * 2
    np.testing.assert_allclose(read["initial"], matrix_of(by_structures if found else by_information))
    assert ("warning" in read) != found


def test_auto_needs_what_finds_structures() -> None:
    with pytest.raises(InputError, match="--affine"):
        ReadPaird("auto")


def _leaving_the_image(*_: object) -> sitk.Transform:
    raise RuntimeError("All samples map outside moving image buffer")


def test_what_cannot_be_aligned_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.tasks.registration.transforms.align_in_place", _leaving_the_image)
    pair = {key: store(tmp_path / f"{key}.nii.gz", blobs((24, 28, 20))) for key in ("moving", "fixed")}
    with pytest.raises(InputError, match="can be aligned"):
        ReadPaird("auto", aligner=Finder(None))(pair)
