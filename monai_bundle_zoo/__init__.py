"""The zoo's name in Python: after `import monai_bundle_zoo` the package `shared`, which configs name, can be imported.

A wheel holds shared/ in this folder, so that site-packages gets no package of so common a name; in a checkout, which
is installed editable, it lies beside this folder.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

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
    with _interruptible():
        from shared.zoo.command import main

        main()


def export() -> None:
    """The command monai-bundle-export: a bundle's network as a checked ONNX file."""
    with _interruptible():
        from shared.export.command import main

        main()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ends the process with one line and the exit code of shells, without temporary files, by SIGINT and SIGTERM."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else signal.SIGINT
        print("interrupted" if number == signal.SIGINT else "terminated", file=sys.stderr)
        raise SystemExit(128 + number) from None


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)
