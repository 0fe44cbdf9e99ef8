"""Shared layers, networks, data handling and engines of the model zoo; `__version__` is derived from their content."""


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pathlib import Path

    from shared.version import version_of

    return version_of(Path(__file__).parent)
