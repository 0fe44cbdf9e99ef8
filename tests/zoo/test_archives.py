"""An archive alone, in an empty folder with no checkout near, does all that the contract says; MONAI can get it too.

The smallest archive is checked in every run of the tests; `make test-archives` takes each through all of it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.files import read_table
from shared.zoo.archives import check_files, unpack
from shared.zoo.packing import pack
from shared.zoo.verifying import verify
from tests.running import assert_ended_with_a_line
from tests.zoo.conftest import Server

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path for path in (ROOT / "bundles").iterdir() if (path / "models" / "model.pt").is_file())
SMALLEST = min(BUNDLES, key=lambda path: sum(file.stat().st_size for file in path.glob("[dms]*/**/*")))
# Training as short as it gets; a bundle takes those of them that it has.
SHORT: dict[str, Any] = {
    "max_epochs": 1, "val_interval": 1, "batch_size": 1, "crops_per_image": 1, "pairs_per_epoch": 2, "num_workers": 0,
    "validation_fraction": 0.3, "compile": False,
}  # fmt: skip


def parameters() -> Iterator[Any]:
    for path in BUNDLES:
        yield pytest.param(path, id=path.name, marks=() if path == SMALLEST else pytest.mark.slow)


each_archive = pytest.mark.parametrize("packed", list(parameters()), indirect=True)


@pytest.fixture(scope="module")
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(request.param, tmp_path_factory.mktemp("dist"))


def python(cwd: Path, *arguments: object) -> str:
    """Run python with `arguments` in the folder `cwd`, nothing of this checkout on its path; give what it prints."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(cwd: Path, config: Path | str, **options: object) -> str:
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    return python(cwd, "-m", "monai.bundle", "run", "--config_file", config, *arguments)


@pytest.mark.slow
@each_archive
def test_an_archive_infers_trains_and_evaluates_in_an_empty_folder(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "elsewhere").mkdir()
    bundle = unpack(packed, tmp_path / "alone")

    printed = run(bundle, "configs/inference.json", device="cpu")
    rows = read_table(bundle / "outputs" / "summary.csv")
    assert [row["status"] for row in rows] == ["ok"] * len(rows) != []
    assert all(row["case"] in printed for row in rows)
    assert all((bundle / "outputs" / "overlays" / f"{row['case']}.png").is_file() for row in rows)

    trained = tmp_path / "trained"
    known = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
    short = {name: value for name, value in SHORT.items() if name in known}
    config = bundle / "configs" / "train.json"
    run(tmp_path / "elsewhere", config, device="cpu", output_dir=trained, finetune_from="pretrained", **short)
    assert len(read_table(trained / "metrics.csv")) == 1
    assert {"model.pt", "last.pt", "config.json"} <= {path.name for path in trained.iterdir()}

    config = bundle / "configs" / "evaluate.json"
    scores = tmp_path / "scores"
    run(tmp_path / "elsewhere", config, device="cpu", output_dir=scores, weights=trained / "model.pt")
    assert len(read_table(scores / "metrics.csv")) >= 1
    assert (scores / "metrics.json").is_file()


@each_archive
def test_an_archive_passes_every_check(packed: Path) -> None:
    rows = {row["check"]: row for row in verify(packed)}
    assert {row["status"] for name, row in rows.items() if name != "hash"} == {"ok"}, rows
    assert list(rows)[-3:] == ["weights", "configs", "network"]


@each_archive
def test_monai_downloads_and_loads_an_archive_by_url_and_from_a_release(
    packed: Path, server: Server, tmp_path: Path
) -> None:
    """MONAI asks GitHub by a function of its own; here it is given another server, and the path stays GitHub's."""
    os.link(packed, server.folder / packed.name)
    name, version = packed.stem.rsplit("_v", 1)
    script = f"""
import runpy, sys
import monai.bundle.scripts as scripts
sys.argv = "bundle download --name {name} --url {server.url}/{packed.name} --bundle_dir by_url".split()
runpy.run_module("monai.bundle", run_name="__main__")  # python -m monai.bundle download
asked = []
def address(owner, repo, tag_name, filename):
    asked.append((owner, repo, tag_name, filename))
    return "{server.url}/" + filename
scripts._get_git_release_url = address
options = dict(source="github", repo="a/zoo/v1", bundle_dir="by_release", device="cpu")
network = scripts.load("{name}", version="{version}", **options)
assert asked == [("a", "zoo", "v1", "{packed.name}")], asked
print(sum(p.numel() for p in network.parameters()), "parameters")
"""
    count, word = python(tmp_path, "-c", script).splitlines()[-1].split()
    assert word == "parameters"
    assert int(count) >= 0
    for folder in ("by_url", "by_release"):
        check_files(tmp_path / folder / name)
    assert len(server.ranges) == 2


# In one process, of each folder given: the network as the config makes it, and as MONAI loads it.
LOADING = """
import sys
from pathlib import Path
from monai.bundle import create_workflow, load
for bundle in map(Path, sys.argv[1:]):
    config = str(bundle / "configs" / "inference.json")
    made = create_workflow(config_file=config, workflow_type="infer", device="cpu").network_def
    loaded = load(bundle.name, bundle_dir=str(bundle.parent), device="cpu")
    print("loaded", type(made).__module__, type(loaded) is type(made))
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Archives of two bundles of different tasks, each unzipped into a folder of its own."""
    dist = tmp_path_factory.mktemp("dist")
    bundles = [min((ROOT / "bundles").glob(f"*_{task}")) for task in ("detection", "segmentation")]
    return [unpack(pack(bundle, dist), tmp_path_factory.mktemp("unzipped")) for bundle in bundles]


def test_two_archives_load_in_one_process(two: list[Path], tmp_path: Path) -> None:
    networks = [json.loads((b / "configs" / "inference.json").read_text())["network_def"]["_target_"] for b in two]
    printed = python(tmp_path, "-c", LOADING, *two).splitlines()
    loaded = [line for line in printed if line.startswith("loaded")]  # MONAI logs there, too
    assert loaded == [f"loaded {name.rpartition('.')[0]} True" for name in networks]


def test_two_archives_of_different_content_in_one_process_end_with_one_line(two: list[Path], tmp_path: Path) -> None:
    first, second = two[0], shutil.copytree(two[1], tmp_path / two[1].name)
    with (second / "shared" / "files.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADING, str(first), str(second)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.count("loaded") == 1
    assert_ended_with_a_line(done, f", in {second}/shared, got version ")
    assert f", imported from {first}/shared; run each bundle in its own process" in done.stderr
