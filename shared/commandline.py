"""What a command line means: text as it was typed, numbers in their range, and signals that end a run with a line."""

import logging
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import InputError

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 and the signal's number, as a shell has it
PATHS = ("moving", "fixed", "moving_label", "fixed_label", "finetune_from")  # options whose default is null
RESOLVED = ("bundle_root", "device")  # before anything can be restored
# Options by what their numbers, each one of a list, must be.
POSITIVE = {
    "max_epochs", "batch_size", "val_interval", "pairs_per_epoch", "crops_per_image", "patch_size", "roi_size",
    "pixdim", "input_size", "largest_whole", "most", "channels", "scales", "closing_scales", "zoom",
    "ncc_window", "loss_stride", "memory_limit",
}  # fmt: skip
NOT_NEGATIVE = {
    "learning_rate", "num_workers", "workers", "seed", "fold", "overlap", "refine_steps", "weight_decay", "smoothness",
    "smallest", "refine_learning_rate", "refine_anchor", "refine_overlap", "epochs_without_mosaic", "positives",
    "negatives", "shift", "tile_size", "smallest_side", "warmup_epochs", "atlas_count", "magnitude", "centring",
}  # fmt: skip
LARGEST = 2**32 - 1  # of any number: what seeds, sizes and counts hold in every library
SHARES = {"threshold", "min_score", "validation_fraction", "ema_momentum", "tile_overlap"}  # from 0 to 1


def is_command() -> bool:
    """Whether this process is `python -m monai.bundle`, and not a program that uses MONAI."""
    return Path(sys.argv[0]).parts[-3:] == ("monai", "bundle", "__main__.py")


def typed_options(arguments: Sequence[str]) -> dict[str, str]:
    """The text of each option of a command line: `--name text` or `--name=text`."""
    options = {}
    for argument, following in zip(arguments, [*arguments[1:], "--"]):
        name, equals, text = argument.partition("=")
        if name.startswith("--") and (equals or not following.startswith("--")):
            options[name[2:].replace("-", "_")] = text if equals else following
    return options


def restore_text(parser: Any, defaults: Mapping[str, object], arguments: Sequence[str]) -> None:
    """Give options that are text the text that was typed, of which python-fire makes numbers, lists or less text.

    parser: MONAI's, of a config of which none was evaluated yet. `run#2` would else be `run`, and 2024 a number.
    """
    for name, text in typed_options(arguments).items():
        default = defaults.get(name)
        is_text = isinstance(default, str) or (default is None and name in PATHS and name in defaults)
        if is_text and name not in RESOLVED and not text.startswith(("$", "@")):
            parser.config[name] = text
            parser.ref_resolver.resolved_content[name] = text  # as it is: MONAI would make `::` of `#`


def check_ranges(config: Mapping[str, object]) -> None:
    """Raise InputError for an option whose number no run can mean, such as `--max_epochs 0`."""
    plain = {name for name, value in config.items() if isinstance(value, int | float | list | tuple)}
    ranges = (
        (plain, f"a number from -{LARGEST} to {LARGEST}", lambda number: abs(number) <= LARGEST),
        (POSITIVE, "more than 0", lambda number: number > 0),
        (NOT_NEGATIVE, "0 or more", lambda number: number >= 0),
        (SHARES, "a number from 0 to 1", lambda number: 0 <= number <= 1),
    )
    for names, expected, holds in ranges:
        for name in sorted(names & config.keys()):
            value = config[name]
            numbers = value.values() if isinstance(value, dict) else value
            for number in numbers if isinstance(numbers, Iterable) else [numbers]:
                if isinstance(number, int | float) and not holds(number):  # NaN holds nothing
                    raise InputError(f"--{name}", expected=expected, got=number, fix="correct the option")


def end_on_signals(*, resumes: bool) -> None:
    """Let SIGINT and SIGTERM end this process with one line and the usual exit code, after files are tidied up.

    resumes: whether the run has an option `resume`, which the line then names.
    """
    process = os.getpid()
    advice = ", and --resume True goes on from there" if resumes else ""

    def end(number: int, frame: object) -> None:
        code = EXIT_CODES[signal.Signals(number)]
        if os.getpid() != process:  # a worker that reads images
            os._exit(code)
        logging.disable(logging.CRITICAL)  # engines would tell of it as an error of theirs
        name = signal.Signals(number).name
        print(f"ended by {name}; what is finished is kept{advice}", file=sys.stderr)
        raise SystemExit(code)

    for number in EXIT_CODES:
        signal.signal(number, end)
