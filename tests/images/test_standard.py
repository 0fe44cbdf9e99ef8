"""Words that stand for the templates of other packages."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import InputError
from shared.images import standard
from shared.images.reading import read_image
from shared.images.standard import STANDARD, standard_file, with_standard


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    """Let packages be found in `folder`, or not at all."""
    found = folder and SimpleNamespace(origin=str(folder / "__init__.py"))
    monkeypatch.setattr(standard, "find_spec", lambda _: found)


def test_a_word_becomes_the_path_of_the_file_in_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, tmp_path)
    file = tmp_path / STANDARD["mni152"][1]
    file.parent.mkdir(parents=True)
    file.touch()
    images = {"moving": "a.nii.gz", "fixed": "mni152", "moving_label": "./mni152"}
    assert with_standard(images) == images | {"fixed": str(file)}


@pytest.mark.parametrize("folder", [None, Path("older")], ids=["without the package", "without the file in it"])
def test_what_is_not_installed_is_refused_with_how_to_get_it(
    folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, folder)
    line, fix = "mni152: expected the package nilearn, which carries this template, got ", "pip install '.*\\[mni\\]'"
    with pytest.raises(InputError, match=rf"\A{line}[^\n]*; {fix}\Z"):
        with_standard({"fixed": "mni152"})


@pytest.mark.client
def test_nilearn_carries_the_template_under_this_name() -> None:
    datasets = pytest.importorskip("nilearn.datasets", reason="needs the extra mni")
    path = standard_file("mni152")
    assert path == Path(datasets.MNI152_FILE_PATH)
    image = read_image(path)
    assert image.shape == (197, 233, 189)  # ICBM 152 2009a at 1 mm
    assert abs(image.affine[:3, :3]).round(3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
