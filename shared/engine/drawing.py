"""What all pictures have in common: colours, and how large they are."""

from pathlib import Path

# Okabe and Ito's palette, told apart by colour-blind readers too; bright ones first, as images are gray.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
LARGEST_PICTURE = 1600  # pixels on the longer side of a 2D image; larger ones are thinned out


def overlay_path(folder: str | Path, case: str) -> Path:
    """Where the picture of a case goes: the input with the result drawn on it."""
    return Path(folder) / "overlays" / f"{case}.png"
