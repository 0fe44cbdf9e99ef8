"""What every bundle's config starts and ends with, and the way into bundles from Python."""

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from monai.bundle import ConfigParser

from shared.commandline import check_ranges, end_on_signals, is_command, restore_text
from shared.door import open_bundle
from shared.errors import InputError, report_input_errors_in_one_line
from shared.family import choose_network
from shared.memory import keep_freed_memory
from shared.options import check_options, config_files, running_workflow
from shared.version import version_of

__all__ = ["end", "open_bundle", "start"]

PACKAGE = Path(__file__).resolve().parent


def start(
    *,
    bundle_root: str | Path,
    device: str | torch.device = "cpu",
    seed: int | None = None,
    backend: str | None = None,
    family: bool = False,
) -> str:
    """Check, before anything runs, that this run can mean what it says; return the folder of `shared`.

    bundle_root: the bundle's folder. seed: what torch starts from, so that networks made afterwards begin with the same
    weights. backend: of torch.distributed, by which the processes that torchrun started, if it did, share the work;
    None: each does all. family: whether `--network NAME` chooses a network of `shared.family`.
    Raises InputError where another version of `shared` than the bundle's was imported, the device is not there, or
    an option is misspelt, of another type than its default, which MONAI would ignore without a word, or out of range.
    """
    report_input_errors_in_one_line()
    check_package(Path(bundle_root))
    _check_device(device)
    workflow = running_workflow()
    if workflow and (files := config_files(workflow)):
        defaults = ConfigParser.load_config_files(files)
        if is_command():
            restore_text(workflow.parser, defaults, sys.argv)
        if family:
            choose_network(workflow.parser, defaults)
        own = ConfigParser.load_config_files(files[:1])
        check_options(workflow.parser.config, defaults, own=own, folder=Path(files[0]).parent)
        check_ranges(workflow.parser.config)
    if is_command():
        end_on_signals(resumes=workflow is not None and "resume" in workflow.parser.config)
        keep_freed_memory(dims=_dims_of_tiles(workflow))
    if seed is not None:
        torch.manual_seed(seed)
    if backend and "RANK" in os.environ and not dist.is_initialized():
        dist.init_process_group(backend)
    return str(PACKAGE)


def _dims_of_tiles(workflow: Any) -> int:
    """The dimensions of the tiles in which a run goes over images; 3 where it trains or has none."""
    config = workflow.parser.config if workflow else {}
    tile = config.get("roi_size") if "train" not in config else None
    return 2 if isinstance(tile, list) and len(tile) == 2 else 3


def end() -> None:
    """Part from the other processes of the run, where there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()


def check_package(bundle_root: Path) -> None:
    """Raises InputError where the bundle's own `shared` is of another version than the one imported.

    Its own lies in an archive's folder, or where a checkout has it; equal content in two places is one version.
    """
    places = [bundle_root / "shared", bundle_root / ".." / ".." / "shared"]
    own = next((place.resolve() for place in places if (place / "bundle.py").is_file()), PACKAGE)
    if own == PACKAGE:
        return
    expected, got = version_of(own), version_of(PACKAGE)
    if expected != got:
        raise InputError(
            "shared", expected=f"version {expected}, in {own}", got=f"version {got}, imported from {PACKAGE}",
            fix="run each bundle in its own process",
        )  # fmt: skip


def _check_device(device: str | torch.device) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise InputError(
            "--device", expected=f"one of {', '.join(there)}", got=str(device), fix="choose one of these"
        ) from error
