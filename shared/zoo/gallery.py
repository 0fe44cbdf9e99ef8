"""A page about the zoo, made from its index and the cards in the archives: one file, no network needed."""

import base64
import io
import zipfile
from collections.abc import Mapping
from html import escape
from pathlib import Path, PurePosixPath
from string import Template
from urllib.parse import unquote

from PIL import Image

from shared.errors import InputError, one_line
from shared.files import read_text
from shared.zoo.archives import checked_members
from shared.zoo.cards import Card, read_card
from shared.zoo.index import Entry, IndexFile, archive_root

PAGE = Path(__file__).with_name("gallery.html")
WIDTH, HEIGHT = 900, 450  # pixels at most of a picture; shown at half of that
METRICS_SHOWN = 3


def gallery(index: IndexFile, archives: Path) -> str:
    """HTML of the newest version of each bundle of `index`, whose archives are in the folder `archives`."""
    newest: dict[str, Entry] = {}
    for entry in index["bundles"]:
        newest.setdefault(entry["name"], entry)
    articles = [_article(entry, archives / unquote(entry["url"]).split("/")[-1]) for entry in newest.values()]
    count = f"{len(articles)} bundle{'s' * (len(articles) != 1)}"
    return Template(read_text(PAGE)).substitute(count=count, articles="\n".join(articles))


def _article(entry: Entry, archive: Path) -> str:
    root = archive_root(archive)
    card = read_card(read_text(root / "docs" / "README.md"))
    size = f"{entry['bytes'] / 2**20:.1f} MiB"
    facts = {
        "Task": escape(entry["task"]),
        "Modality": escape(entry["modality"]),
        "Size": f'<a href="{escape(entry["url"])}">{size}</a>',
        "Speed": escape(card.speed or "see the card in the archive"),
        "Licence": escape(card.licence or entry["licences"]["code"]),
    }
    return "\n".join(
        [
            f'<article id="{escape(entry["name"])}">',
            _picture(root, archive, card),
            f"<h2>{escape(entry['title'])}</h2>",
            f'<p class="soft">{escape(entry["name"])} {escape(entry["version"])}</p>',
            f"<p>{escape(entry['description'])}</p>",
            _metrics(entry["metrics"]),
            "<dl>" + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items()) + "</dl>",
            f"<details><summary>How to run it</summary>\n<pre>{escape(_commands(entry, card))}</pre></details>",
            f"<details><summary>Changes</summary>\n{_changes(entry['changelog'])}</details>",
            f'<p class="soft">SHA-256 {escape(entry["sha256"])}</p>',
            "</article>",
        ]
    )


def _picture(root: zipfile.Path, archive: Path, card: Card) -> str:
    """The card's first picture, made small, within the page. What is no file of the archive's docs/ is left out."""
    names = {member.filename for member in checked_members(archive)}
    name = f"{root.name}/docs/{PurePosixPath(card.picture)}"
    if not card.picture or name not in names:
        return ""
    small = io.BytesIO()
    try:
        with zipfile.ZipFile(archive) as content, content.open(name) as file, Image.open(file) as image:
            image.thumbnail((WIDTH, HEIGHT))
            image.convert("RGB").save(small, "WEBP", quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{archive}/{name}", expected="a picture", got=one_line(error), fix="replace it, then pack again"
        ) from error
    data = base64.b64encode(small.getvalue()).decode()
    return f'<img src="data:image/webp;base64,{data}" alt="{escape(card.alt)}">'


def _metrics(metrics: Mapping[str, float]) -> str:
    rows = [
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{value:.3f}</td></tr>" for name, value in metrics.items()
    ]
    first, rest = "".join(rows[:METRICS_SHOWN]), "".join(rows[METRICS_SHOWN:])
    more = f"<details><summary>{len(rows) - METRICS_SHOWN} more</summary>\n<table>{rest}</table></details>"
    return f"<table>{first}</table>" + (more if rest else "")


def _commands(entry: Entry, card: Card) -> str:
    runs = [line for line in card.commands if "inference.json" in line and not line.startswith("torchrun")][:3]
    get = [f"unzip {entry['name']}_v{entry['version']}.zip", f"cd {entry['name']}", "pip install -r requirements.txt"]
    return "\n".join([*get, *(" ".join(line.split()) for line in runs)])


def _changes(changelog: Mapping[str, str]) -> str:
    return "".join(f"<p>{escape(version)}: {escape(text)}</p>" for version, text in changelog.items())
