"""What is uploaded to the Hugging Face hub is what its own library, and MONAI's download from it, take."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from shared.errors import InputError
from shared.files import write_json
from shared.places import all_bundles
from shared.zoo.hub import front_matter, hub_card, make_hub
from tests.zoo.conftest import NAME, metadata

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("bundle", all_bundles(), ids=lambda path: path.name)
def test_every_link_of_a_card_leads_to_a_file_from_the_root(bundle: Path) -> None:
    links = re.findall(r"\]\(([^()\s]+)\)", hub_card(bundle))
    local = [link for link in links if not re.match(r"[a-z]+:|#", link)]
    assert local
    assert [link for link in local if not (bundle / link).is_file()] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("CC-BY-SA-4.0", {"license": "cc-by-sa-4.0"}),
        ("OASIS data use terms", {"license": "other", "license_name": "oasis-data-use-terms"}),
    ],
)
def test_the_licence_is_that_of_the_weights(bundle: Path, words: str, expected: dict[str, str]) -> None:
    _describe(bundle, weights_licence=words)
    assert expected.items() <= front_matter(bundle).items()


def test_weights_without_a_licence_are_not_published(bundle: Path) -> None:
    with pytest.raises(InputError, match=r"metadata.json: expected weights_licence"):
        front_matter(bundle)


def test_what_lies_in_the_folder_is_not_replaced(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "hub" / NAME).mkdir(parents=True)
    (tmp_path / "hub" / NAME / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="expected no folder, or an empty one"):
        make_hub([bundle], tmp_path / "hub")


@pytest.mark.client
@pytest.mark.parametrize("bundle", all_bundles(), ids=lambda path: path.name)
def test_the_hubs_library_reads_the_front_matter_and_the_scores(bundle: Path) -> None:
    cards = pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    card = cards.ModelCard(hub_card(bundle))
    metrics = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))["eval_metrics"]
    assert {result.metric_type: result.metric_value for result in card.data.eval_results} == metrics
    assert card.data.library_name == "monai"
    assert card.text.lstrip().startswith("# ")


@pytest.mark.client
def test_safetensors_hold_the_tensors_of_the_weights(hub: Path) -> None:
    from safetensors.torch import load_file

    expected = torch.load(hub / "models" / "model.pt", weights_only=True)
    found = load_file(hub / "models" / "model.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.client
def test_monai_downloads_the_folder_from_a_stand_in_of_the_hub(hub: Path, tmp_path: Path) -> None:
    """As from the hub: the commit of a tag, the list of its files, then each file."""
    server = _start(hub)
    options = {"name": NAME, "version": "0.1.0", "source": "huggingface_hub", "repo": f"owner/{NAME}"}
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "download", "--bundle_dir", str(tmp_path / "in")]
    command += [text for name, value in options.items() for text in (f"--{name}", value)]
    address = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "cache")}
    subprocess.run(command, env=os.environ | address, check=True, capture_output=True)
    server.shutdown()
    found = {path.relative_to(tmp_path / "in" / NAME): path for path in _files(tmp_path / "in" / NAME)}
    expected = {path.relative_to(hub): path for path in _files(hub)}
    assert {name for name in found if name.parts[0] != ".cache"} == expected.keys()
    assert all(found[name].read_bytes() == path.read_bytes() for name, path in expected.items())


@pytest.fixture
def hub(bundle: Path, tmp_path: Path) -> Path:
    """The small bundle's folder for the hub."""
    pytest.importorskip("safetensors", reason="needs the extra hub")
    _describe(bundle, weights_licence="MIT")
    torch.save({"weight": torch.arange(6.0).half().reshape(2, 3)}, bundle / "models" / "model.pt")
    (folder,) = make_hub([bundle], tmp_path / "hub")
    return folder


def _describe(bundle: Path, **more: str) -> None:
    """Give the small bundle the metadata and the config that the hub's card is made of."""
    content = metadata() | {"data_source": "Spots, https://example.org"} | more
    write_json(bundle / "configs" / "metadata.json", content)
    report = {"task": {"_target_": "shared.tasks.segmentation.results.SegmentationWriter"}}
    write_json(bundle / "configs" / "inference.json", {"report": report})


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _oid(name: str) -> str:
    """What git would call the content of the file `name`: any 40 hexadecimal digits of its own."""
    return hashlib.sha1(name.encode()).hexdigest()


def _start(folder: Path) -> ThreadingHTTPServer:
    """A hub of one repository with one revision, as far as its client asks."""
    commit = "0" * 40
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)}
    tree = [{"type": "file", "path": name, "size": size, "oid": _oid(name)} for name, size in sizes.items()]
    revision = {"id": f"owner/{NAME}", "sha": commit, "siblings": [{"rfilename": name} for name in sizes]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """A revision, the list of its files, or a file."""
            if self.path.startswith("/api/models/"):
                self._answer(json.dumps(tree if "/tree/" in self.path else revision).encode(), commit)
            else:
                name = self.path.split("/resolve/")[1].partition("/")[2]
                self._answer((folder / name).read_bytes(), _oid(name))

        do_HEAD = do_GET  # noqa: N815

        def _answer(self, content: bytes, etag: str) -> None:
            self.send_response(200)
            headers = {"Content-Length": str(len(content)), "ETag": f'"{etag}"', "X-Repo-Commit": commit}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
