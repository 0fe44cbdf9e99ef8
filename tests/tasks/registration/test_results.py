"""What is written of a registered pair is what SimpleITK makes of it, on the fixed image's own grid."""

import json
import pickle
from collections.abc import Callable
from functools import partial
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
from shared.engine.outcomes import CaseTask
from shared.errors import InputError
from shared.spatial.warping import warp
from shared.tasks.registration.registered import Registered
from shared.tasks.registration.results import RegistrationScorer, RegistrationWriter
from shared.tasks.registration.transforms import ReadPaird
from tests.running import assert_same_results, in_processes, report_results

SIZE = (24, 20, 16)
# Axes exchanged, turned by 20° and of three spacings.
COSINE, SINE = np.cos(np.radians(20)), np.sin(np.radians(20))
OBLIQUE = np.array([[0, -1, 0, 5], [COSINE, 0, -SINE, -7], [SINE, 0, COSINE, 3], [0, 0, 0, 1]]) * [0.9, 1.2, 2.0, 1]


def blobs(size: tuple[int, ...], seed: int) -> np.ndarray:
    return 100 + 1000 * ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 2)


def smooth(size: tuple[int, ...], amplitude: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    fields = [ndimage.gaussian_filter(rng.normal(size=size), 4, mode="nearest") for _ in size]
    return np.stack([amplitude * f / abs(f).max() for f in fields])


def pair_of(folder: Path, kind: str, case: str = "007") -> dict[str, Any]:
    """A volume with an oblique grid, a slice stored as a volume, or a picture; with labels."""
    folder.mkdir(parents=True, exist_ok=True)
    size = SIZE if kind == "volume" else SIZE[:2]
    pair = {"case": case}
    for seed, name in enumerate(("moving", "fixed")):
        image = blobs(size, seed)
        for suffix, array in (("", image), ("_label", (image > 105).astype(np.uint8) + (image > 130))):
            if kind == "picture":
                path = folder / f"{name}{suffix}.png"
                Image.fromarray(np.clip(array.T, 0, 255).astype(np.uint8)).save(path)
            else:
                path = folder / f"{name}{suffix}.nii.gz"
                stored = array.astype(np.uint8 if suffix else np.float32).reshape((*size, 1)[:3])
                nib.save(nib.Nifti1Image(stored, OBLIQUE), path)
            pair[f"{name}{suffix}"] = str(path)
    return pair


def registered(
    pair: dict[str, Any], amplitude: float = 1.4, alignment: str | None = None, pixdim: float | None = None
) -> dict[str, Any]:
    """The pair as it is read, and a smooth displacement on the grid that the network sees: nearest to RAS.

    Nowhere, not even at its maximum, is it of half a voxel, where two labels would be equally near.
    """
    result = ReadPaird(alignment, pixdim)(pair)
    pred = smooth(result["image"].shape[1:], amplitude)
    found = {"pred": torch.as_tensor(pred, dtype=torch.float32), "network_seconds": 0.25}
    return {**result, "files": opened_files(pair), **found}


def plane(path: str) -> sitk.Image:
    """A slice or picture as SimpleITK has it as a 2-D image: by hand, with nothing of ours."""
    if path.endswith(".png"):
        return sitk.ReadImage(path, sitk.sitkFloat32)
    image = nib.Nifti1Image.from_filename(path)
    flat = sitk.GetImageFromArray(np.asarray(image.dataobj, dtype=np.float32)[..., 0].T)
    flat.SetSpacing([float(z) for z in image.header.get_zooms()[:2]])
    return flat


@pytest.mark.parametrize("kind", ["volume", "slice", "picture"])
def test_simpleitk_makes_moved_and_moved_label_from_the_field_alone(tmp_path: Path, kind: str) -> None:
    pair = pair_of(tmp_path / "in", kind)
    size = SIZE if kind == "volume" else SIZE[:2]
    RegistrationWriter(tmp_path / "out", pictures=kind != "volume").process(registered(pair))
    folder = tmp_path / "out" / "007"
    vectors = sitk.ReadImage(str(folder / "displacement.nii.gz"))
    field = sitk.DisplacementFieldTransform(sitk.Cast(vectors, sitk.sitkVectorFloat64))
    read = partial(sitk.ReadImage, outputPixelType=sitk.sitkFloat32) if kind == "volume" else plane
    for name, interpolator in (("moving", sitk.sitkLinear), ("moving_label", sitk.sitkNearestNeighbor)):
        moved = sitk.Resample(read(pair[name]), read(pair["fixed"]), field, interpolator, 0.0)
        written = nib.Nifti1Image.from_filename(folder / f"{name.replace('moving', 'moved')}.nii.gz")
        result = np.asarray(written.dataobj)
        np.testing.assert_allclose(
            result.reshape(size), sitk.GetArrayFromImage(moved).T, rtol=0, atol=1e-3
        )  # float32, values near 100
    if kind != "picture":
        source, target = (nib.Nifti1Image.from_filename(p) for p in (pair["fixed"], folder / "moved.nii.gz"))
        assert target.shape == source.shape
        np.testing.assert_array_equal(target.affine, source.affine)
    if kind != "volume":  # of which drawings take seconds
        assert (folder / "figure.png").is_file()
        assert (tmp_path / "out" / "overlays" / "007.png").is_file()


def test_figures_are_those_of_the_files(tmp_path: Path) -> None:
    pair = pair_of(tmp_path / "in", "volume")
    figures = RegistrationWriter(tmp_path / "out", pictures=False).process(registered(pair, 6.0))
    folder = tmp_path / "out" / "007"
    jacobian = np.asarray(nib.Nifti1Image.from_filename(folder / "jacobian.nii.gz").dataobj)
    assert figures["folds_percent"] == pytest.approx(100 * (jacobian <= 0).mean(), abs=1e-3)
    assert figures["sd_log_jacobian"] == pytest.approx(np.log(jacobian[jacobian > 0]).std(), abs=1e-3)
    paths = {"before": pair["moving_label"], "fixed": pair["fixed_label"], "after": folder / "moved_label.nii.gz"}
    labels = {name: np.asarray(nib.Nifti1Image.from_filename(path).dataobj) for name, path in paths.items()}
    for name in ("before", "after"):
        dice = [2 * ((labels[name] == i) & (labels["fixed"] == i)).sum()
                / ((labels[name] == i).sum() + (labels["fixed"] == i).sum()) for i in (1, 2)]  # fmt: skip
        assert figures[f"dice_{name}"] == pytest.approx(np.mean(dice), abs=1e-4)
    vectors = np.asarray(nib.Nifti1Image.from_filename(folder / "displacement.nii.gz").dataobj)
    assert figures["displacement_mm"] == pytest.approx(np.linalg.norm(vectors, axis=-1).mean(), abs=1e-4)


def test_the_affine_stage_is_part_of_the_field(tmp_path: Path) -> None:
    """With no displacement besides, the field is the affine transform at every voxel."""
    pair = pair_of(tmp_path / "in", "volume")
    result = registered(pair, 0.0)
    matrix = np.eye(4)
    matrix[:3] = [[1.0, 0.1, 0, 2], [-0.1, 0.9, 0, -1], [0, 0.05, 1.1, 0.5]]
    RegistrationWriter(tmp_path / "out", pictures=False).process({**result, "initial": torch.as_tensor(matrix)})
    field = sitk.ReadImage(str(tmp_path / "out" / "007" / "displacement.nii.gz"))
    for index in ((0, 0, 0), (5, 9, 3), (23, 19, 15)):
        point = np.array(field.TransformIndexToPhysicalPoint(index))
        assert point + field[index] == pytest.approx(matrix[:3, :3] @ point + matrix[:3, 3], abs=1e-4)


def test_finished_pairs_have_the_figures_of_the_run_and_spoilt_ones_are_made_anew(tmp_path: Path) -> None:
    pair, writer = pair_of(tmp_path / "in", "slice"), RegistrationWriter(tmp_path / "out")
    assert writer.finished(pair) is None
    figures = writer.process(registered(pair))
    assert figures.pop("seconds") == 0.25  # what the network took; those of an earlier run are in its table
    assert writer.finished(pair) == figures
    (tmp_path / "out" / "007" / "displacement.nii.gz").write_bytes(b"no")
    assert writer.finished(pair) is None


def test_results_do_not_replace_the_images(tmp_path: Path) -> None:
    pair = pair_of(tmp_path / "007", "volume")
    (tmp_path / "007" / "fixed.nii.gz").rename(tmp_path / "007" / "moved.nii.gz")
    pair["fixed"] = str(tmp_path / "007" / "moved.nii.gz")
    with pytest.raises(InputError, match="choose another --output_dir"):
        RegistrationWriter(tmp_path).process(registered(pair, 0.0))


@pytest.mark.parametrize("kind", ["volume", "slice", "picture"])
def test_the_files_are_moved_as_the_network_moved_what_it_saw(tmp_path: Path, kind: str) -> None:
    """It saw the axes in the order and direction of RAS, into which nibabel turns what was written."""
    result = registered(pair_of(tmp_path / "in", kind))
    RegistrationWriter(tmp_path / "out", pictures=False).process(result)
    expected = warp(result["image"][None, :1].as_tensor(), result["pred"][None])[0, 0].numpy()
    written = nib.Nifti1Image.from_filename(tmp_path / "out" / "007" / "moved.nii.gz")
    turned = written if kind == "picture" else nib.as_closest_canonical(written)
    given = np.asarray(turned.dataobj).reshape(expected.shape)
    inside = tuple([slice(3, -3)] * expected.ndim)  # beyond 1.5 voxels from the border nothing comes from outside
    np.testing.assert_allclose(given[inside], expected[inside], rtol=0, atol=1e-2)  # float32, values near 100
    assert abs(result["image"][0].numpy() - expected)[inside].max() > 5


def test_the_displacement_of_a_coarser_grid_is_written_in_millimetres_for_every_voxel_of_the_fixed_image(
    tmp_path: Path,
) -> None:
    pair = pair_of(tmp_path / "in", "volume")
    result = registered(pair, pixdim=2.5)
    grid = np.asarray(result["grid"])
    assert np.prod(result["pred"].shape[1:]) < np.prod(SIZE) / 5  # 0.9 × 1.2 × 2.0 to about 2.5³
    vector = np.array([1.5, -2.0, 0.7])
    voxels = np.linalg.inv(grid[:3, :3]) @ vector
    result["pred"] = torch.as_tensor(voxels, dtype=torch.float32).reshape(3, 1, 1, 1).expand(result["pred"].shape)
    figures = RegistrationWriter(tmp_path / "out", pictures=False).process(result)
    field = sitk.ReadImage(str(tmp_path / "out" / "007" / "displacement.nii.gz"))
    assert field.GetSize() == SIZE
    vectors = sitk.GetArrayFromImage(field)
    # Of a field that is the same everywhere, border or not; float32.
    np.testing.assert_allclose(vectors, np.broadcast_to(vector, vectors.shape), rtol=0, atol=1e-5)
    assert figures["displacement_mm"] == pytest.approx(np.linalg.norm(vector), abs=1e-4)
    assert (figures["folds_percent"], figures["sd_log_jacobian"]) == (0, pytest.approx(0, abs=1e-4))


def test_without_pictures_none_are_drawn_and_none_are_missed(tmp_path: Path) -> None:
    pair, out = pair_of(tmp_path / "in", "slice"), tmp_path / "out"
    plain, drawing = RegistrationWriter(out, pictures=False), RegistrationWriter(out)
    figures = plain.process(registered(pair))
    assert not list(out.rglob("*.png"))
    assert plain.finished(pair) == {name: value for name, value in figures.items() if name != "seconds"}
    assert drawing.finished(pair) is None
    drawing.process(registered(pair))
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        "007/figure.png", "overlays/007.png"
    ]  # fmt: skip
    (out / "overlays" / "007.png").unlink()
    assert drawing.finished(pair) is None


