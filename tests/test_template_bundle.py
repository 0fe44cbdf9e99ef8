"""The bundle of a learned template: what a user gets of images, of a group, and of the template itself."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from shared.engine.recipe import component
from shared.files import read_json, read_table, write_table
from shared.studies.template_attributes import Nearness
from shared.tasks.registration.subjects import find_subjects
from shared.tasks.registration.templates.attributes import AttributeTable
from shared.zoo.configs import as_json, load_recipe
from tests.running import refused_here, run_here

BUNDLE = Path(__file__).parents[1] / "bundles" / "brain_mr_template_registration"
VENTRICLES = 3  # the id that the phantoms' lateral ventricles have


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_here(BUNDLE, tmp_path_factory.mktemp("out"), pictures=False)


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.Nifti1Image.from_filename(path).dataobj)


def test_images_come_into_the_frame_of_the_template(results: Path) -> None:
    """The written field is what moves them, by SimpleITK, and their mean is what group/ has."""
    template = run_here(BUNDLE, results / "template", "template", pictures=False) / "template.nii.gz"
    rows = read_table(results / "summary.csv")
    moved = np.stack([voxels(results / row["case"] / "moved.nii.gz") for row in rows])
    assert moved.shape[1:] == voxels(template).shape
    low, high = (np.percentile(moved, share, axis=(1, 2, 3), keepdims=True) for share in (0.5, 99.5))
    scaled = np.clip((moved - low) / (high - low), 0, 1)
    np.testing.assert_allclose(voxels(results / "group" / "mean.nii.gz"), scaled.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(voxels(results / "group" / "sd.nii.gz"), scaled.std(axis=0), atol=1e-3)
    assert read_json(results / "group" / "group.json")["cases"] == len(rows) == 4


def test_inverse_leads_back(results: Path) -> None:
    field, inverse = (
        sitk.DisplacementFieldTransform(
            sitk.ReadImage(str(results / "phantom_1" / f"{name}.nii.gz"), sitk.sitkVectorFloat64)
        )
        for name in ("displacement", "inverse")
    )
    for point in ((60.0, 80.0), (90.0, 110.0)):
        back = field.TransformPoint(inverse.TransformPoint(point))
        assert np.linalg.norm(np.subtract(back, point)) < 0.05  # mm; both are linear between their voxels


def test_labels_of_the_group_come_back_to_each_image(results: Path, tmp_path: Path) -> None:
    """The vote of four labelled phantoms, carried to one of them, is near its own labels."""
    label = results / "group" / "label.nii.gz"
    image = BUNDLE / "sample_data" / "phantom_2.nii.gz"
    out = run_here(BUNDLE, tmp_path, dataset_dir=image, template_label=label, pictures=False)
    carried, own = (
        voxels(out / "phantom_2" / "template_label.nii.gz"), voxels(image.with_name("phantom_2_seg.nii.gz"))
    )  # fmt: skip
    overlap = [2 * ((carried == i) & (own == i)).sum() / ((carried == i).sum() + (own == i).sum()) for i in (1, 2, 3)]
    assert min(overlap) > 0.8


def test_the_ventricles_of_the_template_grow_with_their_attribute(tmp_path: Path) -> None:
    attributes = {"ventricle_area": [100, 325, 900]}
    out = run_here(BUNDLE, tmp_path, "template", attributes=attributes)
    assert (out / "strip.gif").is_file()
    images = [voxels(out / f"template_{i}.nii.gz") for i in (1, 2, 3)]
    middle = tuple(slice(size // 3, 2 * size // 3) for size in images[0].shape[:2])
    dark = [int((image[middle] < 0.35).sum()) for image in images]  # CSF, of white matter near 0.9
    assert dark[0] + 50 < dark[1] < dark[2] - 50  # mm²


def test_unknown_attributes_are_refused(tmp_path: Path) -> None:
    line = refused_here(BUNDLE, tmp_path, attributes={"age": 20})
    assert line.startswith("--attributes: expected attributes of the template (ventricle_area), got age")


def test_a_finished_image_is_left_alone_and_counts_in_the_group(results: Path) -> None:
    field = results / "phantom_3" / "displacement.nii.gz"
    before = field.stat().st_mtime_ns
    run_here(BUNDLE, results, pictures=False, resume=True)
    assert field.stat().st_mtime_ns == before
    assert read_json(results / "group" / "group.json")["cases"] == 4


def test_two_groups_are_compared_without_registering_their_images_again(results: Path, tmp_path: Path) -> None:
    """The phantoms with the larger ventricles against the others: in the template's ventricles volumes are larger."""
    sizes = {row["id"]: float(row["ventricle_area"]) for row in read_table(BUNDLE / "sample_data" / "attributes.csv")}
    large = sorted(sizes, key=lambda name: sizes[name])[2:]
    rows = [{"id": name, "group": "large" if name in large else "few"} for name in sizes]
    table = write_table(tmp_path / "groups.csv", rows)
    before = (results / "phantom_1" / "displacement.nii.gz").stat().st_mtime_ns
    run_here(BUNDLE, results, groups=table, resume=True, pictures=False)
    assert (results / "phantom_1" / "displacement.nii.gz").stat().st_mtime_ns == before
    assert read_json(results / "group" / "comparison.json")["cases"] == {"few": 2, "large": 2}
    effect, q, labels = (voxels(results / "group" / f"{name}.nii.gz") for name in ("effect_size", "q_value", "label"))
    ventricles = labels == VENTRICLES
    assert effect[ventricles].mean() > 0.5  # deviations
    assert q[ventricles].max() <= 1
    assert (q[0] == 1).all()  # at the border there is no brain


