"""What is made for bioimage.io says what a bundle takes and gives, and its own library finds the same results."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.errors import InputError
from shared.places import all_bundles
from shared.zoo.bioimageio import fits, make_bioimageio
from shared.zoo.bioimageio_description import Model, description
from tests.zoo.conftest import metadata

BUNDLES = Path(__file__).parents[2] / "bundles"
FILES = ("README.md", "data_license.txt", "input.npy", "output.npy", "model.pt", "model.onnx")


def test_the_bundles_that_it_has_words_for_are_those_that_label_one_image() -> None:
    assert {bundle.name for bundle in all_bundles() if fits(bundle)} == {
        "brain_anycontrast_segmentation", "hippocampus_mr_segmentation", "membrane_em_segmentation",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spacing", "axes"),
    [
        ([2.0, 3.0, 4.0], [("x", 2.0), ("y", 3.0), ("z", 4.0)]),  # of a volume in RAS, x comes first
        ([0.5, 0.25], [("y", 0.5), ("x", 0.25)]),  # of a picture, rows do
    ],
)
def test_axes_are_named_in_the_order_of_the_arrays(
    folder: Path, spacing: list[float], axes: list[tuple[str, float]]
) -> None:
    content = described(folder, spacing=spacing)
    for side in ("inputs", "outputs"):
        (tensor,) = content[side]
        assert [(axis["id"], axis["scale"]) for axis in tensor["axes"][2:]] == axes
    assert content["inputs"][0]["preprocessing"][0]["kwargs"]["axes"] == [name for name, _ in axes]


@pytest.mark.parametrize("standardised", [True, False])
def test_the_network_standardises_what_the_format_cannot(folder: Path, standardised: bool) -> None:
    """Its statistics are all of the image as it comes, so one step cannot follow another's result."""
    content = described(folder, standardised=standardised)
    assert [step["id"] for step in content["inputs"][0]["preprocessing"]] == ["scale_range", "clip"]
    architecture = content["weights"]["pytorch_state_dict"]["architecture"]
    assert architecture["kwargs"]["standardised"] is standardised


def test_a_licence_of_words_is_a_file(folder: Path) -> None:
    assert described(folder)["license"] == "MIT"
    assert described(folder, licence="Terms of a challenge")["license"]["source"] == "data_license.txt"


def test_what_lies_in_the_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "membrane_em_segmentation").mkdir()
    (tmp_path / "membrane_em_segmentation" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="choose another --bioimageio"):
        make_bioimageio([BUNDLES / "membrane_em_segmentation"], tmp_path)


@pytest.mark.client
@pytest.mark.parametrize("name", ["membrane_em_segmentation", "hippocampus_mr_segmentation"])
def test_its_library_reproduces_the_bundles_output_with_both_weights(name: str, tmp_path: Path) -> None:
    core = pytest.importorskip("bioimageio.core", reason="needs the extra bioimageio")
    (folder,) = make_bioimageio([BUNDLES / name], tmp_path)
    summary = core.test_description(folder / "rdf.yaml")
    assert summary.status == "passed", summary.format()
    reproduced = [detail.name for detail in summary.details if detail.name.startswith("Reproduce test outputs")]
    assert len(reproduced) == 2  # by ONNX and by the state dict
    _spoil(folder / "rdf.yaml")
    assert core.test_description(folder / "rdf.yaml").status in ("failed", "valid-format")  # by its version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def described(folder: Path, *, licence: str = "MIT", **changes: Any) -> dict[str, Any]:
    model: dict[str, Any] = {
        "target": "shared.nets.unet.UNet", "arguments": {"in_channels": 1, "out_channels": 2}, "unit": "millimeter",
        "percentiles": (1.0, 99.0), "standardised": True, "class_names": ["background", "spot"], "spacing": [1.0, 1.0],
    }  # fmt: skip
    about = metadata() | {"weights_licence": licence, "references": ["N. Spots. 2020. https://doi.org/10.1/2"]}
    return description(Model(**(model | changes)), about, folder)


def _spoil(path: Path) -> None:
    """Leave the network's own step out."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["weights"]["pytorch_state_dict"]["architecture"]["kwargs"]["standardised"] = False
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
