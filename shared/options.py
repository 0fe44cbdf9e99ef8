"""The options of a run: which there are, what was given, and what they come to."""

import difflib
import inspect
import json
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigWorkflow, create_workflow
from monai.utils import ensure_tuple

from shared.errors import InputError
from shared.files import sha256_of

# Options that change where a run reads and writes or how fast it is, but no result.
HOUSEKEEPING = {
    "_desc_", "imports", "workflows", "bundle_root", "code_path", "dataset_dir", "output_dir", "moving", "fixed",
    "moving_label", "fixed_label", "points", "groups", "atlases", "resume", "num_workers", "workers", "device",
    "engine_cache", "initialize", "run", "finalize",
}  # fmt: skip
WEIGHTS = {"weights", "locator_weights", "template_label"}  # options that name files whose content counts
# Options whose list has a fixed length: an entry an axis of the image, or two limits.
FIXED_LENGTH = {"pixdim", "roi_size", "patch_size", "label_offset", "zoom"}
# Options whose numbers are by class, for which one number, or a list in the order of the classes, may stand.
BY_CLASS = {"threshold"}
# Top-level keys that MONAI itself adds to a config: the metadata, and those of `--tracking mlflow`.
MONAI_KEYS = {"_meta_", "tracking_uri", "experiment_name", "run_name", "save_execute_config", "is_not_rank0"}


def running_workflow() -> Any:
    """The ConfigWorkflow that is evaluating the caller, or None.

    Found on the call stack, since MONAI gives the parts of a config no other way to the whole.
    """
    for frame in inspect.stack(0):
        candidate = frame.frame.f_locals.get("self")
        if isinstance(candidate, ConfigWorkflow):
            return candidate
    return None


def config_files(workflow: ConfigWorkflow) -> list[str]:
    """The files that `workflow` is made of, in order; none where MONAI's create_workflow did not make it.

    It keeps them nowhere, so they are read off the call of create_workflow, which every command and `load` go through.
    """
    for frame in inspect.stack(0):
        values = frame.frame.f_locals
        if frame.frame.f_code is create_workflow.__code__ and values["workflow_"] is workflow:
            return list(ensure_tuple(values["config_file"]))
    return []


def check_options(
    config: Mapping[str, object],
    defaults: Mapping[str, object],
    own: Mapping[str, object] | None = None,
    folder: Path | None = None,
) -> None:
    """Hold `config`, overrides included, against the `defaults`: what its files say, merged.

    own: what the first of the files says, if there are others laid over it, whose values are held against it as well.
    folder: of the bundle's configs, one of which may have an option that this one lacks.
    Raises InputError for a top-level key that no file has, or a plain value of another type than the default.
    """
    for key, value in config.items():
        if key in MONAI_KEYS:
            continue
        if key not in defaults:
            raise InputError(
                f"--{key}", expected="an option of this config", got="one it does not know",
                fix=_advice(key, defaults, folder),
            )  # fmt: skip
        default = (own or defaults).get(key, defaults[key])
        if isinstance(default, dict) and key in BY_CLASS:
            fits = _is_by_class({*default, *ensure_tuple(config.get("class_names", ()))}, value)
        else:
            fits = _same_kind(default, value)
        if not fits or (key in FIXED_LENGTH and not _same_length(default, value)):
            raise InputError(
                f"--{key}", expected=f"a value like {json.dumps(default)}", got=repr(value), fix="correct the option"
            )


def _options_of(path: Path) -> Collection[str]:
    """What stands at the top of a config of a bundle; nothing of another file."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ()
    return content.keys() if isinstance(content, dict) and "_desc_" in content else ()


def _advice(key: str, known: Mapping[str, object], folder: Path | None) -> str:
    """What may have been meant by an option that a config, with those `known`, does not have."""
    files = [path for path in sorted(folder.glob("*.json")) if key in _options_of(path)] if folder else []
    if files:
        return f"{' and '.join(path.name for path in files)} beside it has it"
    close = difflib.get_close_matches(key, known, n=1)
    plain = sorted(k for k, v in known.items() if not isinstance(v, dict) and k.isidentifier())
    return f"did you mean --{close[0]}?" if close else f"it knows {', '.join(plain)}"


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


def run_settings() -> dict[str, Any]:
    """What of this run's config decides what its results are: with a digest of the weights, without places and pace."""
    config = {key: value for key, value in resolved_config().items() if key not in HOUSEKEEPING}
    for key in WEIGHTS & config.keys():
        if isinstance(config[key], str) and Path(config[key]).is_file():
            config[key] = sha256_of(config[key])
    return config


def _same_kind(default: object, value: object) -> bool:
    """Whether an override may stand for a default; text and expressions may stand for anything but a plain value."""
    if isinstance(value, str) and value.startswith(("$", "@")):
        return True
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):
        kinds = int if isinstance(default, int) else int | float
        return isinstance(value, kinds) and not isinstance(value, bool)
    if isinstance(default, list):
        return isinstance(value, list | tuple) and _are_alike(default, value)
    if isinstance(default, dict):
        return isinstance(value, dict)
    if isinstance(default, str) and not default.startswith(("$", "@")):
        return isinstance(value, str | int | float | PathLike)  # a number where it was not typed: --channel
    return True


def _is_by_class(names: Collection[object], value: object) -> bool:
    """Whether `value` is what an option of BY_CLASS may be: numbers, by some of `names` or not, or an expression."""
    if isinstance(value, str):
        return value.startswith(("$", "@"))
    if isinstance(value, dict) and not value.keys() <= set(names):
        return False
    numbers = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    return all(_same_kind(0.5, number) for number in numbers)


def _are_alike(defaults: Sequence[object], values: Sequence[object]) -> bool:
    """Whether each value of a list may stand among its `defaults`; anything may where these are none."""
    if not defaults or not values:
        return not defaults
    return all(
        any(isinstance(value, str) if isinstance(d, str) else _same_kind(d, value) for d in defaults)
        for value in values
    )


def _same_length(default: object, value: object) -> bool:
    return not (isinstance(default, list) and isinstance(value, list | tuple)) or len(default) == len(value)
