"""Which files of this package archives carry, and the version that follows from their content."""

import hashlib
from pathlib import Path

SUFFIXES = {".py", ".json", ".html"}
CHECKOUT_ALONE = {"planning", "studies", "benchmarks"}  # nothing imports them but scripts that archives have not


def package_files(folder: Path) -> list[str]:
    """Paths below `folder`, which is shared/, with slashes and sorted, of the files that an archive carries."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    hidden = (".", "__pycache__")
    return sorted(
        path.as_posix()
        for path in paths
        if path.parts[0] not in CHECKOUT_ALONE and not any(part.startswith(hidden) for part in path.parts)
    )


def version_of(folder: Path) -> str:
    """12 hexadecimal digits: the same for a checkout and its archives, another when one byte of these files differs."""
    digest = hashlib.sha256()
    for name in package_files(folder):
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]
