"""What every bundle's config starts with, and what it can know of the run it is part of."""

import difflib
import inspect
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from monai.bundle import ConfigWorkflow

from shared import __version__
from shared.errors import InputError, report_input_errors_in_one_line

# Top-level keys that MONAI itself adds to a config: the metadata, and those of `--tracking mlflow`.
MONAI_KEYS = {"_meta_", "tracking_uri", "experiment_name", "run_name", "save_execute_config", "is_not_rank0"}


def start(
    *, bundle_root: str | Path, device: str | torch.device = "cpu", seed: int | None = None, backend: str | None = None
) -> str:
    """Check, before anything runs, that this run can mean what it says; return the version of `shared`.

    seed: what torch starts from, so that networks made afterwards begin with the same weights. backend: of
    torch.distributed, by which the processes that torchrun started, if it did, share the work; None: each does all.
    Raises InputError where the device is not there, or an option is misspelt or of another type than its default:
    MONAI would ignore it without a word.
    """
    report_input_errors_in_one_line()
    _check_device(device)
    workflow = running_workflow()
    if workflow:
        check_options(workflow.parser.config, _config_files(workflow))
    if seed is not None:
        torch.manual_seed(seed)
    if backend and "RANK" in os.environ and not dist.is_initialized():
        dist.init_process_group(backend)
    return __version__


def end() -> None:
    """Part from the other processes of the run, where there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()


def running_workflow() -> Any:
    """The ConfigWorkflow that is evaluating the caller, or None.

    Found on the call stack, since MONAI gives the parts of a config no other way to the whole.
    """
    for frame in inspect.stack(0):
        candidate = frame.frame.f_locals.get("self")
        if isinstance(candidate, ConfigWorkflow):
            return candidate
    return None


def check_options(config: Mapping[str, Any], files: list[Mapping[str, Any]]) -> None:
    """Hold `config`, overrides included, against the `files` it was read from.

    Raises InputError for a top-level key that no file has, or a plain value of another type than the file's.
    """
    defaults = {key: value for file in files for key, value in file.items()}
    for key, value in config.items():
        if key in MONAI_KEYS:
            continue
        if key not in defaults:
            close = difflib.get_close_matches(key, defaults, n=1)
            plain = sorted(k for k, v in defaults.items() if not isinstance(v, dict) and k.isidentifier())
            raise InputError(
                f"--{key}", expected="an option of this bundle", got="one it does not know",
                fix=f"did you mean --{close[0]}?" if close else f"it knows {', '.join(plain)}",
            )  # fmt: skip
        default = defaults[key]
        if not _same_kind(default, value):
            raise InputError(
                f"--{key}", expected=f"a value like {json.dumps(default)}", got=repr(value), fix="correct the option"
            )


def resolved_config() -> dict[str, Any]:
    """The config of this run with overrides applied and every plain option worked out; components as written."""
    workflow = running_workflow()
    if workflow is None:
        return {}
    config = {key: value for key, value in workflow.parser.config.items() if key != "_meta_"}
    for key, value in config.items():
        if isinstance(value, str) and value.startswith(("$", "@")):
            content = workflow.parser.get_parsed_content(key)
            if isinstance(content, str | int | float | bool | torch.device):
                config[key] = str(content) if isinstance(content, torch.device) else content
    return config


def _config_files(workflow: Any) -> list[Mapping[str, Any]]:
    """Those JSON files beside the workflow's config whose top-level keys all went into it."""
    given = set(workflow.parser.config)
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in workflow.config_root_path.glob("*.json")]
    return [content for content in contents if {re.split("#|::", key)[0] for key in content} <= given]


def _same_kind(default: Any, value: Any) -> bool:
    """Whether an override may stand for a default; text and expressions may stand for anything but a plain value."""
    if isinstance(value, str) and value.startswith(("$", "@")):
        return True
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):
        kinds = int if isinstance(default, int) else int | float
        return isinstance(value, kinds) and not isinstance(value, bool)
    if isinstance(default, list):
        return isinstance(value, list | tuple)
    return True


def _check_device(device: str | torch.device) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise InputError(
            "--device", expected=f"one of {', '.join(there)}", got=str(device), fix="choose one of these"
        ) from error
