"""What all pictures have in common: colours, and how large they are."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers too; bright ones first, as images are gray.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
LARGEST_PICTURE = 1600  # pixels on the longer side of a 2D image; larger ones are thinned out


def overlay_path(folder: str | Path, case: str) -> Path:
    """Where the picture of a case goes: the input with the result drawn on it."""
    return Path(folder) / "overlays" / f"{case}.png"


def new_figure(**options: Any) -> "Figure":
    """A figure of matplotlib in which `$` is a letter, as names of files and classes have it, and no formula."""
    import matplotlib  # 0.5 s to import, needed for pictures alone
    from matplotlib.figure import Figure

    matplotlib.rcParams["text.parse_math"] = False
    return Figure(**options)
