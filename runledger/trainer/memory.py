"""Whether the kernel has killed for want of memory, as far as this process may know."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
WHOLE_MACHINE = Path("/proc/vmstat")


def out_of_memory_kills(
    cgroups: Path = CGROUPS, own: Path = OWN_CGROUP, machine: Path = WHOLE_MACHINE
) -> int:
    """How many processes of this worker's control group were killed so far; 0 where nobody counts.

    Where nobody counts for the group, as in none, the kernel does for the whole machine.
    """
    counts = [_count(path) for path in _counters(cgroups, own)]
    of_group = [count for count in counts if count is not None]
    return max(of_group) if of_group else _count(machine) or 0


def _counters(cgroups: Path, own: Path) -> list[Path]:
    """Of version 2, then of version 1; inside a container the group is often mounted at the root."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    groups = {line.split(":", 2)[2].lstrip("/") for line in lines if line.count(":") >= 2}
    found = [cgroups / group / "memory.events" for group in groups | {""}]
    return found + [cgroups / "memory" / group / "memory.oom_control" for group in groups | {""}]


def _count(path: Path) -> int | None:
    """None where it does not say."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    counts = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(counts["oom_kill"]) if "oom_kill" in counts else None
