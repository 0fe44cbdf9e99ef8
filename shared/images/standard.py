"""Standard frames: templates that other packages carry, each by the word that stands for its file."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shared.errors import InputError

# By word, the package and the file in it: ICBM 152 2009a, nonlinear, symmetric, T1, 1 mm, of brains without skulls.
STANDARD = {"mni152": ("nilearn", "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")}


def with_standard(images: Mapping[str, Any]) -> dict[str, Any]:
    """`images`, in which a word of `STANDARD` in place of a path becomes the path of its file.

    A file of such a name is meant by `./mni152`. Raises InputError where the package is not installed.
    """
    return {
        key: str(standard_file(image)) if isinstance(image, str) and image in STANDARD else image
        for key, image in images.items()
    }


def standard_file(word: str) -> Path:
    """The file that a word of `STANDARD` stands for. Raises InputError where its package is missing or lacks it."""
    package, name = STANDARD[word]
    found = find_spec(package)  # which does not import it
    path = Path(found.origin).parent / name if found and found.origin else None
    if path is None or not path.is_file():
        raise InputError(
            word, expected=f"the package {package}, which carries this template", got=path or "none",
            fix="pip install 'monai-bundle-zoo[mni]'",
        )  # fmt: skip
    return path
