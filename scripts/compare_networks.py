"""Find the networks that no other beats on both score and time, for a bundle that segments.

Trains each network by the bundle's train.json from scratch, all for the same epochs, scores it by evaluate.json on the
validation split, times it as inference.json runs it, and measures a step of its training. What is done is not done
again, but for the timing, so a study that was stopped goes on where it was. The report covers each bundle that was
compared in the same --output_dir.
Any option of train.json may be given besides, such as --batch_size 8.
"""

import argparse
import shlex
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from monai_bundle_zoo import ROOT
from shared.benchmarks.machine import bfloat16_flags
from shared.benchmarks.measuring import alternate
from shared.errors import InputError, report_input_errors_in_one_line
from shared.files import read_json, write_json
from shared.studies.candidates import Candidate
from shared.studies.networks import candidates, family
from shared.studies.pareto import Compared, Point, write_report
from shared.studies.running import report_into, study_arguments, study_parser
from shared.studies.timing import cost, first_image, inference
from shared.studies.training_step import peak_bytes, training_step

CONFIG, TRAINING = "inference.json", "train.json"
SECONDS = 60.0  # of rounds, after which no more begin
# What is timed -> threads, and how the network is run.
WAYS = {
    "1 thread": (1, {"folded": True, "bfloat16": False}),
    "norms not folded": (1, {"folded": False, "bfloat16": False}),
    "bfloat16": (1, {"folded": True, "bfloat16": True}),
    "2 threads": (2, {"folded": True, "bfloat16": False}),
}


def candidates_of(bundle: Path, arguments: argparse.Namespace) -> list[Candidate]:
    """Raises InputError for a bundle or a network that is not known."""
    if not bundle.name.endswith("_segmentation") or not (bundle / "configs" / CONFIG).is_file():
        raise InputError(bundle.name, expected="a bundle that segments", got="none", fix="correct the name")
    dims = read_json(bundle / "configs" / CONFIG)["network_def"].get("spatial_dims", 0)
    known = family(dims) if arguments.family else candidates(dims)
    for name in arguments.networks or []:
        if name not in known:
            raise InputError("--networks", expected=", ".join(known), got=name, fix="correct the name")
    folder = arguments.output_dir.resolve() / bundle.name
    return [
        Candidate(
            name, known[name], bundle / "configs", folder / name.replace(" ", "_"), arguments.dataset_dir.resolve(),
            arguments.threads, arguments.options,
        )
        for name in arguments.networks or known
    ]  # fmt: skip


def timings(found: list[Candidate], image: Tensor, rounds: int) -> dict[str, dict[str, float]]:
    """Network -> what of `WAYS` -> ms, the least of rounds that alternate, since whatever else runs only adds.

    Of one thread it is the processor's time. A processor without bfloat16 has no figure for it.
    """
    figures: dict[str, dict[str, float]] = {candidate.name: {} for candidate in found}
    for way, (threads, how) in WAYS.items():
        if how["bfloat16"] and not bfloat16_flags():
            continue
        torch.set_num_threads(threads)
        runs = {c.name: inference(c.configs / CONFIG, c.network_def, c.weights, image, **how) for c in found}
        clock = time.process_time if threads == 1 else time.perf_counter
        for name, seconds in alternate(runs, rounds=rounds, seconds=SECONDS, clock=clock).items():
            figures[name][way] = 1000 * min(seconds)
    return figures


def step_timings(found: list[Candidate], rounds: int) -> dict[str, float]:
    """Network -> ms of the processor for a step of training on one thread: the least of rounds that alternate."""
    torch.set_num_threads(1)
    runs = {c.name: training_step(c.configs / TRAINING, c.network_def, c.options) for c in found}
    times = alternate(runs, rounds=rounds, seconds=SECONDS, warm=False, clock=time.process_time)
    return {name: 1000 * min(seconds) for name, seconds in times.items()}


def step_mib(candidate: Candidate) -> float:
    """The memory of a step of training, counted."""
    config = candidate.configs / TRAINING
    return peak_bytes(training_step(config, candidate.network_def, candidate.options, device="meta")) / 2**20


def compare(bundle: Path, arguments: argparse.Namespace) -> Compared:
    found = candidates_of(bundle, arguments)
    for candidate in tqdm(found, unit="network", desc="training"):
        candidate.train(arguments.max_epochs)
    scores = {c.name: c.scores() for c in tqdm(found, unit="network", desc="scoring")}
    config = bundle / "configs" / CONFIG
    image = first_image(config)
    ms, step_ms = timings(found, image, arguments.rounds), step_timings(found, arguments.rounds)
    points = [
        Point(c.name, scores[c.name], ms[c.name], *cost(config, c.network_def, image), step_ms[c.name], step_mib(c))
        for c in found
    ]
    command = f"python scripts/compare_networks.py {shlex.join(sys.argv[1:])}"
    return Compared(bundle.name, found[0].key_metric(), arguments.max_epochs, image.shape[2:], points, command)


def parse() -> argparse.Namespace:
    parser = study_parser(__doc__, output_dir="outputs/networks", max_epochs=12)
    parser.add_argument("bundle", help="the name of a folder in bundles/")
    parser.add_argument("--dataset_dir", type=Path, required=True, help="as train.json takes it")
    parser.add_argument("--family", action="store_true", help="compare those that --network of a config chooses among")
    parser.add_argument("--networks", nargs="+", help="some of them; the first is what the others are compared with")
    parser.add_argument("--rounds", type=int, default=15, help="of timing, at most")
    return study_arguments(parser)


def main() -> None:
    report_input_errors_in_one_line()
    arguments = parse()
    compared = compare(ROOT / "bundles" / arguments.bundle, arguments)
    output_dir: Path = arguments.output_dir
    write_json(output_dir / compared.bundle / "compared.json", asdict(compared))
    done = [Compared.read(path) for path in sorted(output_dir.glob("*/compared.json"))]
    report_into(arguments, partial(write_report, compared=done))


if __name__ == "__main__":
    main()
