"""A checkout of a few files with one bundle, made anew for each test, and a web server that misbehaves on demand."""

import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.files import write_json
from shared.zoo.index import make_index
from shared.zoo.packing import pack
from tests.running import environment_of

ROOT = Path(__file__).parents[2]
Zoo = Callable[..., subprocess.CompletedProcess]
StartZoo = Callable[..., subprocess.Popen]
NAME = "spot_xr_segmentation"
CARD = """# Spots

Finds spots [1] in **radiographs**.

![A radiograph with its `spots`](picture.png)

## Run it
<!-- generated: commands -->
From this bundle's folder:
```
python -m monai.bundle run --config_file configs/inference.json     # the samples
python -m monai.bundle run --config_file configs/train.json
```
<!-- end -->
**In short:** Dice 0.750<!--dice_mean--> (9 images). More words.

**Speed:** 0.5 s an image, `reading` included. More words.

## Licence
Code: Apache-2.0 (`LICENSE`). Samples: [CC0](https://example.org).

[1] Nobody.
"""
TENSOR = {
    "type": "image", "format": "magnitude", "num_channels": 1, "spatial_shape": ["*", "8*n"], "dtype": "float32",
    "value_range": [], "is_patch_data": False, "channel_def": {"0": "gray"},
}  # fmt: skip


def metadata(version: str = "0.1.0") -> dict[str, Any]:
    return {
        "schema": "https://example.org/schema.json", "version": version, "changelog": {version: "finds more"},
        "monai_version": "1.6.1", "pytorch_version": "2.13.0", "numpy_version": "2.4.6",
        "required_packages_version": {"scikit-image": "0.26.0"}, "name": "Spots", "task": "Segmentation of spots",
        "description": "Finds spots <b>quickly</b>.", "authors": "A", "copyright": "C",
        "eval_metrics": {"dice_mean": 0.75, "hd95_mm": 2.0}, "intended_use": "Research.",
        "network_data_format": {"inputs": {"image": {**TENSOR, "modality": "XR"}}, "outputs": {"pred": TENSOR}},
    }  # fmt: skip


def spoil(archive: Path, name: str) -> Path:
    """Turn over the first byte of what an archive holds of the file `name`: no deflated block begins like that."""
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo(name)
    content = bytearray(archive.read_bytes())
    content[info.header_offset + 30 + len(name) + len(info.extra)] ^= 0xFF  # the header is of 30 bytes and the name
    archive.write_bytes(content)
    return archive


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Its bundle names shared.nets.spot.Spot."""
    root, bundle = tmp_path / "checkout", tmp_path / "checkout" / "bundles" / NAME
    config = {"network_def": {"_target_": "shared.nets.spot.Spot"}}
    texts = {
        "pyproject.toml": '[project]\ndependencies = ["torch>=2.9", "monai>=1.6,<1.7", "numpy", "Scikit_Image>=0.2"]\n',
        "constraints.txt": "# pinned\nmonai==1.6.1\nnumpy==2.4.6\nruff==0.17.5\nscikit-image==0.26.0\ntorch==2.13.0\n",
        "shared/__init__.py": "",
        "shared/nets/__init__.py": "",
        "shared/nets/spot.py": "class Spot: ...\n",
        "shared/nets/table.json": "{}",
        "shared/studies/__init__.py": "",
        "shared/benchmarks/speed.py": "",
        f"bundles/{NAME}/configs/metadata.json": json.dumps(metadata()),
        **{f"bundles/{NAME}/configs/{name}.json": json.dumps(config) for name in ("inference", "train", "evaluate")},
        f"bundles/{NAME}/configs/logging.conf": "",
        f"bundles/{NAME}/docs/README.md": CARD,
        f"bundles/{NAME}/docs/data_license.txt": "Samples: CC0.\n",
        f"bundles/{NAME}/sample_data/a.txt": "a",
        f"bundles/{NAME}/LICENSE": "Apache License\nVersion 2.0\n",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (bundle / "models").mkdir()
    (bundle / "models" / "model.pt").write_bytes(bytes(range(256)) * 4000)  # some chunks of a transfer
    Image.new("RGB", (1200, 300), "red").save(bundle / "docs" / "picture.png")
    return root


@pytest.fixture
def bundle(checkout: Path) -> Path:
    return checkout / "bundles" / NAME


@pytest.fixture
def publish(bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Pack the bundle as a version of its own into the folder that `server` serves; give the index beside it."""

    def pack_and_index(version: str = "0.1.0", **changes: Any) -> Path:
        write_json(bundle / "configs" / "metadata.json", metadata(version) | changes)
        folder = tmp_path / "site"
        pack(bundle, folder)
        return write_json(folder / "model_zoo.json", make_index(sorted(folder.glob("*.zip")), folder))

    return pack_and_index


@pytest.fixture
def start_zoo(checkout: Path, tmp_path: Path) -> StartZoo:
    """Start scripts/zoo.py in a checkout whose shared/ is this one's, with the small bundle alone."""
    shutil.rmtree(checkout / "shared")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("shared", "monai_bundle_zoo"):
        shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
    (checkout / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "zoo.py", checkout / "scripts")
    for path in (checkout / "bundles" / NAME / "configs").glob("[ite]*.json"):
        path.write_text('{"network_def": {"_target_": "shared.files.read_table"}}', encoding="utf-8")
    metadata = checkout / "bundles" / NAME / "configs" / "metadata.json"
    (tmp_path / "cwd").mkdir()
    assert "scikit-image" in metadata.read_text(encoding="utf-8")

    def start(*arguments: object, **options: Any) -> subprocess.Popen:
        command = [sys.executable, str(checkout / "scripts" / "zoo.py"), *map(str, arguments)]
        options["env"] = environment_of(checkout) | options.get("env", {})
        return subprocess.Popen(
            command, cwd=tmp_path / "cwd", text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )

    return start


@pytest.fixture
def zoo(start_zoo: StartZoo) -> Zoo:
    """As `start_zoo`, and wait for its end."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess:
        process = start_zoo(*arguments, **options)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


class Server(ThreadingHTTPServer):
    """Serves `folder`. A request for an archive meets the next of `faults`; `ranges` are those that were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.faults, self.ranges = folder, list[str](), list[str | None]()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.server.folder / self.path.split("/")[-1]
        if not path.is_file():
            return self.send_error(404)
        content, asked = path.read_bytes(), self.headers.get("Range")
        fault = ""
        if path.suffix == ".zip":
            self.server.ranges.append(asked)
            fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault.isdigit():
            return self.send_error(int(fault))
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and fault != "no ranges" else 0
        if fault == "wrong bytes":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        left = content[start:]
        if fault in ("drop", "stall"):
            self.wfile.write(left[: len(left) // 2])
            self.wfile.flush()
            self.server.over.wait(20 if fault == "stall" else 0)
        else:
            self.wfile.write(left)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "site").mkdir()
    with Server(tmp_path / "site") as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield serving
        serving.over.set()
        serving.shutdown()
