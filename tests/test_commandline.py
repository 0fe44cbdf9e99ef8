"""A command line means what was typed, refuses what no run can mean, and ends with one line when it is interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.bundle import ConfigParser
from PIL import Image

from shared.commandline import check_ranges, restore_text, typed_options
from shared.errors import InputError

ROOT = Path(__file__).parents[1]
BLOOD = ROOT / "bundles" / "blood_cell_yolo_detection"


def test_options_are_found_in_every_form_of_a_command_line() -> None:
    line = ["run", "--config_file", "a.json", "--output-dir=x=y", "--resume", "--device", "cpu", "--steps", "-5"]
    assert typed_options(line) == {"config_file": "a.json", "output_dir": "x=y", "device": "cpu", "steps": "-5"}


@pytest.mark.parametrize("text", ["run#2", "2024", "a,b", "[x]", "True", "-5", "1e3", "None", "{a: 1}"])
def test_text_is_what_was_typed(text: str) -> None:
    """Held against what python-fire, which MONAI's command uses, makes of it."""
    from fire.parser import DefaultParseValue

    defaults: dict[str, Any] = {"output_dir": "outputs", "moving": None, "pixdim": None, "max_epochs": 5}
    given = {**defaults, "output_dir": DefaultParseValue(text), "moving": DefaultParseValue(text), "pixdim": 1.5}
    parser: Any = ConfigParser({**given, "used": "$str(@output_dir)"})
    parser.parse()
    restore_text(parser, defaults, ["--output_dir", text, f"--moving={text}", "--pixdim", "1.5", "--max_epochs", "5"])
    assert parser.get_parsed_content("used") == parser.config["output_dir"] == text
    assert parser.get_parsed_content("moving") == text
    assert parser.get_parsed_content("pixdim") == 1.5


LARGEST = f"a number from -{2**32 - 1} to {2**32 - 1}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_epochs", 0, "more than 0"), ("batch_size", -1, "more than 0"), ("pixdim", [1.0, 0.0, 1.0], "more than 0"),
        ("overlap", -0.5, "0 or more"), ("threshold", 1.5, "a number from 0 to 1"), ("seed", -1, "0 or more"),
        ("threshold", {"a": 0.5, "b": -1}, "a number from 0 to 1"),
        ("learning_rate", float("nan"), LARGEST), ("seed", 10**30, LARGEST),
        ("label_offset", [0.5, float("inf")], LARGEST),
    ],
)  # fmt: skip
def test_a_number_that_no_run_can_mean_is_refused(name: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError, match=f"^--{name}: expected {expected}, got "):
        check_ranges({name: value, "other": -1})


def test_the_defaults_of_every_config_are_in_their_ranges() -> None:
    for path in ROOT.glob("bundles/*/configs/*.json"):
        check_ranges(ConfigParser.load_config_file(path))


def test_a_folder_of_an_odd_name_gets_the_results(tmp_path: Path, run_bundle: Callable) -> None:
    image = min((BLOOD / "sample_data" / "JPEGImages").glob("*.jpg"))
    done = run_bundle(BLOOD, "inference", cwd=tmp_path, dataset_dir=image, output_dir="run#2", device="cpu")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run#2" / "summary.csv").is_file()


@pytest.mark.parametrize(
    ("config", "number", "code", "ending"),
    [
        ("inference", signal.SIGINT, 130, "is kept, and --resume True goes on from there"),
        ("explain", signal.SIGTERM, 143, "ended by SIGTERM; what is finished is kept"),  # it has no --resume
    ],
)
def test_a_signal_ends_a_run_with_one_line_and_no_temporary_file(
    tmp_path: Path, config: str, number: int, code: int, ending: str
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    for index in range(300):
        Image.fromarray(np.roll(noise, index, axis=1)).save(data / f"{index:03}.png", compress_level=0)
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--device", "cpu"]
    command += ["--config_file", str(BLOOD / "configs" / f"{config}.json"), "--dataset_dir", str(data)]
    with subprocess.Popen(
        [*command, "--output_dir", str(out)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 120
        while not (out / "summary.csv").is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    (line,) = [line for line in errors.splitlines() if "ended by" in line]
    assert line.endswith(ending)
    assert "Traceback" not in errors
    assert [path for path in out.rglob(".*") if path.name != ".zoo-manifest.jsonl"] == []
