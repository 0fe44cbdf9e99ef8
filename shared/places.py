"""Where the bundles lie: in the checkout that this package belongs to, else below the current folder."""

from pathlib import Path

from shared.files import visible

ROOT = Path(__file__).parents[1]  # of a checkout, an archive, or an installed wheel's package


def checkout() -> Path:
    """The folder that holds bundles/."""
    return ROOT if (ROOT / "bundles").is_dir() else Path.cwd()


def all_bundles() -> list[Path]:
    """The folders of all bundles, by name."""
    return [path.parent for path in visible(checkout(), "bundles/*/configs") if path.is_dir()]
