"""The channels of an image: what they are called, and how one is chosen by name, colour or number."""

from collections.abc import Sequence
from dataclasses import dataclass

# A colour by which of red, green and blue are more than half on.
COLOUR_NAMES = {
    (1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "gray",
    (0, 1, 1): "cyan", (1, 0, 1): "magenta", (1, 1, 0): "yellow",
}  # fmt: skip


@dataclass(frozen=True)
class Channel:
    """name: the file's own, that of a primary colour, "gray", "alpha", or else the number, from 1.

    colour: in which viewers show it, where the file says so.
    """

    name: str
    colour: str = ""


GRAY, ALPHA = Channel("gray"), Channel("alpha")
RGB = (Channel("red"), Channel("green"), Channel("blue"))


def numbered(count: int) -> tuple[Channel, ...]:
    """Channels of which nothing else is known."""
    return tuple(Channel(str(number)) for number in range(1, count + 1))


def colour_name(red: int, green: int, blue: int) -> str:
    """The nearest of COLOUR_NAMES to a colour of 0 … 255, "" for one nearer to black."""
    return COLOUR_NAMES.get((int(red > 127), int(green > 127), int(blue > 127)), "")


def describe(channels: Sequence[Channel]) -> str:
    """How many there are, and which: "2 (DAPI blue, GFP green)"."""
    return f"{len(channels)} ({', '.join(f'{channel.name} {channel.colour}'.strip() for channel in channels)})"


def chosen_channels(channels: Sequence[Channel], wanted: object) -> list[int]:
    """Which of `channels` an option means: a name, a colour or a number from 1, or several after commas.

    A name goes before a colour, and a colour before a number; case does not count.
    Raises LookupError with the first that there is not, or that several answer to.
    """
    if isinstance(wanted, list | tuple):  # so command lines read 1,2,3
        return [_position(channels, str(one)) for one in wanted]
    try:
        return [_position(channels, str(wanted))]
    except LookupError:
        parts = str(wanted).split(",")
        if len(parts) == 1:
            raise
        return [_position(channels, part) for part in parts]


def _position(channels: Sequence[Channel], wanted: str) -> int:
    names = [channel.name.casefold() for channel in channels]
    colours = [channel.colour for channel in channels]
    numbers = [str(number) for number in range(1, len(channels) + 1)]
    for labels in (names, colours, numbers):
        if labels.count(wanted.strip().casefold()) == 1:
            return labels.index(wanted.strip().casefold())
    raise LookupError(wanted.strip())
