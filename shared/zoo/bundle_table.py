"""The table of the bundles in the README of the checkout, from their metadata, cards and weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.zoo.cards import read_card

HEAD = (
    "| bundle | task | data | on cases kept out of training | weights | speed, on a CPU |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def bundle_row(bundle: Path, metadata: Mapping[str, Any], card: str) -> str:
    """The row of the bundle in the folder `bundle`. card: the text of its card.

    Raises InputError where the card lacks the paragraph "In short:" or "Speed:", or the weights are not there.
    """
    read, weights = read_card(card), bundle / "models" / "model.pt"
    for title, text in (("In short:", read.summary), ("Speed:", read.speed)):
        if not text:
            raise InputError(
                bundle / "docs" / "README.md", expected=f"a paragraph that begins **{title}**", got="none", fix="add it"
            )
    if not weights.is_file():
        raise InputError(weights, expected="the weights of the bundle", got="no such file", fix="train them")
    data = metadata["data_source"].split(", http")[0]
    size = f"{weights.stat().st_size / 2**20:.1f} MiB"
    link = f"[{bundle.name}](bundles/{bundle.name}/docs/README.md)"
    return f"| {' | '.join([link, metadata['task'], data, read.summary, size, read.speed])} |"
