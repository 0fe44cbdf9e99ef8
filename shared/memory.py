"""How the C library keeps memory that was freed."""

import ctypes
import os
import platform

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT = {M_TRIM_THRESHOLD: (1 << 31) - 1, M_TOP_PAD: 64 << 20}  # bytes
# The least block that is returned: of volumes features take as much, of pictures tiles less and a map of 4096² this.
LEAST_RETURNED = {2: (64 << 20) - 1, 3: 1 << 30}  # bytes, by dimensions
CHOSEN = "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"


def keep_freed_memory(dims: int = 3) -> bool:
    """Have glibc keep up to 2 GiB that the process has freed, for its next tensors; whether it does.

    By default it returns every large block to the system, which then fills the next one with zeros, page by page: a
    tenth of a network's time. Blocks of `LEAST_RETURNED`, by the dimensions of tiles, are still returned: among tiles
    maps of a large picture left holes of twice their size. The user's own choice (`CHOSEN`) stands, and other C
    libraries, and allocators loaded in glibc's place, are left alone.
    """
    if platform.libc_ver()[0] != "glibc" or "LD_PRELOAD" in os.environ or any(name in os.environ for name in CHOSEN):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {M_MMAP_THRESHOLD: LEAST_RETURNED[dims], **KEPT}
    return all(mallopt(parameter, size) for parameter, size in settings.items())
