"""What lies in a data set and is not taken: counted and named, in one line."""

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_NAMES = 3  # of a kind


@dataclass
class PassedOver:
    """files: names by their ending; links: names of those that lead nowhere; pages: how many of a file are not read."""

    files: dict[str, list[str]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    hidden: int = 0
    pages: dict[str, int] = field(default_factory=dict)

    def add_file(self, name: str, ending: str) -> None:
        self.files.setdefault(ending or "without ending", []).append(name)

    def __len__(self) -> int:
        """How many files and pages were passed over."""
        return sum(map(len, self.files.values())) + len(self.links) + self.hidden + sum(self.pages.values())

    def __str__(self) -> str:
        """One line: "passed over: 2 .gif (a.gif, b.gif), 1 broken link (c.png), 3 hidden"; "" where nothing was."""
        parts = [f"{len(names)} {ending} ({_listed(names)})" for ending, names in sorted(self.files.items())]
        if self.links:
            parts.append(f"{_counted(len(self.links), 'broken link')} ({_listed(self.links)})")
        if self.pages:
            pages = _counted(sum(self.pages.values()), "page")
            parts.append(f"{pages} of another size or kind ({_listed(list(self.pages))})")
        if self.hidden:
            parts.append(f"{self.hidden} hidden")
        return f"passed over: {', '.join(parts)}" if parts else ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:MOST_NAMES], *["…"] * (len(names) > MOST_NAMES)])
