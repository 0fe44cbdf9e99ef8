"""How the C library keeps memory that was freed."""

import ctypes
import os
import platform

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: (1 << 31) - 1, M_TOP_PAD: 64 << 20}  # bytes
CHOSEN = "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"


def keep_freed_memory() -> bool:
    """Have glibc keep up to 2 GiB that the process has freed, for its next tensors; whether it does.

    By default it returns every large block to the system, which then fills the next one with zeros, page by page: a
    tenth of a network's time. Blocks of 1 GiB are still returned. The user's own choice (`CHOSEN`) stands, and other C
    libraries, and allocators loaded in glibc's place, are left alone.
    """
    if platform.libc_ver()[0] != "glibc" or "LD_PRELOAD" in os.environ or any(name in os.environ for name in CHOSEN):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(parameter, size) for parameter, size in KEPT.items())
