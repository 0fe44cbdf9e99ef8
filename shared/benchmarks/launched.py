"""Runs a command and writes what it took: `python launched.py ANSWER.json COMMAND ...`, by the standard library alone.

Linux counts to a process the memory of the one that it was forked from, so that this one has to be small.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Write {"begun", "ended"} in seconds since 1970, "cpu_s" of all its processes, "peak_mib" of its largest."""
    answer, *command = sys.argv[1:]
    begun = time.time()
    code = subprocess.run(command, check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "begun": begun,
        "ended": time.time(),
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    }
    Path(answer).write_text(json.dumps(figures), encoding="utf-8")
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