def both_ways(pair: dict[str, Any], there: float, back: float) -> dict[str, Any]:
    """Displaced by so many voxels along the first axis of the grid that the network sees."""
    result = registered(pair)
    pred = torch.zeros(2, *result["pred"].shape)
    pred[0, 0], pred[1, 0] = there, back
    return {**result, "pred": pred.flatten(0, 1)}


def with_itself(pair: dict[str, Any], case: str) -> dict[str, Any]:
    return {**pair, "case": case, "moving": pair["fixed"], "moving_label": pair["fixed_label"]}


def test_scores_are_by_label_and_a_label_without_a_name_is_called_by_its_id(tmp_path: Path) -> None:
    pair = pair_of(tmp_path / "in", "slice")
    scorer = RegistrationScorer(tmp_path / "out", class_names=["background", "core"])
    figures = scorer.process(both_ways(pair, 1, -1))
    plain = RegistrationWriter(tmp_path / "plain", pictures=False).process(
        {**both_ways(pair, 1, -1), "pred": both_ways(pair, 1, -1)["pred"][:2]}
    )
    assert plain.items() <= figures.items()
    added = {f"dice_{when}_{label}" for when in ("before", "after") for label in ("core", "2")}
    assert figures.keys() - plain.keys() == {"inverse_consistency", *added}
    for when in ("before", "after"):
        each = [figures[f"dice_{when}_{label}"] for label in ("core", "2")]
        assert np.mean(each) == pytest.approx(figures[f"dice_{when}"], abs=1.1e-4)  # of rounded figures
    moving, fixed = (np.asarray(nib.Nifti1Image.from_filename(pair[f"{n}_label"]).dataobj) for n in ("moving", "fixed"))
    dice = 2 * ((moving == 2) & (fixed == 2)).sum() / ((moving == 2).sum() + (fixed == 2).sum())
    assert figures["dice_before_2"] == pytest.approx(dice, abs=1e-4)


