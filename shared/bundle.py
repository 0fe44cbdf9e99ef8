"""What every bundle's config starts with, and what it can know of the run it is part of."""

import difflib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow, create_workflow
from monai.utils import ensure_tuple

from shared.errors import InputError, report_input_errors_in_one_line
from shared.version import version_of

# Top-level keys that MONAI itself adds to a config: the metadata, and those of `--tracking mlflow`.
MONAI_KEYS = {"_meta_", "tracking_uri", "experiment_name", "run_name", "save_execute_config", "is_not_rank0"}
PACKAGE = Path(__file__).resolve().parent


def start(
    *,
    bundle_root: str | Path | None = None,
    shared_version: str = "",
    device: str | torch.device = "cpu",
    seed: int | None = None,
) -> str:
    """Check, before anything runs, that this run can mean what it says; return the folder of `shared`.

    bundle_root: the bundle's folder. shared_version: of older configs, ignored. seed: what torch starts from, so that
    networks made afterwards begin with the same weights.
    Raises InputError where another version of `shared` than the bundle's was imported, the device is not there, or
    an option is misspelt or of another type than its default: MONAI would ignore it without a word.
    """
    report_input_errors_in_one_line()
    if bundle_root is not None:
        check_package(Path(bundle_root))
    _check_device(device)
    workflow = running_workflow()
    if workflow and (files := config_files(workflow)):
        check_options(workflow.parser.config, ConfigParser.load_config_files(files))
    if seed is not None:
        torch.manual_seed(seed)
    return str(PACKAGE)


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


def running_workflow() -> Any:
    """The ConfigWorkflow that is evaluating the caller, or None.

    Found on the call stack, since MONAI gives the parts of a config no other way to the whole.
    """
    for frame in inspect.stack(0):
        candidate = frame.frame.f_locals.get("self")
        if isinstance(candidate, ConfigWorkflow):
            return candidate
    return None


def config_files(workflow: Any) -> list[str]:
    """The files that `workflow` is made of, in order; none where MONAI's create_workflow did not make it.

    It keeps them nowhere, so they are read off the call of create_workflow, which every command and `load` go through.
    """
    for frame in inspect.stack(0):
        values = frame.frame.f_locals
        if frame.frame.f_code is create_workflow.__code__ and values["workflow_"] is workflow:
            return list(ensure_tuple(values["config_file"]))
    return []


def check_options(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Hold `config`, overrides included, against the `defaults`: what its files say, merged.

    Raises InputError for a top-level key that no file has, or a plain value of another type than the default.
    """
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
