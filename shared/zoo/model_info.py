"""models/model_info.json: what MONAI's `get_bundle_versions` and `get_bundle_info` read of a repository."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from shared.zoo.index import IndexFile

CUT = re.compile(r"_v\d*.")  # where MONAI cuts the name of an archive


def model_info(index: IndexFile, archives: Iterable[Path]) -> dict[str, dict[str, str]]:
    """The address and the SHA-1 of each archive by its name without ending. archives: those that `index` is of."""
    sums = {path.stem: hashlib.sha1(path.read_bytes()).hexdigest() for path in archives}
    names = {f"{entry['name']}_v{entry['version']}": entry["url"] for entry in index["bundles"]}
    return {name: {"checksum": sums[name], "source": url} for name, url in names.items()}


def is_cut(name: str) -> bool:
    """Whether MONAI takes a part of a bundle's name for its version, so that it finds no version by itself."""
    return CUT.search(name) is not None