def test_an_image_on_itself_scores_1_and_the_way_back_is_scored_by_how_far_it_misses(tmp_path: Path) -> None:
    pair, scorer = with_itself(pair_of(tmp_path / "in", "slice"), "same"), RegistrationScorer(tmp_path / "out")
    figures = scorer.process(both_ways(pair, 0, 0))
    assert {figures[name] for name in figures if name.startswith("dice_")} == {1.0}
    assert (figures["inverse_consistency"], figures["displacement_mm"], figures["folds_percent"]) == (0, 0, 0)
    assert scorer.process(both_ways(pair, 3, -3))["inverse_consistency"] == 0
    assert scorer.process(both_ways(pair, 3, -1))["inverse_consistency"] == 2


def test_a_pair_that_was_pickled_saves_what_the_writer_writes(tmp_path: Path) -> None:
    result = registered(pair_of(tmp_path / "in", "slice"))
    writer = RegistrationWriter(tmp_path / "out")
    pair = writer.outcome(result)
    figures = pair.figures()
    again = pickle.loads(pickle.dumps(pair))
    assert "moved" not in vars(again)  # what can be computed again is left behind
    assert again.figures() == figures
    again.save(tmp_path / "again")
    assert writer.process(result) == {"seconds": 0.25, **figures}
    assert_same_results(tmp_path / "again", tmp_path / "out")
    np.testing.assert_array_equal(pair.affine, nib.Nifti1Image.from_filename(tmp_path / "in" / "fixed.nii.gz").affine)
    np.testing.assert_array_equal(
        pair.images["moved"][..., None],
        nib.Nifti1Image.from_filename(tmp_path / "out" / "007" / "moved.nii.gz").dataobj,
    )


