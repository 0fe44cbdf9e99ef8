"""A bundle's folder, written in one step: all of it is there, or nothing."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from shared.errors import InputError, system_faults
from shared.files import write_atomically
from shared.images.cases import Case
from shared.planning.describing import card, data_licence, metadata, metadata_text
from shared.planning.planned import Planned
from shared.planning.recipe_text import recipe_text
from shared.planning.results import Results
from shared.version import package_files
from shared.zoo.generated import bundle_files
from shared.zoo.marks import with_others_marked
from shared.zoo.packing import EXPORT_SCRIPT
from shared.zoo.requirements import pinned, pins_text

ROOT = Path(__file__).parents[2]
LIKE = ROOT / "bundles" / "membrane_em_segmentation"  # from which a bundle has the files that all have alike


def check_name(folder: Path) -> None:
    """Raises InputError where a bundle cannot be called so, or is there."""
    if not folder.name.isidentifier() or not folder.name.isascii():
        raise InputError(
            "NAME", expected="letters, digits and _, such as liver_ct_segmentation", got=folder.name, fix="rename it"
        )
    if folder.exists():
        raise InputError(folder, expected="a new bundle", got="one of this name", fix="choose another name")


def title_of(folder: Path) -> str:
    """What a bundle is called in words, by its folder."""
    return folder.name.replace("_", " ").capitalize()


def write_bundle(
    folder: Path, planned: Planned, *, source: str, licence: str, samples: Sequence[Case], root: Path
) -> Path:
    """Write the bundle `folder`, and the package `shared` into it where it does not lie in a checkout.

    source: what the data are called. samples: cases of the data set `root` that are copied. Raises InputError where the
    folder is there, or cannot be written.
    """
    check_name(folder)
    title = title_of(folder)
    with system_faults(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as temporary:
            made = Path(temporary) / folder.name
            _write_described(made, planned, title, source, licence)
            shutil.copy(LIKE / "LICENSE", made)
            shutil.copy(LIKE / "configs" / "logging.conf", made / "configs")
            (made / "models").mkdir()
            _copy_samples(made / "sample_data", samples, root)
            _write(made / "docs" / "data_license.txt", data_licence(source, licence, len(samples)))
            _write_generated(made)
            if not (folder.parents[1] / "shared" / "bundle.py").is_file():
                _write_package(made)
            os.rename(made, folder)
    return folder


def write_again(bundle: Path, planned: Planned, *, source: str, licence: str, results: Results | None = None) -> None:
    """Write recipe, configs, metadata and card of `bundle` for a plan that changed, or with its `results`."""
    with system_faults(bundle):
        _write_described(bundle, planned, title_of(bundle), source, licence, results)
        _write_generated(bundle)


def _write_described(
    made: Path, planned: Planned, title: str, source: str, licence: str, results: Results | None = None
) -> None:
    """What is written by hand of other bundles."""
    figures = results.figures if results else {}
    content = metadata(planned, title, source, licence, pinned(ROOT), figures)
    _write(made / "recipe.py", recipe_text(planned, title))
    _write(made / "configs" / "metadata.json", metadata_text(content))
    text = card(planned, title, made.name, source, licence, results)
    _write(made / "docs" / "README.md", with_others_marked(text, figures))


def _write_generated(made: Path) -> None:
    for path, text in list(bundle_files(made, pinned(ROOT))):
        _write(path, text)
    shutil.rmtree(made / "__pycache__", ignore_errors=True)


def _copy_samples(folder: Path, samples: Sequence[Case], root: Path) -> None:
    """Each file under the path that it has in the data set."""
    folder.mkdir()
    for path in (Path(sample[key]) for sample in samples for key in ("image", "label") if key in sample):
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if path.is_dir() else shutil.copy)(path, target)


def _write_package(made: Path) -> None:
    """What an archive holds besides, so that the folder runs alone."""
    for name in package_files(ROOT / "shared"):
        (made / "shared" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "shared" / name, made / "shared" / name)
    _write(made / "scripts" / "export_onnx.py", EXPORT_SCRIPT)
    _write(made / "requirements.txt", pins_text(pinned(ROOT)))


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
