"""What a card, docs/README.md, says, in plain text: for the index and the gallery."""

import re
from dataclasses import dataclass

# None of these reads past where it could begin anew: the time is linear in the text.
IMAGE = re.compile(r"!\[(?P<alt>[^\[\]]*)\]\((?P<path>[^()\s]+)\)")
LINK = re.compile(r"\[(?P<text>[^\[\]]+)\]\([^()]+\)")
COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)
REFERENCE = re.compile(r" ?\[\d+(, ?\d+)*\]")


@dataclass(frozen=True)
class Card:
    """title: its heading; picture: the path of its first image, relative to docs/; alt: what that shows.

    summary, speed: the first sentences after "In short:" and "Speed:". licence: the paragraph on it. commands: the
    lines of its first block of code. Each is empty where the card has none.
    """

    title: str
    picture: str
    alt: str
    summary: str
    speed: str
    licence: str
    commands: list[str]


def read_card(text: str) -> Card:
    image = IMAGE.search(text)
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    commands = re.search(r"^```\w*\n(.+?)^```", text, re.MULTILINE | re.DOTALL)
    licence = re.search(r"^## Licen[cs]e\n+(.+?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return Card(
        title=plain(title[1]) if title else "",
        picture=image["path"] if image else "",
        alt=plain(image["alt"]) if image else "",
        summary=_sentence_after("In short", text),
        speed=_sentence_after("Speed", text),
        licence=plain(licence[1]) if licence else "",
        commands=commands[1].splitlines() if commands else [],
    )


def _sentence_after(title: str, text: str) -> str:
    """The first sentence of the paragraph that begins with `title`, in bold."""
    paragraph = re.search(rf"^\*\*{title}:?\*\*:?(.+?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return plain(paragraph[1]).split(". ")[0].rstrip(".") if paragraph else ""


def plain(markdown: str) -> str:
    """A paragraph without its marks, comments, links and numbers of references, on one line."""
    text = REFERENCE.sub("", LINK.sub(r"\g<text>", COMMENT.sub("", markdown)))
    return " ".join(re.sub(r"[`*]", "", text).split())