@pytest.mark.parametrize(
    ("make", "channels", "pictures"),
    [
        (partial(RegistrationWriter, pictures=False), 2, set()),
        (partial(RegistrationScorer, worst=2), 4, {"scores.png", "worst_1.png", "worst_2.png"}),
    ],
    ids=["writer", "scorer"],
)
def test_two_processes_give_the_files_of_one(
    tmp_path: Path, make: Callable[[Path], CaseTask], channels: int, pictures: set[str]
) -> None:
    """Of five pairs the two worst are both in the share of one process, which is not the first."""
    pair = with_itself(pair_of(tmp_path / "in", "slice"), "")
    shifts = (0, 3, 1, 2, 0)
    results = [{**both_ways(pair, shift, -shift), "case": str(number)} for number, shift in enumerate(shifts)]
    results = [{**result, "pred": result["pred"][:channels]} for result in results]
    report_results(make, results, tmp_path / "one")
    in_processes(2, report_results, make, results, tmp_path / "two")
    assert_same_results(tmp_path / "one", tmp_path / "two")
    assert {path.name for path in (tmp_path / "two").glob("*.png")} == pictures


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Name of each picture of a pair -> the pair; nothing is drawn."""
    titles: dict[str, str] = {}
    monkeypatch.setattr(Registered, "draw", lambda self, path, title: titles.update({path.name: title}))
    return titles


def concluded(scorer: RegistrationScorer, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a run in which one more pair failed."""
    rows = [{"case": r["case"], "status": "ok", "message": "", **scorer.process(r)} for r in results]
    failed = {"case": "bad", "status": "failed", "seconds": 9.0, "message": "no"}
    scorer.conclude([*rows[:1], failed, *rows[1:]])
    return rows


