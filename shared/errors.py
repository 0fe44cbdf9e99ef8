"""Errors that are the user's to mend: one line that names the input, what was expected, what was given, and the fix."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn

LONGEST = 400  # characters of what was found, in a message


class InputError(ValueError):
    """Something given to the zoo cannot be used. `str(error)` is one line, fit for a table and a terminal."""

    def __init__(self, what: object, *, expected: str, got: object, fix: str) -> None:
        found = printable(got) or "nothing"
        found = found if len(found) <= LONGEST else f"{found[:LONGEST]}…"
        super().__init__(f"{printable(what)}: expected {printable(expected)}, got {found}; {printable(fix)}")

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


def system_error_behind(error: BaseException | None) -> InputError | None:
    """The OSError that `error` is or was raised from, such as a full disk, in an InputError's words."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None if error is None or error.strerror is None else _system_error(error, "the system")


def _system_error(error: OSError, what: object) -> InputError:
    """What the system refuses to read or write, in an InputError's words; it names the file, or else `what`."""
    return InputError(
        error.filename2 or error.filename or what,  # the second of a renaming is where to
        expected="files that can be read and written", got=error.strerror or error,
        fix="check its name, its permissions and the space on the disk",
    )  # fmt: skip


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
    """Let the process end with one line, not MONAI's pages of traceback, when an InputError or OSError goes uncaught.

    The exit code stays 1; every other exception is shown as before. Meant for command lines: called when a
    bundle's config starts.
    """
    show_traceback = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        known = input_error_behind(error) or system_error_behind(error)
        if known:
            print(f"error: {known}", file=sys.stderr)
        else:
            show_traceback(kind, error, traceback)

    if getattr(show_traceback, "__module__", None) != __name__:
        sys.excepthook = show


@contextmanager
def system_faults(what: object) -> Iterator[None]:
    """Where the system refuses to read or write within: raises InputError that names the file, or else `what`."""
    try:
        yield
    except OSError as error:
        raise _system_error(error, what) from error


@contextmanager
def interruptible() -> Iterator[None]:
    """Ends the process with one line and the exit code of shells, without temporary files, by SIGINT and SIGTERM."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else signal.SIGINT
        print("interrupted" if number == signal.SIGINT else "terminated", file=sys.stderr)
        raise SystemExit(128 + number) from None


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)
