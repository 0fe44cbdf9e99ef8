"""MONAI's own functions find the bundles of a repository, and download them from its releases."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from monai.bundle import download, get_bundle_info, get_bundle_versions
from monai.bundle import scripts as monai_scripts

from shared.places import all_bundles, checkout
from shared.zoo.index import make_index
from shared.zoo.model_info import is_cut, model_info
from shared.zoo.packing import pack
from tests.zoo.conftest import NAME

BASE = "https://github.com/owner/zoo/releases/download/v1"


def test_the_checkouts_file_names_every_archive_of_its_index() -> None:
    index, info = (
        json.loads((checkout() / name).read_text(encoding="utf-8"))
        for name in ("model_zoo.json", "models/model_info.json")
    )
    assert {name: one["source"] for name, one in info.items()} == {
        f"{entry['name']}_v{entry['version']}": entry["url"] for entry in index["bundles"]
    }


@pytest.mark.parametrize("bundle", all_bundles(), ids=lambda path: path.name)
def test_a_card_says_where_monai_needs_the_version(bundle: Path) -> None:
    says = "so give it `--version" in (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    assert says == is_cut(bundle.name) == ("voxelmorph" in bundle.name)


def test_monai_finds_versions_and_addresses_and_downloads(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub is a folder: its raw file model_info.json, and the archive of a release."""
    archive = pack(bundle, tmp_path / "dist")
    index = make_index([archive], tmp_path, BASE)
    text = json.dumps(model_info(index, [archive]))

    def get(url: str) -> SimpleNamespace:
        assert url == "https://raw.githubusercontent.com/owner/zoo/dev/models/model_info.json"
        return SimpleNamespace(text=text, raise_for_status=lambda: None)

    monkeypatch.setattr(monai_scripts, "requests", SimpleNamespace(get=get))
    monkeypatch.setattr(monai_scripts, "has_requests", True)
    assert get_bundle_versions(NAME, repo="owner/zoo") == {"latest_version": "0.1.0", "all_versions": ["0.1.0"]}
    assert get_bundle_info(NAME, repo="owner/zoo")["browser_download_url"] == f"{BASE}/{archive.name}"

    def release(owner: str, name: str, tag_name: str, filename: str) -> str:
        assert (owner, name, tag_name, filename) == ("owner", "zoo", "v1", archive.name)
        return archive.as_uri()

    monkeypatch.setattr(monai_scripts, "_get_git_release_url", release)
    download(NAME, version="0.1.0", source="github", repo="owner/zoo/v1", bundle_dir=tmp_path / "in", progress=False)
    assert (tmp_path / "in" / NAME / "configs" / "metadata.json").is_file()
