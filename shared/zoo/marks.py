"""Texts by hand in which a command writes: blocks between two marks, and figures before one.

A block stands between the lines `<!-- generated: NAME -->` and `<!-- end -->`; a figure as `0.918<!--NAME-->`, or as
`0.918<!--other-->` where it is equal to one of them by chance. Markdown shows none of these marks.
"""

import re
from collections.abc import Collection, Mapping

from shared.errors import InputError

BLOCK = re.compile(
    r"(?P<begin><!-- generated: (?P<name>\w+) -->\n)(?:(?!<!-- generated:).)*?(?P<end><!-- end -->)", re.DOTALL
)
FIGURE = re.compile(r"(?<!\d)-?\d+(?:\.(?P<decimals>\d+))?<!--(?!other)(?P<name>\w+)-->")
OTHER = "<!--other-->"
MARK = re.compile(r"<!--(?!other)(?P<name>\w+)-->")


def fill_blocks(text: str, blocks: Mapping[str, str], where: object, *, needed: Collection[str] = ()) -> str:
    """`text` with those of `blocks` that it marks, by name, between their marks.

    where: what to name in a message. Raises InputError where it marks one twice, one that is not known, or not all
    that are `needed`.
    """
    found = [match["name"] for match in BLOCK.finditer(text)]
    if len(found) != len(set(found)) or not set(needed) <= set(found) <= blocks.keys():
        raise InputError(
            where, expected=f"generated blocks of {', '.join(blocks)}, each once, with {', '.join(needed) or 'none'}",
            got=", ".join(found) or "none", fix="mark their places by <!-- generated: NAME --> and <!-- end -->",
        )  # fmt: skip
    return BLOCK.sub(lambda match: f"{match['begin']}{blocks[match['name']]}\n{match['end']}", text)


def fill_figures(text: str, figures: Mapping[str, float], where: object) -> str:
    """`text` with the value of each of `figures` before its marks, to as many decimals as stand there.

    Raises InputError where a mark names no figure or follows no number, a figure is nowhere, or its value, with three
    decimals, stands outside of blocks without its mark: it would not follow when the figure changes.
    """
    for name in sorted({match["name"] for match in MARK.finditer(text)} ^ figures.keys()):
        known = name in figures
        raise InputError(
            where, expected=f"{name} of eval_metrics, marked as NUMBER<!--{name}-->" if known else "marks of figures",
            got="none" if known else f"<!--{name}-->, of no figure", fix="make the card and metadata.json agree",
        )  # fmt: skip
    if len(MARK.findall(text)) != len(FIGURE.findall(text)):
        lost = next(match for match in MARK.finditer(FIGURE.sub("", text)))
        raise InputError(where, expected="a number before each mark", got=f"none before {lost[0]}", fix="put it there")
    by_hand = BLOCK.sub("", text)
    for name, value in figures.items():
        if _unmarked(value).search(by_hand) and round(abs(value), 2):
            raise InputError(
                where,
                expected=f"{value:.3f}<!--{name}-->",
                got=f"{value:.3f} without a mark",
                fix=f"add it, or {OTHER}",
            )
    return FIGURE.sub(lambda match: f"{figures[match['name']]:.{len(match['decimals'] or '')}f}{_mark(match)}", text)


def with_others_marked(text: str, figures: Mapping[str, float]) -> str:
    """`text`, in which numbers that are equal to one of `figures` by chance, and have no mark, get that of others."""
    for value in figures.values():
        text = _unmarked(value).sub(lambda match: match[0] + OTHER, text)
    return text


def _unmarked(value: float) -> re.Pattern[str]:
    """A figure with three decimals, which no mark follows."""
    return re.compile(rf"(?<![\d.]){re.escape(f'{value:.3f}')}(?![\d<])")


def _mark(match: re.Match[str]) -> str:
    return f"<!--{match['name']}-->"
