"""The index says what the archives hold, and who reads it gets the version that was meant."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InputError
from shared.files import sha256_of
from shared.places import all_bundles, checkout
from shared.zoo.cards import Card, plain, read_card
from shared.zoo.index import Index, describe, make_index, read_index, version_key
from shared.zoo.packing import pack
from shared.zoo.schemas import INDEX_SCHEMA, check_schema
from tests.zoo.conftest import CARD


def entries(*versions: str) -> list[dict[str, Any]]:
    return [{"name": "spot", "version": version, "url": f"spot_v{version}.zip"} for version in versions]


def test_an_entry_says_what_the_archive_holds(bundle: Path, publish: Callable[..., Path]) -> None:
    index = publish()
    archive = index.with_name("spot_xr_segmentation_v0.1.0.zip")
    (entry,) = read_index(index).entries
    assert entry == {
        "name": "spot_xr_segmentation", "version": "0.1.0", "title": "Spots", "task": "Segmentation of spots",
        "modality": "XR", "description": "Finds spots <b>quickly</b>.", "metrics": {"dice_mean": 0.75, "hd95_mm": 2.0},
        "licences": {
            "code": "Apache-2.0", "data": "Samples: CC0.", "summary": "Code: Apache-2.0 (LICENSE). Samples: CC0.",
        },
        "requirements": {"monai": "1.6.1", "torch": "2.13.0", "numpy": "2.4.6", "scikit-image": "0.26.0"},
        "changelog": {"0.1.0": "finds more"}, "speed": "0.5 s an image, reading included", "url": archive.name,
        "sha256": sha256_of(archive), "bytes": archive.stat().st_size,
    }  # fmt: skip


def test_an_archive_is_described_as_its_folder_is(bundle: Path, publish: Callable[..., Path]) -> None:
    (entry,) = read_index(publish()).entries
    assert {key: entry[key] for key in entry if key not in ("url", "sha256", "bytes")} == describe(bundle)


def test_addresses_are_relative_to_the_index_or_begin_with_the_base(bundle: Path, tmp_path: Path) -> None:
    archive = pack(bundle, tmp_path / "dist")
    assert make_index([archive], tmp_path)["bundles"][0]["url"] == f"dist/{archive.name}"
    url = make_index([archive], tmp_path, "https://example.org/v1/")["bundles"][0]["url"]
    assert url == f"https://example.org/v1/{archive.name}"
    (entry,) = entries("1.0.0")
    released = "https://github.com/a/b/releases/latest/download/"
    assert Index([entry], f"{released}model_zoo.json").url_of(entry) == f"{released}spot_v1.0.0.zip"


def test_the_index_of_the_checkout_is_that_of_its_bundles(tmp_path: Path) -> None:
    """Archives are the same bytes wherever they are packed, so that their sums are known beforehand: make zoo-index."""
    archives = [pack(folder, tmp_path / "dist") for folder in all_bundles()]
    assert make_index(archives, tmp_path) == json.loads((checkout() / "model_zoo.json").read_text(encoding="utf-8"))


def test_versions_are_compared_as_numbers() -> None:
    assert version_key("0.10.0") > version_key("0.9.0") > version_key("0.9")
    with pytest.raises(InputError, match="expected numbers such as"):
        version_key("1.0rc1")


def test_the_newest_version_is_chosen_unless_another_is_named(publish: Callable[..., Path]) -> None:
    index = publish("0.9.0")
    content = json.loads(index.read_text(encoding="utf-8"))
    content["bundles"].append(content["bundles"][0] | {"version": "0.10.0"})
    index.write_text(json.dumps(content), encoding="utf-8")
    known = read_index(index)
    assert [entry["version"] for entry in known.entries] == ["0.10.0", "0.9.0"]
    assert known.choose("spot_xr_segmentation")["version"] == "0.10.0"
    assert known.choose("spot_xr_segmentation@0.9.0")["version"] == "0.9.0"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("spto", r"^spto: .*did you mean spot\?$"),
        ("xyz", r"^xyz: .*it knows spot$"),
        ("spot@3.0.0", r"^spot@3.0.0: expected version 1.0.0, got 3.0.0; choose"),
    ],
)
def test_what_the_index_does_not_have_is_told_with_what_it_has(wanted: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Index(entries("1.0.0"), "").choose(wanted)


def test_an_archive_under_another_name_is_not_indexed(bundle: Path, tmp_path: Path) -> None:
    renamed = pack(bundle, tmp_path).rename(tmp_path / "spot_xr_segmentation_v0.2.0.zip")
    with pytest.raises(InputError, match=r"expected the name spot_xr_segmentation_v0.1.0.zip"):
        make_index([renamed], tmp_path)


@pytest.mark.parametrize(
    "change", [{"name": "../evil"}, {"sha256": "abc"}, {"bytes": 0}, {"metrics": {"dice": "good"}}, {"version": "1.0"}]
)
def test_an_index_that_breaks_the_schema_is_refused(publish: Callable[..., Path], change: dict[str, Any]) -> None:
    index = publish()
    content = json.loads(index.read_text(encoding="utf-8"))
    content["bundles"][0] |= change
    with pytest.raises(InputError, match=rf"\['bundles'\]\[0\]\['{next(iter(change))}'\]"):
        check_schema(content, INDEX_SCHEMA, index)


@pytest.mark.parametrize("text", ["no json", "[]", None])
def test_what_is_no_index_is_refused_in_one_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "model_zoo.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"^[^\n]*model_zoo.json: expected [^\n]+$"):
        read_index(tmp_path / "model_zoo.json")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.zip", "data:,x"])
def test_a_remote_index_names_no_local_file_and_no_odd_address(url: str) -> None:
    (entry,) = entries("1.0.0")
    with pytest.raises(InputError, match="expected an address by http or https"):
        Index([entry | {"url": url}], "https://example.org/model_zoo.json").url_of(entry | {"url": url})


def test_a_card_is_read_for_what_the_gallery_shows() -> None:
    card = read_card(CARD)
    assert (card.title, card.picture, card.alt) == ("Spots", "picture.png", "A radiograph with its spots")
    assert card.summary == "Dice 0.750 (9 images)"
    assert card.licence == "Code: Apache-2.0 (LICENSE). Samples: CC0."
    assert card.commands[0].startswith("python -m monai.bundle run --config_file configs/inference.json")
    assert read_card("nothing") == Card("", "", "", "", "", "", [])


def test_plain_text_has_no_marks_and_no_numbers_of_references() -> None:
    assert plain("**A** `b`\n[link](http://c) d [1, 2].") == "A b link d."
