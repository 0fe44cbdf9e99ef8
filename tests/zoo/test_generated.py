"""What is generated of the checkout is up to date, and one change anywhere in it is found, in one line, and mended."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.zoo import generated
from shared.zoo.configs import all_recipes

ROOT = Path(__file__).parents[2]
MEMBRANE, BLOOD = "bundles/membrane_em_segmentation", "bundles/blood_cell_yolo_detection"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """What of a checkout is generated or generated from; weights, of which the size counts, by links."""
    for name in ("README.md", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for recipe in all_recipes(ROOT):
        bundle = tmp_path / "bundles" / recipe.parent.name
        shutil.copytree(recipe.parent / "configs", bundle / "configs")
        (bundle / "docs").mkdir()
        (bundle / "models").mkdir()
        for name in ("recipe.py", "docs/README.md"):
            shutil.copy(recipe.parent / name, bundle / name)
        os.link(recipe.parent / "models" / "model.pt", bundle / "models" / "model.pt")
    return tmp_path


def replace(path: Path, old: str, new: str) -> str:
    """Replace the first `old` in the file `path`; gives its text before."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text


def test_all_that_is_generated_of_the_checkout_is_up_to_date() -> None:
    assert len(all_recipes(ROOT)) == len(list((ROOT / "bundles").glob("*/configs")))
    assert generated.faults(ROOT) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("bundles/hippocampus_mr_segmentation/configs/evaluate.json", '"upper": 99.5', '"upper": 99.0'),
        (f"{MEMBRANE}/configs/inference.json", '"overlap": 0.25', '"overlap": 0.5'),
        ("bundles/brain_mr_nodeo_registration/configs/train.json", '"smoothness": 0.4', '"smoothness": 0.5'),
        ("bundles/nuclei_maskrcnn_instance_segmentation/configs/train.json", '"prob": 0.1,', '"prob": 0.10,'),
        (f"{BLOOD}/configs/multi_gpu_train.json", '"shuffle": true', '"shuffle": false'),
        (f"{BLOOD}/configs/metadata.json", '"monai_version": "1.6.1"', '"monai_version": "1.6.0"'),
        (f"{BLOOD}/configs/metadata.json", '"scipy": "1.17.1"', '"scipy": "1.17.0"'),
        (f"{BLOOD}/docs/README.md", "0.906<!--ap50-->", "0.907<!--ap50-->"),
        (f"{BLOOD}/docs/README.md", "| `--min_score` | `0.01` |", "| `--min_score` | `0.02` |"),
        (f"{BLOOD}/docs/README.md", "configs/evaluate.json --dataset_dir DIR", "configs/evaluate.json"),
        (f"{BLOOD}/docs/README.md", "PyTorch 2.13.0", "PyTorch 2.12.0"),
        ("README.md", "AP50 0.906", "AP50 0.907"),
        ("README.md", "5.8 MiB", "5.7 MiB"),
    ],
)
def test_one_changed_value_in_any_file_is_found_and_mended(name: str, old: str, new: str, copied: Path) -> None:
    text = replace(copied / name, old, new)
    assert generated.faults(copied) == [f"{name}: differs from what its sources give; run make configs"]
    assert list(generated.write(copied)) == [copied / name]
    assert (copied / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (
            f"{BLOOD}/recipe.py",
            '"WBC": 0.4',
            '"WBC": 0.5',
            ["inference.json", "evaluate.json", "explain.json", "docs/README.md"],
        ),
        (f"{BLOOD}/recipe.py", "wide in 640 of them", "wide", ["docs/README.md"]),
        (f"{BLOOD}/configs/metadata.json", '"ap50": 0.906', '"ap50": 0.925', ["docs/README.md", "README.md"]),
    ],
)
def test_a_changed_source_changes_all_that_repeats_it(
    name: str, old: str, new: str, expected: list[str], copied: Path
) -> None:
    replace(copied / name, old, new)
    written = [path.relative_to(copied).as_posix() for path in generated.write(copied)]
    assert len(written) == len(expected)
    assert all(path.endswith(end) for path, end in zip(written, expected))
    assert generated.faults(copied) == []


def test_a_version_is_written_once_for_all_metadata_and_cards(copied: Path) -> None:
    replace(copied / "constraints.txt", "numpy==2.4.6", "numpy==2.5.0")
    assert len(list(generated.write(copied))) == 2 * len(all_recipes(ROOT))
    assert '"numpy_version": "2.5.0"' in (copied / BLOOD / "configs" / "metadata.json").read_text(encoding="utf-8")
    assert "NumPy 2.5.0" in (copied / BLOOD / "docs" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (f"{BLOOD}/docs/README.md", "0.906<!--ap50-->", "0.906", "expected 0.906<!--ap50-->, got 0.906 without a mark"),
        (
            f"{BLOOD}/docs/README.md",
            "<!-- generated: options -->",
            "",
            "expected generated blocks of commands, options",
        ),
        (f"{BLOOD}/docs/README.md", "**Speed:**", "", "expected a paragraph that begins **Speed:**, got none; add it"),
        (f"{BLOOD}/configs/metadata.json", '"scipy"', '"scopy"', "expected packages of pyproject.toml, got scopy"),
        (
            f"{MEMBRANE}/recipe.py",
            '"label_offset": \'rows',
            '"row_offset": \'rows',
            "expected what this option of membr",
        ),
        (f"{MEMBRANE}/recipe.py", '    "test_time', '    "x": "y",\n    "test_time', "expected an option of inference"),
    ],
)
def test_what_cannot_be_made_is_a_line_and_the_rest_is_checked(
    name: str, old: str, new: str, words: str, copied: Path
) -> None:
    replace(copied / name, old, new)
    (copied / MEMBRANE / "configs" / "train.json").unlink()
    found, other = sorted(generated.faults(copied), key=lambda line: line.startswith("bundles"))
    assert words in found
    assert other.startswith(f"{MEMBRANE}/configs/train.json: differs")
    with pytest.raises(InputError, match="expected"):
        list(generated.write(copied))
    assert (copied / MEMBRANE / "configs" / "train.json").is_file()


def test_a_check_names_the_file_and_fails(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (copied / MEMBRANE / "configs" / "train.json").unlink()
    monkeypatch.setattr(sys, "argv", ["generated", "--check"])
    with pytest.raises(SystemExit, match="1"):
        generated.main(copied)
    line = f"{MEMBRANE}/configs/train.json: differs from what its sources give; run make configs"
    assert capsys.readouterr().out == f"{line}\n"
