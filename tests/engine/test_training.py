"""Training repeats itself exactly, resumes exactly, and says what it could not load."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import create_workflow
from monai.transforms import Compose
from torch import nn
from torch.optim.swa_utils import AveragedModel

from shared.engine.averaging import warmed_up_average
from shared.engine.datasets import SeededCacheDataset
from shared.engine.training import EpochSeed, TrainingRecord
from shared.errors import input_error_behind
from shared.files import read_table

SMALL = {
    "network_def#filters": [4, 8],
    "patch_size": [16, 16, 16],
    "batch_size": 2,
    "validation_fraction": 0.25,
    "val_interval": 1,
    "device": "cpu",
}


@pytest.fixture
def train(root: Path, tmp_path: Path, phantom_dataset: Callable[..., Path]) -> Callable[..., Path]:
    """Train the hippocampus bundle's recipe with a tiny network on phantoms; returns the output folder."""
    data = phantom_dataset(tmp_path / "data")
    configs = root / "bundles" / "hippocampus_mr_segmentation" / "configs"

    def run(name: str, config: str = "train.json", **options: Any) -> Path:
        options = {**SMALL, "dataset_dir": str(data), "output_dir": str(tmp_path / name), **options}
        workflow = create_workflow(config_file=str(configs / config), workflow_type="train", **options)
        workflow.run()
        return tmp_path / name

    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "last.pt", weights_only=True)["average"]


def rows(folder: Path) -> list[dict[str, str]]:
    """The record of a run, but for how long its epochs took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_table(folder / "metrics.csv")]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_two_runs_of_one_seed_give_the_same_weights_and_another_seed_others(train: Callable[..., Path]) -> None:
    first, second, other = (train(name, max_epochs=2, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert same(weights(first), weights(second))
    assert not same(weights(first), weights(other))


def test_a_run_killed_within_an_epoch_resumes_to_the_same_result(
    train: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("whole", max_epochs=4)
    update, steps = AveragedModel.update_parameters, iter(range(100))

    def update_until_killed(self: AveragedModel, model: nn.Module) -> None:
        if next(steps) == 4:  # in the third epoch: three cases in batches of two are two steps an epoch
            raise KeyboardInterrupt
        update(self, model)

    with monkeypatch.context() as patch:
        patch.setattr(AveragedModel, "update_parameters", update_until_killed)
        with pytest.raises(KeyboardInterrupt):
            train("killed", max_epochs=4)
    assert len(rows(whole.with_name("killed"))) == 2

    resumed = train("killed", max_epochs=4, resume=True)
    assert same(weights(whole), weights(resumed))
    assert rows(resumed) == rows(whole)
    assert len(rows(whole)) == 4
    best = [torch.load(f / "model.pt", weights_only=True) for f in (whole, resumed)]
    assert same(*best)


def test_a_run_does_not_write_over_another(train: Callable[..., Path]) -> None:
    train("run", max_epochs=1)
    with pytest.raises(RuntimeError) as raised:
        train("run", max_epochs=1)
    assert "--resume True" in str(input_error_behind(raised.value))


def test_overfitting_two_cases_finds_their_phantoms(train: Callable[..., Path]) -> None:
    # 40 epochs of one or two steps; two flat ellipsoids in noise of a tenth of their contrast are easily learned.
    folder = train("run", max_epochs=40, val_interval=40, learning_rate=0.02, ema_momentum=0.2)
    dice = float((folder / "metrics.csv").read_text().splitlines()[-1].split(",")[-1])
    assert dice > 0.9


def test_what_a_run_leaves_is_what_the_contract_names(train: Callable[..., Path]) -> None:
    folder = train("run", max_epochs=1, val_interval=10)  # the only epoch is validated all the same
    names = {
        path.name.split(".")[0] + path.suffix for path in folder.iterdir() if not path.name.startswith(("events", "."))
    }
    assert names == {"model.pt", "last.pt", "metrics.csv", "config.json", "training.png"}
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1
    assert torch.load(folder / "model.pt", weights_only=True)["heads.0.weight"].dtype is torch.float16


def test_finetuning_to_other_classes_keeps_all_but_the_head_and_says_so(
    train: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pretrained = train("run", max_epochs=1) / "model.pt"
    capsys.readouterr()
    names = ["background", "a", "b", "c"]
    tuned = train("tuned", max_epochs=1, class_names=names, finetune_from=str(pretrained), learning_rate=0.0)
    told = capsys.readouterr().out
    assert "left as initialised: heads.0.bias, heads.0.weight" in told
    # A learning rate of 0 leaves the convolutions as they were loaded.
    before, after = (torch.load(f, weights_only=True) for f in (pretrained, tuned / "model.pt"))
    assert torch.equal(before["encoder.0.chain.0.conv.weight"], after["encoder.0.chain.0.conv.weight"])
    assert after["heads.0.weight"].shape[0] == 4


@pytest.mark.parametrize(("scores", "kept"), [((0.5, 0.5, 0.3), 2), ((0.5, 0.4, 0.6), 3), ((0.5, 0.4, 0.4), 1)])
def test_the_weights_kept_are_the_last_of_the_best_epochs(
    scores: tuple[float, ...], kept: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = nn.Linear(1, 1)
    validator = SimpleNamespace(state=SimpleNamespace(epoch=0, key_metric_name="score", metrics={}))
    engine = Engine(lambda engine, batch: [{"loss": 0.0}])

    @engine.on(Events.EPOCH_COMPLETED)
    def validate() -> None:
        """Score the epoch; its number is in the weights."""
        validator.state.epoch = engine.state.epoch
        validator.state.metrics = {"score": scores[engine.state.epoch - 1]}
        nn.init.constant_(model.weight, engine.state.epoch)

    optimizer = torch.optim.SGD(model.parameters())
    TrainingRecord(tmp_path, model=model, parts={}, validator=validator, optimizer=optimizer).attach(engine)  # type: ignore[arg-type]
    engine.run([0], max_epochs=3)
    assert float(torch.load(tmp_path / "model.pt", weights_only=True)["weight"]) == kept
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 1/3  loss 0.0000  0 s  score 0.5000 (best 0.5000)  ends at ")
    assert "  ends at " in second
    assert "ends at" not in last


def test_the_average_forgets_its_start_and_then_moves_by_the_momentum() -> None:
    average = warmed_up_average(0.01)
    zero, one = torch.tensor(0.0), torch.tensor(1.0)
    assert float(average(zero, one, torch.tensor(10))) == pytest.approx(0.5)  # 10 / (10 + 10)
    assert float(average(zero, one, torch.tensor(10_000))) == pytest.approx(0.01)  # 10 / 10,010 is less


def test_each_epoch_tells_the_dataset_its_number_and_begins_with_its_own_seed() -> None:
    images = [{"image": torch.tensor([float(number)])} for number in range(9)]
    dataset = SeededCacheDataset(images, Compose([]), seed=5)
    seen: list[tuple[int, float]] = []
    engine = Engine(lambda engine, batch: seen.append((dataset.epoch, float(torch.rand(1)))))
    EpochSeed(5, dataset).attach(engine)
    engine.run([0], max_epochs=3)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    for epoch, number in seen:
        torch.manual_seed(5 + epoch)
        assert number == float(torch.rand(1))
