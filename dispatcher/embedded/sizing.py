"""How many cores this process may use: what the scheduler allows, and less where a container's quota says less."""

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """At least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _quota(_QUOTA) or allowed))


def worker_processes(configured: int = 0, *, cores_: int | None = None) -> int:
    """Children of one worker: what the settings say, else one per core, and two at least.

    With one, a long drain would keep the tick waiting.
    """
    return configured or max(2, cores_ or cores())


def _quota(path: Path) -> int | None:
    """Whole cores of a cgroup v2 quota ("200000 100000" is two), None when there is no limit."""
    try:
        share, period = path.read_text(encoding="ascii").split()
        return math.ceil(int(share) / int(period))
    except (OSError, ValueError):  # no cgroup here, or "max"
        return None
