"""Shared layers, networks, data handling and engines of the model zoo."""

__version__ = "0.1.0"
