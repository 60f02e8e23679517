"""Total and available memory, within the limits of the job and the container."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def total_bytes() -> int:
    """Memory of the machine, or the smallest limit of this process's control groups and address space."""
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *(limit for limit, _ in _limits())])


def available_bytes() -> int:
    """How much of `total_bytes` is free."""
    free = [total_bytes(), *(max(0, limit - used) for limit, used in _limits())]
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    return min(free)


def _limits() -> Iterator[tuple[int, int]]:
    """Memory limits of this process, and how much of each is used."""
    for group, most, current in _groups():
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            yield int((group / most).read_text()), int((group / current).read_text())
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if address_space != resource.RLIM_INFINITY:
        used = 0
        with contextlib.suppress(OSError, ValueError):
            used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        yield address_space, used


def _groups() -> Iterator[tuple[Path, str, str]]:
    """Folders of this process's control groups (versions 1 and 2) up to the root, and their files of limit and use."""
    own = {"": "", "memory": ""}
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own |= {controllers: path} if controllers in own else {}
    unified, memory = (Path("/", path).parts[1:] for path in own.values())
    for depth in range(len(unified) + 1):
        yield CGROUPS.joinpath(*unified[:depth]), "memory.max", "memory.current"
    for depth in range(len(memory) + 1):
        yield CGROUPS.joinpath("memory", *memory[:depth]), "memory.limit_in_bytes", "memory.usage_in_bytes"
