"""Freed memory is kept for the next tensors, unless the user chose otherwise."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from shared.memory import CHOSEN

ROOT = Path(__file__).parents[1]
# Fills and frees 64 MiB again and again, above glibc's largest threshold of its own, 32 MiB, and counts the pages that
# the system had to give for it after the first time.
FILLING = """
import ctypes, resource, sys
from shared.memory import keep_freed_memory

def fill():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(ctypes.c_void_p(block))

kept = keep_freed_memory(int(sys.argv[1]))
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    fill()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")


def faults(dims: int = 3, /, **environment: str) -> tuple[bool, int]:
    plain = {name: value for name, value in os.environ.items() if name not in (*CHOSEN, "LD_PRELOAD")}
    command = [sys.executable, "-c", FILLING, str(dims)]
    out = subprocess.check_output(command, env=plain | environment, cwd=ROOT, text=True).split()
    return out[0] == "True", int(out[1])


def test_a_block_is_filled_again_without_asking_the_system_for_its_pages() -> None:
    kept, count = faults()
    assert kept
    assert count < 1000  # 64 MiB are 16,384 pages of 4 KiB, five times; huge pages, 32


def test_a_map_of_a_large_picture_is_returned() -> None:
    kept, count = faults(2)
    assert kept
    assert count >= 5 * 32


@pytest.mark.parametrize("name", CHOSEN)
def test_the_user_s_own_choice_stands(name: str) -> None:
    value = "glibc.malloc.mmap_max=65536" if name == "GLIBC_TUNABLES" else "65536"
    assert not faults(**{name: value})[0]


def test_with_a_low_threshold_of_the_user_s_the_pages_are_asked_for_each_time() -> None:
    _, count = faults(MALLOC_MMAP_THRESHOLD_="65536")
    assert count >= 5 * 32
