"""The page shows every bundle, takes nothing from elsewhere, and fits a phone."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shared.zoo.gallery import gallery

WIDTHS = (320, 390, 1280)  # pixels: a small phone, a phone, a screen
VOID = {"meta", "img", "br", "link"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


class Page(HTMLParser):
    """What a page has: its tags in order, its links, its text; fails where a tag is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.links, self.words, self.open = list[str](), list[str](), list[str](), list[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def page(publish: Callable[..., Path]) -> str:
    """Of two versions of one bundle, the newer with a long word in its description."""
    publish("0.1.0")
    index = publish("0.2.0", description=f"Finds <b>spots</b> & {'long' * 60}.")
    return gallery(json.loads(index.read_text(encoding="utf-8")), index.parent)


def test_it_shows_the_newest_version_with_all_that_one_asks_of_it(page: str) -> None:
    parsed = Page(page)
    assert parsed.open == []
    assert parsed.tags.count("article") == parsed.tags.count("img") == 1
    text = " ".join(parsed.words)
    for word in (
        "Spots", "spot_xr_segmentation 0.2.0", "Segmentation of spots", "XR", "dice mean", "0.750", "hd95 mm", "2.000",
        "1.0 MiB", "0.5 s an image, reading included", "Code: Apache-2.0 (LICENSE). Samples: CC0.", "0.2.0: finds more",
        "unzip spot_xr_segmentation_v0.2.0.zip", "run --config_file configs/inference.json # the samples",
    ):  # fmt: skip
        assert word in text


def test_what_bundles_say_is_text_not_markup(page: str) -> None:
    assert "<b>" not in page
    assert "Finds &lt;b&gt;spots&lt;/b&gt; &amp; long" in page


def test_it_takes_nothing_from_elsewhere_and_links_to_the_archive(page: str) -> None:
    picture, archive = Page(page).links
    assert picture.startswith("data:image/webp;base64,")
    assert archive == "spot_xr_segmentation_v0.2.0.zip"
    assert "url(" not in page
    assert "<script" not in page


def test_a_card_without_picture_speed_or_licence_still_makes_a_page(bundle: Path, publish: Callable[..., Path]) -> None:
    (bundle / "docs" / "README.md").write_text("# Spots\n![gone](../../secret.png)\n", encoding="utf-8")
    index = publish()
    parsed = Page(gallery(json.loads(index.read_text(encoding="utf-8")), index.parent))
    assert "img" not in parsed.tags
    assert "Apache-2.0" in parsed.words


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome to open the page in")
def test_a_browser_shows_it_within_the_width_of_phones_and_a_screen(page: str, tmp_path: Path) -> None:
    """With all details open, in frames of those widths: Chromium has no narrower window than 500 pixels."""
    opened = html.escape(page.replace("<details>", "<details open>"))
    measure = (
        "document.title += ' ' + [...document.querySelectorAll('iframe')].map(f => f.contentDocument).map(d => "
        "[d.documentElement.scrollWidth, d.querySelectorAll('article').length, d.querySelector('img').naturalWidth])"
        ".join(' ')"
    )
    frames = "".join(
        f'<iframe srcdoc="{opened}" width="{width}" height="900" frameborder="0"></iframe>' for width in WIDTHS
    )
    (tmp_path / "frames.html").write_text(
        f'<!DOCTYPE html><title>seen</title><body onload="{measure}">{frames}</body>', encoding="utf-8"
    )
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "frames.html").as_uri()],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>seen (.+)</title>", done.stdout)
    assert title is not None, done.stderr
    # As wide as the frame and no wider: nothing sticks out sideways. The picture is there, made small.
    assert title[1].split() == [f"{width},1,900" for width in WIDTHS]
