"""Whether the kernel has killed for want of memory, as far as this process may know."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def out_of_memory_kills(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """How many processes of this worker's control group were killed so far; 0 where nobody counts."""
    return max((_count(path) for path in _counters(cgroups, own)), default=0)


def _counters(cgroups: Path, own: Path) -> list[Path]:
    """Of version 2, then of version 1; inside a container the group is often mounted at the root."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    groups = {line.split(":", 2)[2].lstrip("/") for line in lines if line.count(":") >= 2}
    found = [cgroups / group / "memory.events" for group in groups | {""}]
    return found + [cgroups / "memory" / group / "memory.oom_control" for group in groups | {""}]


def _count(path: Path) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    counts = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(counts.get("oom_kill", 0))
