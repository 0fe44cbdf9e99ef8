"""Runs one method once, in this process, and says when it was done and at what peak of memory: see `in_own_process`."""

import json
import resource
import sys
import time
from pathlib import Path

from shared.benchmarks.methods import Method, Subject
from shared.errors import one_line


def peak_mib() -> float:
    """The highest resident memory that this process had, in MiB.

    Linux counts in getrusage what the process was forked from, but not in its own status.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def run_once(method: Method, subject: Subject) -> dict[str, object]:
    try:
        method.build(subject).single()
        if subject.device == "cuda":
            import torch

            torch.cuda.synchronize()
        return {"finished": time.time(), "peak_mib": peak_mib(), "device_mib": device_mib(subject.device)}
    except Exception as error:  # whatever a method raises is reported in its row
        return {"error": one_line(error)}


def device_mib(device: str) -> float:
    """The memory in use on the GPU, by every process; 0 on the CPU."""
    if device != "cuda":
        return 0.0
    import torch

    free, total = torch.cuda.mem_get_info()
    return (total - free) / 2**20


def main() -> None:
    request = json.loads(sys.argv[1])
    figures = run_once(Method(**request["method"]), Subject(**request["subject"]))
    Path(request["answer"]).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
