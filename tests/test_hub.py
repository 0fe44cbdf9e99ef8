"""A bundle of the Hugging Face hub opens by its name, from the hub's cache when there is no network."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from shared.door import open_bundle
from shared.errors import InputError
from shared.hub import is_hub_name
from shared.zoo.packing import archive_contents

BUNDLE = "membrane_em_segmentation"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a/b", True), ("a-b/c.d@v0.1.0", True), ("b", False), ("a/b/c", False), ("../b", False), ("./b", False)],
)
def test_owner_and_name_are_what_the_hub_is_asked_for(name: str, is_one: bool) -> None:
    assert is_hub_name(name) == is_one


def test_without_the_library_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"a/b: expected the package huggingface_hub, .*\[hub\]"):
        open_bundle("a/b")


@pytest.mark.client
def test_a_cached_bundle_predicts_offline_as_that_of_the_checkout_does(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    bundle = root / "bundles" / BUNDLE
    _fill_cache(tmp_path / f"models--owner--{BUNDLE}", bundle)
    image = next(bundle.glob("sample_data/images/*"))
    found, expected = (
        open_bundle(name, device="cpu").predict(image).labels for name in (f"owner/{BUNDLE}", str(bundle))
    )
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match=r"owner/other: expected a bundle on the hub, or in its cache"):
        open_bundle("owner/other")


def _fill_cache(folder: Path, bundle: Path) -> None:
    """As the hub's client does: files by their digest, and a snapshot of links to them, which refs/main names."""
    snapshot = folder / "snapshots" / "0123"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0123")
    (folder / "blobs").mkdir()
    for number, (name, content) in enumerate(archive_contents(bundle).items()):
        blob, link = folder / "blobs" / str(number), snapshot / name
        if isinstance(content, bytes):
            blob.write_bytes(content)
        else:
            shutil.copy(content, blob)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
