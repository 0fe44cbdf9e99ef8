"""A network of a comparison, trained and scored by the configs of a bundle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.files import read_json, read_table
from shared.studies.running import run_config


@dataclass
class Candidate:
    """A network in a folder of its own, trained for all of its epochs. What is done there is not done again.

    network_def: as a bundle's configs take it. configs: their folder. options: others of train.json, of which
    evaluate.json gets those that it has. run: `run_config`, or what runs a config otherwise.
    """

    name: str
    network_def: dict[str, Any]
    configs: Path
    folder: Path
    dataset_dir: Path
    threads: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    run: Callable[..., None] = run_config

    @property
    def weights(self) -> Path:
        """After the last epoch, the only one that is validated, so that none was chosen by its score."""
        return self.folder / "model.pt"

    def train(self, epochs: int) -> None:
        if len(read_table(self.folder / "metrics.csv")) < epochs:
            more = {"max_epochs": epochs, "val_interval": epochs, "resume": True}
            self._run("train", self.folder, {**self.options, **more})

    def seconds(self) -> float:
        """Of the training, without validation."""
        return sum(float(row["seconds"]) for row in read_table(self.folder / "metrics.csv"))

    def key_metric(self) -> str:
        """Of the training, as the evaluation calls it: "dice_mean" of "mean_dice"."""
        row = read_table(self.folder / "metrics.csv")[0]
        return next(f"{key.removeprefix('mean_')}_mean" for key in row if key.startswith("mean_"))

    def scores(self) -> dict[str, float]:
        """The key metric of each validation case."""
        metric = self.key_metric()
        return {row["case"]: float(row[metric]) for row in self.rows()}

    def rows(self, name: str = "evaluation", **more: Any) -> list[dict[str, str]]:
        """What evaluate.json finds of each validation case, with `more` options, in the folder `name` of this one's."""
        folder = self.folder / name
        if not (folder / "metrics.csv").is_file():
            known = read_json(self.configs / "evaluate.json")
            shared = {key: value for key, value in self.options.items() if key in known}
            self._run("evaluate", folder, {**shared, "part": "validation", "weights": self.weights, **more})
        return read_table(folder / "metrics.csv")

    def _run(self, config: str, output_dir: Path, more: Mapping[str, Any]) -> None:
        path = self.configs / f"{config}.json"
        options = {"network_def": self.network_def, "dataset_dir": self.dataset_dir, "output_dir": output_dir, **more}
        self.run(f"{config} of {self.name}", path, options, log=self.folder / f"{config}.txt", threads=self.threads)