def test_a_group_of_one_image_is_not_compared(results: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "groups.csv", [{"id": f"phantom_{i}", "group": "ab"[i > 1]} for i in (1, 2, 3, 4)])
    line = refused_here(BUNDLE, results, groups=table, resume=True, pictures=False)
    assert line.startswith("--groups, a: expected two images or more of each group, got 1")


def test_the_script_and_inference_agree_on_the_mean_displacement(results: Path) -> None:
    nearness = Nearness(BUNDLE, AttributeTable("", {"ventricle_area": [325.0, 219.0]}), options={"device": "cpu"})
    written = read_json(results / "group" / "group.json")["mean_displacement_voxels"]
    length = nearness.mean_displacement(find_subjects(BUNDLE / "sample_data"))
    assert length == pytest.approx(written, abs=0.02)  # inference may compute in bfloat16


def train(output_dir: Path, **options: Any) -> dict[str, Any]:
    """What a training of a small network on the samples leaves in last.pt."""
    small = {"network_def#filters": [4, 8], "patch_size": [80, 96], "pixdim": 2.0, "batch_size": 1, "val_interval": 2}
    run_here(BUNDLE, output_dir, "train", **small, **options)
    state: dict[str, Any] = torch.load(output_dir / "last.pt", weights_only=True)
    return state


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Also its running mean of displacements, which decides where the template goes next."""
    straight = train(tmp_path / "straight", max_epochs=2)
    train(tmp_path / "halted", max_epochs=1, **{"train#lr_scheduler#t_total": 4})  # 2 epochs of 2 images
    resumed = train(tmp_path / "halted", max_epochs=2, resume=True)
    assert torch.equal(straight["loss"]["running"], resumed["loss"]["running"])
    assert torch.equal(straight["network"]["template"], resumed["network"]["template"])
    assert float(straight["loss"]["running"].abs().max()) > 0
    assert straight["network"]["affine"].any()


def test_a_recipe_of_volumes_learns_a_template_of_volumes(tmp_path: Path, phantom_dataset: Callable[..., Path]) -> None:
    """The recipe with three dimensions: trained, and volumes registered to what was learned."""
    bundle, data = tmp_path / "bundle", phantom_dataset(tmp_path / "data", count=5)
    network = component("shared.nets.template.TemplateMorph", spatial_dims=3, filters=[4, 8])
    recipe = load_recipe(BUNDLE / "recipe.py").RECIPE
    recipe = replace(recipe, network=network, size=[20, 24, 16], columns={}, augmentation=[])
    for name, config in recipe.configs().items():
        (bundle / "configs").mkdir(parents=True, exist_ok=True)
        (bundle / "configs" / f"{name}.json").write_text(as_json(config), encoding="utf-8")
    run_here(bundle, tmp_path / "run", "train", max_epochs=1, ncc_window=5, dataset_dir=data)
    weights = tmp_path / "run" / "model.pt"
    out = run_here(bundle, tmp_path / "out", weights=weights, dataset_dir=data, pictures=False)
    assert [row["status"] for row in read_table(out / "summary.csv")] == ["ok"] * 5
    assert voxels(out / "group" / "mean.nii.gz").shape == (20, 24, 16)
