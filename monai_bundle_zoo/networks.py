"""Networks of the zoo for programs that import a function by its name, as bioimage.io's do for a state dict."""

from shared.nets.standardised import build_network

__all__ = ["build_network"]
