"""Bundles as clients of federated learning, by MONAI's own client, whose defaults find all that they need."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import create_workflow
from monai.fl.client import MonaiAlgo, MonaiAlgoStats
from monai.fl.utils.constants import ExtraItems, FlStatistics
from monai.fl.utils.exchange_object import ExchangeObject
from monai.networks import get_state_dict
from torch import Tensor

from shared.files import read_table
from tests.small import small_data, small_training

ROOT = Path(__file__).parents[1]
BUNDLES = sorted(path for path in (ROOT / "bundles").iterdir() if path.is_dir())
QUICK = "hippocampus_mr_segmentation"  # 16 s; the others take up to a minute
each_bundle = pytest.mark.parametrize(
    "bundle", [pytest.param(b, id=b.name, marks=[] if b.name == QUICK else [pytest.mark.slow]) for b in BUNDLES]
)


def client(bundle: Path, folder: Path, dataset_dir: Path, **options: Any) -> Any:
    """A client that trains an epoch a round on its own data, into a folder of its own."""
    options |= {"dataset_dir": str(dataset_dir), "device": "cpu"}
    algo = MonaiAlgo(
        str(bundle), local_epochs=1, send_weight_diff=False, train_kwargs=options | {"output_dir": str(folder)},
        eval_kwargs=renamed(bundle, options),
    )  # fmt: skip
    algo.initialize(extra={ExtraItems.CLIENT_NAME: folder.name})
    return algo


def renamed(bundle: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of train.json for train.json and evaluate.json together, where NODEO's network is its warm start."""
    name = "warm_start_def" if "nodeo" in bundle.name else "network_def"
    return {key.replace("network_def", name): value for key, value in options.items()}


def mean(answers: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([a[name].float() for a in answers]).mean(dim=0) for name in answers[0]}


@each_bundle
def test_two_clients_learn_together_for_three_rounds(
    bundle: Path, tmp_path: Path, phantom_dataset: Callable[..., Path], boxed_dataset: Callable[..., Path]
) -> None:
    options = small_training(bundle) | {"max_epochs": 3}
    data = [small_data(bundle, tmp_path / f"data_{i}", phantom_dataset, boxed_dataset) for i in range(2)]
    clients = [client(bundle, tmp_path / f"client_{i}", folder, **options) for i, folder in enumerate(data)]
    begun = clients[0].train_workflow.network_def.state_dict()
    state = {name: value.clone() for name, value in begun.items()}
    names = list(state)  # those that model.pt has
    for _ in range(3):
        answers = []
        for algo in clients:
            algo.train(ExchangeObject(weights=state))
            answers.append(algo.get_weights().weights)
        state = mean(answers)
    assert list(state) == names
    for folder in ("client_0", "client_1"):
        assert [row["epoch"] for row in read_table(tmp_path / folder / "metrics.csv")] == ["1", "2", "3"]
    metrics = clients[0].evaluate(ExchangeObject(weights=state)).metrics
    assert all(np.isfinite(list(metrics.values())))
    scored = get_state_dict(clients[0].evaluator.network)
    assert all(torch.allclose(scored[name].float(), state[name]) for name in names)


def test_a_client_tells_the_statistics_of_its_images_without_any_image(
    tmp_path: Path, phantom_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = phantom_dataset(tmp_path / "data")
    bundle = ROOT / "bundles" / "hippocampus_mr_segmentation"
    workflow = create_workflow(
        config_file=str(bundle / "configs" / "train.json"), workflow_type="train", dataset_dir=str(data),
        output_dir=str(tmp_path / "out"), device="cpu",
    )  # fmt: skip
    algo = MonaiAlgoStats(str(bundle), workflow=workflow)
    algo.initialize(extra={ExtraItems.CLIENT_NAME: "one", ExtraItems.APP_ROOT: str(tmp_path)})
    bins = {FlStatistics.HIST_BINS: [10], FlStatistics.HIST_RANGE: [-100.0, 400.0]}
    statistics = algo.get_data_stats(extra=bins).statistics
    assert {part: (s[FlStatistics.DATA_COUNT], s[FlStatistics.FAIL_COUNT]) for part, s in statistics.items()} == {
        "train": (3, 0), "eval": (1, 0), FlStatistics.TOTAL_DATA: (4, 0)
    }  # fmt: skip
    images = [nib.Nifti1Image.from_filename(path).get_fdata() for path in (data / "imagesTr").glob("*.nii.gz")]
    mean_of_all = statistics[FlStatistics.TOTAL_DATA][FlStatistics.DATA_STATS]["image_stats"]["intensity"]["mean"]
    assert mean_of_all == pytest.approx(np.mean(images), rel=1e-3)
