"""Errors that are the user's to mend: one line that names the input, what was expected, what was given, and the fix."""

import sys
from types import TracebackType


class InputError(ValueError):
    """Something given to the zoo cannot be used. `str(error)` is one line, fit for a table and a terminal."""

    def __init__(self, what: object, *, expected: str, got: object, fix: str) -> None:
        super().__init__(printable(f"{what}: expected {expected}, got {got}; {fix}"))

    def __reduce__(self) -> tuple:  # so that it can come out of a DataLoader's worker
        return InputError.__new__, (InputError, str(self))


def printable(text: object) -> str:
    """`text` on one line, fit for a terminal: escape codes and other characters that only command it become �."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(text).split()))


def input_error_behind(error: BaseException | None) -> InputError | None:
    """The InputError that `error` is, or that it was raised from, however often a library wrapped it."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error


def one_line(error: BaseException) -> str:
    """The innermost cause of `error` as one line: an InputError's message, else type and message."""
    known = input_error_behind(error)
    if known:
        return str(known)
    while error.__cause__ is not None:
        error = error.__cause__
    return printable(f"{type(error).__name__}: {error}")


def unforeseen(case: object, error: BaseException) -> InputError:
    """The InputError that stands for any other `error` in a case, so that the other cases are done."""
    return InputError(
        case, expected="a case that can be processed", got=one_line(error),
        fix="check its files; where they are right, report this with the file",
    )  # fmt: skip


def report_input_errors_in_one_line() -> None:
    """Let the process end with one line, not MONAI's pages of traceback, when an InputError goes uncaught.

    The exit code stays 1; every other exception is shown as before. Meant for command lines: called when a
    bundle's config starts.
    """
    show_traceback = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        known = input_error_behind(error)
        if known:
            print(f"error: {known}", file=sys.stderr)
        else:
            show_traceback(kind, error, traceback)

    if getattr(show_traceback, "__module__", None) != __name__:
        sys.excepthook = show
