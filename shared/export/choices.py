"""Which runtime was the fastest for a network on this machine, kept in a small JSON in the user's cache folder."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from shared.errors import InputError
from shared.files import read_json, write_json

PACKAGES = ("torch", "onnxruntime", "onnxruntime-gpu", "openvino")


class Choice(TypedDict):
    """The runtime that was the fastest of those tried, and the milliseconds that each took for an image."""

    bundle: str
    runtime: str
    ms: dict[str, float]


def choices_file() -> Path:
    """Where choices are kept: below XDG_CACHE_HOME, which is ~/.cache where it is not set."""
    return (
        Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "monai-bundle-zoo" / "runtimes.json"
    )


def key_of(**what: object) -> str:
    """A digest of what a choice holds for: `what`, the processor, and the versions of the packages that compute."""
    everything = {**what, "processor": processor(), "packages": {name: _version(name) for name in PACKAGES}}
    return hashlib.sha256(json.dumps(everything, default=str, sort_keys=True).encode()).hexdigest()[:16]


def remembered(key: str) -> Choice | None:
    """The choice kept under `key`; None where there is none that can be read."""
    choice = _kept().get(key)
    return choice if isinstance(choice, dict) and {*Choice.__annotations__} <= choice.keys() else None


def remember(key: str, choice: Choice) -> None:
    """Keep `choice` under `key` beside the others, if the folder can be written."""
    try:
        write_json(choices_file(), {**_kept(), key: choice})
    except (InputError, OSError):  # a trial is made again the next time
        return


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _kept() -> Mapping[str, Choice]:
    try:
        content = read_json(choices_file())
    except (InputError, OSError):
        return {}
    return content if isinstance(content, dict) else {}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
