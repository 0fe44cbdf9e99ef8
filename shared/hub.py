"""Bundles on the Hugging Face hub: fetched once, then from its cache, without a network too."""

import re
from pathlib import Path

from shared.errors import InputError, one_line

NAME = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")


def is_hub_name(name: str) -> bool:
    """Whether it has the form OWNER/NAME or OWNER/NAME@REVISION."""
    return NAME.fullmatch(name) is not None


def hub_folder(name: str) -> Path:
    """The folder, in the hub's cache, of the bundle OWNER/NAME or OWNER/NAME@REVISION (a tag, branch or commit).

    Where the hub cannot be reached, the cache's copy serves, if it has one. Raises InputError where there is none, and
    where huggingface_hub is not installed.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise InputError(name, expected="OWNER/NAME or OWNER/NAME@REVISION", got="another form", fix="correct it")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise InputError(
            name, expected="the package huggingface_hub", got="none", fix="pip install 'monai-bundle-zoo[hub]'"
        ) from error
    try:
        return Path(snapshot_download(match["repo"], revision=match["revision"]))  # falls back on the cache by itself
    except Exception as error:  # the library's, of HTTP, of the system
        raise InputError(
            name, expected="a bundle on the hub, or in its cache", got=one_line(error)[:200],
            fix="check the name and the network, or give a folder",
        ) from error  # fmt: skip
