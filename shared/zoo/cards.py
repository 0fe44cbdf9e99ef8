"""What a card, docs/README.md, says, in plain text: for the index and the gallery."""

import re
from dataclasses import dataclass

IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)\s]+)\)")
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\([^)]+\)")
REFERENCE = re.compile(r" ?\[\d+(, ?\d+)*\]")


@dataclass(frozen=True)
class Card:
    """title: its heading; picture: the path of its first image, relative to docs/; alt: what that shows; speed: the
    first sentence on it; licence: the paragraph on it; commands: the lines of its first block of code. Else empty.
    """

    title: str
    picture: str
    alt: str
    speed: str
    licence: str
    commands: list[str]


def read_card(text: str) -> Card:
    image = IMAGE.search(text)
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    speed = re.search(r"^\*\*Speed:?\*\*:?(.+?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    commands = re.search(r"^```\w*\n(.+?)^```", text, re.MULTILINE | re.DOTALL)
    licence = re.search(r"^## Licen[cs]e\n+(.+?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return Card(
        title=plain(title[1]) if title else "",
        picture=image["path"] if image else "",
        alt=plain(image["alt"]) if image else "",
        speed=plain(speed[1]).split(". ")[0].rstrip(".") if speed else "",
        licence=plain(licence[1]) if licence else "",
        commands=commands[1].splitlines() if commands else [],
    )


def plain(markdown: str) -> str:
    """A paragraph without its marks, links and numbers of references, on one line."""
    text = REFERENCE.sub("", LINK.sub(r"\g<text>", markdown))
    return " ".join(re.sub(r"[`*]", "", text).split())