def test_the_summary_has_the_means_of_the_rows_and_pictures_the_worst_pairs(
    tmp_path: Path, drawn: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    pair = pair_of(tmp_path / "in", "slice")
    same = with_itself(pair, "same")
    results = [
        both_ways(same, 0, 0), both_ways({**same, "case": "off by 2"}, 2, -2), both_ways(pair, 0, 0),
        both_ways({**same, "case": "off by 1"}, 1, 1),
    ]  # fmt: skip
    scorer = RegistrationScorer(tmp_path / "out", class_names=["background", "core"], worst=2)
    rows = concluded(scorer, results)
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (summary["cases"], summary["failed"]) == (5, 1)
    for metric in set(rows[0]) - {"case", "status", "message"}:
        values = [row[metric] for row in rows]
        assert summary[metric]["mean"] == pytest.approx(np.mean(values), abs=1e-6), metric  # written with 6 digits
        assert (summary[metric]["min"], summary[metric]["max"]) == (min(values), max(values))
        assert summary[metric]["count"] == 4
    order = sorted(rows, key=lambda row: row["dice_after"])
    assert order[-1]["case"] == "same"
    assert drawn == {"worst_1.png": order[0]["case"], "worst_2.png": order[1]["case"]}
    assert (tmp_path / "out" / "scores.png").is_file()
    by_label, general = capsys.readouterr().out.split("metric  ")
    assert [line.split()[0] for line in by_label.splitlines()[2:4]] == ["core", "2"]
    assert f"{summary['dice_after_core']['mean']:.4g}" in by_label
    assert "dice_after_core" not in general
    assert "inverse_consistency" in general


def test_without_labels_the_fields_are_scored_and_the_most_folded_is_the_worst(
    tmp_path: Path, drawn: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    pair = {key: path for key, path in pair_of(tmp_path / "in", "slice").items() if not key.endswith("label")}
    results = [{**both_ways(pair, 0, 0), "case": case} for case in ("flat", "folded", "flat too")]
    results[1]["pred"][0] = -2 * torch.arange(float(results[1]["pred"].shape[1]))[:, None]  # x ↦ -x
    rows = concluded(RegistrationScorer(tmp_path / "out", worst=1), results)
    assert [row["folds_percent"] for row in rows] == [0, 100, 0]
    assert drawn == {"worst_1.png": "folded"}
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert not [metric for metric in summary if metric.startswith("dice")]
    assert summary["folds_percent"]["mean"] == pytest.approx(100 / 3, abs=1e-6)
    assert "label" not in capsys.readouterr().out


def test_the_worst_pair_is_drawn_into_the_file_of_its_rank(tmp_path: Path) -> None:
    concluded(RegistrationScorer(tmp_path / "out"), [both_ways(pair_of(tmp_path / "in", "slice"), 1, -1)])
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["scores.png", "worst_1.png"]
