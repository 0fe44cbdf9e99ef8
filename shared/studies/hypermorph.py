"""One registration network that takes any weight of smoothness, against networks that were trained for one each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.files import read_json
from shared.images.reading import read_ids
from shared.studies.candidates import Candidate
from shared.studies.running import run_config_here
from shared.tasks.registration.learner import SPAN, regularity_for
from shared.tasks.registration.subjects import select_pairs

BASE = 0.5  # the weight of smoothness in the middle of those that the one network is trained for
SMALLEST, LARGEST = BASE / SPAN, BASE * SPAN

Row = Mapping[str, str]  # of evaluate.json's table: a pair


@dataclass(frozen=True)
class Measured:
    """What networks made of the validation pairs.

    one, own: the rows of each weight of smoothness, by the network that takes any of them and by that trained for it.
    seconds: of the training of "one" and of "own", all together. ventricles: the voxels of each pair, by its case.
    """

    one: Mapping[float, Sequence[Row]]
    own: Mapping[float, Sequence[Row]]
    seconds: Mapping[str, float]
    ventricles: Mapping[str, int]


@dataclass(frozen=True)
class HyperMorph:
    """The trainings of a study, each in a folder of its own. What is done is not done again.

    filters: of the network's levels. options: others of train.json, the same for all.
    """

    bundle: Path
    folder: Path
    dataset_dir: Path
    epochs: int
    filters: Sequence[int]
    threads: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    run: Callable[..., None] = run_config_here

    def measured(self, lambdas: Sequence[float]) -> Measured:
        """Train for each of `lambdas`, and once for all. Raises InputError for one outside of the network's range."""
        for weight in lambdas:
            if not SMALLEST <= weight <= LARGEST:
                limits = f"{SMALLEST:g} to {LARGEST:g}"
                raise InputError("--lambdas", expected=limits, got=weight, fix="choose others")
        one, own = self.trained(None), {weight: self.trained(weight) for weight in lambdas}
        seconds = {"one": one.seconds(), "own": sum(network.seconds() for network in own.values())}
        by_one = {weight: self._rows_at(one, weight) for weight in lambdas}
        return Measured(by_one, {w: network.rows() for w, network in own.items()}, seconds, self.ventricles())

    def trained(self, weight: float | None) -> Candidate:
        """The network trained for one weight of smoothness, or for any with None."""
        name = "any" if weight is None else f"lambda_{weight:g}"
        options = {**self.options, "smoothness": BASE if weight is None else weight}
        network_def = self._network_def(0.5 if weight is None else None)
        configs, folder = self.bundle / "configs", self.folder / name
        candidate = Candidate(
            name, network_def, configs, folder, self.dataset_dir, self.threads, options, self.run
        )  # fmt: skip
        candidate.train(self.epochs)
        return candidate

    def ventricles(self) -> dict[str, int]:
        """The voxels of the lateral ventricles of both images of each validation pair."""
        config = read_json(self.bundle / "configs" / "evaluate.json") | self.options
        ids = [i for i, name in enumerate(config["class_names"]) if name.endswith("lateral_ventricle")]
        pairs = select_pairs(
            self.dataset_dir, part="validation", label_suffix=config["label_suffix"],
            fraction=config["validation_fraction"], seed=config["seed"],
        )  # fmt: skip
        voxels: dict[str, int] = {}
        for pair in pairs:
            path = pair["moving_label"]  # each subject is once the moving one
            voxels[path] = sum(int((read_ids(path).values == i).sum()) for i in ids)
        return {pair["case"]: voxels[pair["moving_label"]] + voxels[pair["fixed_label"]] for pair in pairs}

    def _network_def(self, regularity: float | None) -> dict[str, Any]:
        network: dict[str, Any] = read_json(self.bundle / "configs" / "train.json")["network_def"]
        network = {**network, "filters": [*self.filters]}
        return network if regularity is None else {**network, "regularity": regularity}

    def _rows_at(self, one: Candidate, weight: float) -> Sequence[Row]:
        return one.rows(f"lambda_{weight:g}", network_def=self._network_def(regularity_for(weight / BASE)))
