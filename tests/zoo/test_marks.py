"""Blocks and figures in texts by hand are filled in, and what is not marked as it should be is reported in one line."""

import pytest

from shared.errors import InputError
from shared.zoo.marks import fill_blocks, fill_figures, with_others_marked

FIGURES = {"ap": 0.634, "ap50": 0.918}
TEXT = "AP 0.634<!--ap-->, **AP50 0.92<!--ap50-->**; by chance 0.634<!--other-->."


def test_what_stands_between_the_marks_of_a_block_is_replaced_and_nothing_else() -> None:
    text = "a\n<!-- generated: b -->\nold\n<!-- end -->\nc\n<!-- generated: d -->\n<!-- end -->"
    filled = fill_blocks(text, {"b": "new\nlines", "d": "\\1", "e": "unused"}, "card", needed=["b"])
    assert filled == "a\n<!-- generated: b -->\nnew\nlines\n<!-- end -->\nc\n<!-- generated: d -->\n\\1\n<!-- end -->"
    assert fill_blocks(filled, {"b": "new\nlines", "d": "\\1"}, "card") == filled


@pytest.mark.parametrize("names", [[], ["b", "b"], ["b", "unknown"]])
def test_a_block_that_is_missing_twice_there_or_unknown_is_refused(names: list[str]) -> None:
    text = "\n".join(f"<!-- generated: {name} -->\n<!-- end -->" for name in names)
    with pytest.raises(InputError, match=f"^card: expected generated blocks of b, .* got {', '.join(names) or 'none'}"):
        fill_blocks(text, {"b": ""}, "card", needed=["b"])


def test_figures_follow_to_as_many_decimals_as_stand_there() -> None:
    assert fill_figures(TEXT, FIGURES, "card") == TEXT
    changed = fill_figures(TEXT, {"ap": 0.7, "ap50": 0.9}, "card")
    assert changed == "AP 0.700<!--ap-->, **AP50 0.90<!--ap50-->**; by chance 0.634<!--other-->."


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.634<!--ap-->", "0.63", "expected ap of eval_metrics, marked as NUMBER<!--ap-->, got none"),
        ("<!--ap50-->", "<!--ap75-->", "expected ap50 of eval_metrics"),
        ("0.634<!--other-->", "0.5<!--ar-->", "expected marks of figures, got <!--ar-->, of no figure"),
        ("0.634<!--other-->", "none<!--ap-->", "expected a number before each mark, got none before <!--ap-->"),
        ("0.634<!--other-->", "0.634", "expected 0.634<!--ap-->, got 0.634 without a mark"),
    ],
)
def test_a_figure_and_its_mark_belong_together(old: str, new: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        fill_figures(TEXT.replace(old, new), FIGURES, "card")
    assert words in str(raised.value)


def test_a_number_in_a_block_that_is_equal_by_chance_needs_no_mark() -> None:
    text = f"{TEXT}\n<!-- generated: options -->\n`[0.634, 2.0]`\n<!-- end -->"
    assert fill_figures(text, FIGURES, "card") == text


def test_what_is_equal_by_chance_is_marked_and_nothing_else() -> None:
    text = "AP 0.634<!--ap-->, AP50 0.918<!--ap50-->; spacing 0.634, seconds 10.634, 0.6341 and 0.918"
    marked = with_others_marked(text, FIGURES)
    assert marked == text.replace("spacing 0.634", "spacing 0.634<!--other-->") + "<!--other-->"
    assert fill_figures(marked, FIGURES, "card") == marked
