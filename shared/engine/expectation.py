"""How long a run will take and how much memory, from its first cases. Needs no torch."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LONG = 60.0  # seconds from which a run's duration is announced
MUCH = 0.5  # share of the machine's memory from which a run's is
WATCHED = 3.0  # seconds of cases that an expectation rests on, so that one quick case is not all there is
GIB = 2**30


class Expectation:
    """What is expected of a run over cases of `sizes`, bytes of files on disk.

    Time and memory go with the size. The first case also prepares what the others find ready, so it is left out as
    soon as there is a second one; of a run of one case nothing can be expected before it ends.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = list(sizes)
        self.seconds: list[float] = []
        self.memory = peak_memory()
        self.announced = len(self.sizes) < 3

    def after_case(self, seconds: float) -> str:
        """A line on what is to come, once, when it is long or large; else "". Call it after each case, in order."""
        self.seconds.append(seconds)
        watched = self.seconds[1:]
        done = len(self.seconds)
        if self.announced or not watched or done == len(self.sizes) or sum(watched) < WATCHED:
            return ""
        self.announced = True
        rate = sum(watched) / max(1, sum(self.sizes[1:done]))
        left = rate * sum(self.sizes[done:])
        peak = self._peak(done)
        return announcement(f"{len(self.sizes) - done} more cases", left, peak)

    def _peak(self, done: int) -> float:
        """Bytes: what was there at first, and what the cases so far have added, for the largest case of all."""
        added = max(0, peak_memory() - self.memory)
        return self.memory + added * max(self.sizes) / max(1, *self.sizes[:done])


def announcement(what: str, seconds: float, memory: float) -> str:
    """A line on `what` is to come, where it takes long or more memory, in bytes, than others may spare; else ""."""
    if seconds < LONG and memory < MUCH * machine_memory():
        return ""
    return f"{what}: about {spoken_time(seconds)}, until {clock(seconds)}; about {memory / GIB:.1f} GiB of memory"


def size_on_disk(paths: Sequence[str]) -> int:
    """Bytes of these files, and of those in folders; 1 where there is none."""
    files = [file for path in map(Path, paths) for file in (path.iterdir() if path.is_dir() else [path])]
    return max(1, sum(file.stat().st_size for file in files if file.is_file()))


def peak_memory() -> int:
    """Bytes that this process has held at most; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def machine_memory() -> float:
    """Bytes; infinite where the system does not say."""
    if not hasattr(os, "sysconf"):
        return float("inf")
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def spoken_time(seconds: float) -> str:
    """Such as 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def clock(seconds: float) -> str:
    """What o'clock it is in so many seconds."""
    return time.strftime("%H:%M", time.localtime(time.time() + seconds))
