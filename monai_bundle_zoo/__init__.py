"""The zoo's name in Python: after `import monai_bundle_zoo` the package `shared`, which configs name, can be imported.

A wheel holds shared/ in this folder, so that site-packages gets no package of so common a name; in a checkout, which
is installed editable, it lies beside this folder.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.door import OpenBundle

ROOT = next(folder for folder in Path(__file__).resolve().parents[:2] if (folder / "shared").is_dir())

_found = find_spec("shared")
if _found is None or _found.origin is None:  # none, or a folder that only happens to be called so
    sys.path.append(str(ROOT))


def open_bundle(bundle: str | Path, **options: Any) -> "OpenBundle":
    """The bundle of that folder or name, ready to predict: see `shared.door.open_bundle`."""
    from shared.door import open_bundle  # the import takes seconds: not for `import monai_bundle_zoo`

    return open_bundle(bundle, **options)


def zoo() -> None:
    """The command monai-bundle-zoo: list, show, download, pack, index, verify, gallery, release."""
    from shared.errors import interruptible

    with interruptible():  # also while what follows is imported
        from shared.zoo.command import main

        main()


def export() -> None:
    """The command monai-bundle-export: a bundle's network as a checked ONNX file."""
    from shared.errors import interruptible

    with interruptible():  # also while what follows is imported
        from shared.export.command import main

        main()
