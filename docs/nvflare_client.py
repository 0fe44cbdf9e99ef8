"""What a site of NVIDIA FLARE runs: MONAI's client trains a bundle on the site's own data, round after round.

nvflare_job.py sends it; it needs nvflare, and the bundle on the site's disk.
"""

import argparse
import json
from pathlib import Path

import nvflare.client as flare
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, FlStatistics
from monai.fl.utils.exchange_object import ExchangeObject


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("dataset_dir", type=Path)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("--epochs", type=int, required=True, help="of a round")
    parser.add_argument("--options", type=Path, help="a JSON file of further options of train.json and evaluate.json")
    return parser.parse_args()


def client_of(options: argparse.Namespace, rounds: int) -> MonaiAlgo:
    """MONAI's client; it scores weights by the validation of train.json, on cases that the site does not learn from."""
    own = json.loads(options.options.read_text()) if options.options else {}
    own |= {"dataset_dir": str(options.dataset_dir)}
    epochs = rounds * options.epochs  # by which the learning rate falls
    client = MonaiAlgo(
        str(options.bundle), local_epochs=options.epochs, send_weight_diff=False,
        train_kwargs={**own, "output_dir": str(options.output_dir), "max_epochs": epochs}, eval_kwargs=own,
    )  # fmt: skip
    client.initialize(extra={ExtraItems.CLIENT_NAME: flare.get_site_name()})
    return client


def main() -> None:
    options = parse()
    client = None
    flare.init()
    while flare.is_running():
        received = flare.receive()
        client = client or client_of(options, received.total_rounds)
        together = ExchangeObject(weights=received.params)
        metrics = client.evaluate(together).metrics
        client.train(together)
        learned = client.get_weights()
        steps = learned.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS]
        flare.send(flare.FLModel(params=learned.weights, metrics=metrics, meta={"NUM_STEPS_CURRENT_ROUND": steps}))


if __name__ == "__main__":
    main()
