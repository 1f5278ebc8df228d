"""Peak resident memory of processes, from Linux' /proc."""

import os
from collections.abc import Iterable
from pathlib import Path


def peak_mb(processes: Iterable[int] = ()) -> float:
    """The highest peak of this process, of the given ones and of their children, in MiB; of each process by itself."""
    wanted = {os.getpid(), *processes}
    below = children(*processes)
    return max(peak_of(pid) for pid in wanted | below | children(*below))


def children(*processes: int) -> set[int]:
    """The processes that these started themselves."""
    return {pid for pid, parent in _parents() if parent in processes}


def _parents() -> list[tuple[int, int]]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        found.append((int(status.parent.name), int(fields[1])))
    return found


def peak_of(pid: int) -> float:
    """The peak of one process in MiB, 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
