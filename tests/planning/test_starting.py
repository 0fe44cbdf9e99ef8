"""A training begins with the weights of the nearest bundle, in the network that they are of."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from shared.engine.weights import load_weights
from shared.errors import InputError
from shared.places import checkout
from shared.planning.instances_plan import are_alike
from shared.planning.measuring import made
from shared.planning.starting import start_of
from tests.planning.conftest import RunCommand

BoxedMaker = Callable[..., Path]
CELLS = checkout() / "bundles" / "blood_cell_yolo_detection"


def test_a_detector_of_other_classes_begins_with_all_but_the_weights_of_its_classes(
    boxed_dataset: BoxedMaker, new_bundle: RunCommand, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = boxed_dataset(tmp_path / "data", count=6, class_names=["bright", "dark"])
    bundle = new_bundle("squares", data, "--budget", "30m")
    weights = CELLS / "models" / "model.pt"
    assert f"--finetune_from {weights}" in capsys.readouterr().out
    assert f"begun from those of {CELLS.name}" in (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    parser = ConfigParser(json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8")))
    network = made(parser["network_def"] | {"_requires_": None, "in_channels": 3, "out_channels": 2})
    load_weights(network, weights, partial=True)
    left = capsys.readouterr().out.rsplit("left as initialised: ")[1].split(", ")
    assert 0 < len(left) <= 6  # a weight and a bias for each of three maps
    assert len(left) < 0.05 * len(network.state_dict())


def test_none_begins_from_scratch(boxed_dataset: BoxedMaker, new_bundle: RunCommand, tmp_path: Path) -> None:
    data = boxed_dataset(tmp_path / "data", count=6, class_names=["bright", "dark"])
    bundle = new_bundle("squares", data, "--budget", "30m", "--start", "none")
    train = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    assert train["network_def"]["filters"][0] == 32  # the widest, which the budget has time for at the rate of tests
    assert "begun from" not in (bundle / "docs" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "task"),
    [("nuclei_maskrcnn_instance_segmentation", "detection"), ("hippocampus_mr_segmentation", "segmentation")],
)
def test_a_bundle_that_a_task_cannot_begin_with_is_refused(name: str, task: str) -> None:
    with pytest.raises(InputError, match="--start: expected a bundle that begins one for " + task):
        start_of(name, task)


def test_a_network_keeps_its_anchors_where_objects_are_of_like_sizes() -> None:
    own = [[8, 14], [22, 36], [60, 100]]
    assert are_alike([[8, 12], [18, 30], [50, 80]], own)
    assert not are_alike([[16, 28], [44, 72], [120, 200]], own)
