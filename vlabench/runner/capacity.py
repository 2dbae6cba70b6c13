"""How many workers a machine has room for: by its processors, and by its memory.

A container may be allowed less than its machine has, so what counts is the least of affinity and
CPU quota, and the least of available memory and what is left of the memory limit (control groups,
version 1 and 2: ``Documentation/admin-guide/cgroup-v1`` and ``cgroup-v2.rst`` of Linux).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB, GIB = 1024**2, 1024**3

BLIND_WORKER_BYTES = 1000 * MIB
"""Memory that a worker takes whose policy has no cameras: `resident_bytes` after 120 episodes of
the suite ``ci`` under the expert were 850 MiB (893 at the most), after one 562."""

LOOKING_WORKER_BYTES = 1250 * MIB
"""Memory that a worker takes which renders two cameras of 256 by 256 pixels by software: 1113 MiB
after 120 episodes of ``ci``, 731 after one."""

RAY_BYTES = 1024 * MIB
"""Memory that Ray's own processes and its object store take on the machine of the run."""

BYTES_OF_A_PARAMETER = 4
"""Of a policy that lives in its worker; float32 is the most that is usual."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is for workers.

    Attributes:
        processors: Cores that this process may use.
        memory: Bytes that can still be had.
    """

    processors: int
    memory: int

    def workers(self, each: int) -> int:
        """How many workers of `each` bytes fit; one always does."""
        return max(1, min(self.processors, self.memory // each))

    def bound_by_memory(self, each: int) -> bool:
        """Whether there are processors that memory leaves idle."""
        return self.workers(each) < self.processors


def capacity(root: Path = Path("/")) -> Capacity:
    """What this machine, or the container that this process is in, has for workers.

    Args:
        root: The folder that holds ``proc`` and ``sys``.
    """
    processors = [len(os.sched_getaffinity(0)), *_quotas(root)]
    memory = [_available(root), *_left_of_limits(root)]
    return Capacity(max(1, min(processors)), max(0, min(memory) - RAY_BYTES))


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def available_bytes() -> int:
    """Memory that can still be had here, Ray's share included."""
    root = Path("/")
    return max(0, min([_available(root), *_left_of_limits(root)]))


def _available(root: Path) -> int:
    for line in (root / "proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    raise OSError("/proc/meminfo has no MemAvailable")


def _quotas(root: Path) -> Iterator[int]:
    """Whole processors of each CPU quota that this process is under."""
    for folder in (*_groups(root, ""), *_groups(root, "cpu")):
        match _words(folder / "cpu.max"):
            case [quota, period] if quota != "max":
                yield int(quota) // int(period)
        match _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us"):
            case [quota, period] if int(quota) > 0:
                yield int(quota) // int(period)


def _left_of_limits(root: Path) -> Iterator[int]:
    """Bytes that are left of each memory limit; files that are merely cached can be given up."""
    for folder in (*_groups(root, ""), *_groups(root, "memory")):
        for limit, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            match _words(folder / limit) + _words(folder / used):
                case [most, now] if most != "max":
                    stat = _words(folder / "memory.stat")
                    there = dict(zip(stat[::2], stat[1::2], strict=False))
                    yield int(most) - int(now) + int(there.get(cached, 0))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The control groups of this process that bound `controller`, each with those above it.

    Inside a container the path may be the host's, which is not mounted there: then the mount itself
    is the container's group.
    """
    file = root / "proc/self/cgroup"
    for line in file.read_text().splitlines() if file.exists() else []:
        _, names, path = line.split(":", 2)
        if controller not in names.split(","):
            continue
        for mount in {root / "sys/fs/cgroup" / name for name in (controller, names)}:
            group = mount / path.lstrip("/")
            while group.is_relative_to(mount):
                yield group
                group = group.parent


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
