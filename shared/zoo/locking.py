"""One process at a time, by a lock that the system takes back from a process that ends, however it does."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(path: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold the lock file `path`, which is removed at the end, while others that ask for it wait.

    waiting: called where another process holds it. On systems and disks that lock no files nobody waits.
    """
    if fcntl is None:
        yield
        return
    with _locked(path, waiting):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path, waiting: Callable[[], object]) -> IO[bytes]:
    """`path`, opened and locked. Who had it before may have removed it meanwhile: then it is made again."""
    while True:
        file = path.open("ab")
        try:
            _lock(file, waiting)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: IO[bytes], waiting: Callable[[], object]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # no locks on this disk
        pass
