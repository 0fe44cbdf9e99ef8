"""What sites of unlike data learn together, beside what each learns alone and what one with all of the data does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import create_workflow
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems
from monai.fl.utils.exchange_object import ExchangeObject
from torch import Tensor

from shared.files import read_table, write_atomically
from shared.studies.sites import KINDS

REPORT = """# Federated learning, measured
Two sites train the network of `{bundle}`, with half as many features, from scratch by MONAI's client
([how](clients.md#federated-learning), also in NVIDIA FLARE): one has small structures,
one large ones, {learnt} cases each, out of the {cases} smallest and largest of the data set. There are {rounds} rounds
of {epochs} epochs, after each of which the sites' weights are replaced by their mean. Beside it, in as many epochs:
each site alone, and one with all of these cases, which makes twice as many steps.
Mean Dice over {tested} cases that none of them
saw, as many of each kind; the standard error of a mean is about {error:.3f}. It is one training each, of a small
budget: compare rows with each other, not with the card. Made by
```
{command}
```

{table}
"""
NETWORK = {"network_def#filters": [8, 20, 48, 96]}  # half as many features as the bundle has: a quarter of the time
ROWS = {
    "small": "the site of small ones alone", "large": "the site of large ones alone",
    "together": "both, federated: the mean of their weights", "all": "all of the data in one place",
}  # fmt: skip


@dataclass(frozen=True)
class Federation:
    """Trainings of a bundle by MONAI's client of federated learning, from scratch, into `folder`.

    rounds: after each, the sites' weights are replaced by their mean. epochs: of a round. options: of
    train.json and evaluate.json both.
    """

    bundle: Path
    folder: Path
    rounds: int
    epochs: int
    options: Mapping[str, Any]

    def learned(self, name: str, sites: Sequence[Path]) -> Path:
        """The file of the weights that `sites`, of as many cases each, learn together; one alone trains as usual."""
        path = self.folder / f"{name}.pt"
        if path.is_file():
            return path
        clients = [self._client(self.folder / f"{name}_of_{site.name}", site) for site in sites]
        workflow = clients[0].train_workflow
        assert workflow is not None  # since the client was initialised
        state = {k: v.clone() for k, v in workflow.network_def.state_dict().items()}
        for _ in range(self.rounds):
            answers = []
            for client in clients:
                client.train(ExchangeObject(weights=state))
                answers.append(client.get_weights().weights)
            state = mean(answers)
        torch.save(state, path)
        return path

    def scores(self, weights: Path, test: Path) -> dict[str, float]:
        """The mean Dice of each case of `test`, by evaluate.json."""
        folder = weights.with_suffix("")
        if not (folder / "metrics.csv").is_file():
            workflow = create_workflow(
                config_file=str(self.bundle / "configs" / "evaluate.json"), workflow_type="infer", weights=str(weights),
                dataset_dir=str(test), output_dir=str(folder), pictures=False, device="cpu", **self.options,
            )  # fmt: skip
            workflow.run()
        return {Path(row["case"]).name: float(row["dice_mean"]) for row in read_table(folder / "metrics.csv")}

    def _client(self, folder: Path, site: Path) -> MonaiAlgo:
        data = {"dataset_dir": str(site), "device": "cpu", **self.options}
        total = self.rounds * self.epochs  # by which the learning rate falls
        options = {**data, "output_dir": str(folder), "max_epochs": total, "val_interval": total}
        client = MonaiAlgo(
            str(self.bundle), local_epochs=self.epochs, send_weight_diff=False, train_kwargs=options, eval_kwargs=data
        )
        client.initialize(extra={ExtraItems.CLIENT_NAME: folder.name})
        return client


def mean(answers: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several states of one network, in float32."""
    return {name: torch.stack([answer[name].float() for answer in answers]).mean(dim=0) for name in answers[0]}


def write_report(
    folder: Path, scores: Mapping[str, Mapping[str, float]], federation: Federation, *, cases: int, command: str
) -> str:
    """Write federated.md into `folder`, and return the text. scores: of each test case, by what learnt."""
    table = [["trained", "Dice, small", "Dice, large", "Dice, both"], ["---", *["--:"] * 3]]
    for name, text in ROWS.items():
        groups = [[d for case, d in scores[name].items() if case.startswith(f"{kind}_")] for kind in KINDS]
        table.append([text, *(f"{np.mean(values):.3f}" for values in (*groups, [*scores[name].values()]))])
    tested = len(scores["all"])
    errors = [np.std([*values.values()], ddof=1) / np.sqrt(tested) for values in scores.values()]
    text = REPORT.format(
        bundle=federation.bundle.name, learnt=(cases - tested) // 2, cases=cases, rounds=federation.rounds,
        epochs=federation.epochs, tested=tested, error=max(errors), command=command,
        table="\n".join("| " + " | ".join(row) + " |" for row in table),
    )  # fmt: skip
    write_atomically(folder / "federated.md", lambda path: path.write_text(text, encoding="utf-8"))
    return text
