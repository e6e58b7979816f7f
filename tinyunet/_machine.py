"""What this machine has, cores and memory, and how much of it is free: asked here and nowhere else.

Lesson: lessons/10-overlap-tile.md.
"""

import os
from pathlib import Path

from tinyunet.arrays import Device

_LINUX = Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Return how many cores this process may run on, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # not on every system can a process be bound to some


def free_memory(device: Device) -> int:
    """Return the bytes that arrays of `device` could still take without anybody else giving way."""
    if device.is_gpu:
        free, _ = _of_gpu(device)
        return free
    free, _ = _of_machine()
    return min(free, _of_control_group()[0])


def total_memory(device: Device) -> int:
    """Return the bytes that `device` has at all: of a container, those that it may use."""
    if device.is_gpu:
        _, total = _of_gpu(device)
        return total
    _, total = _of_machine()
    return min(total, _of_control_group()[1])


def _of_gpu(device: Device) -> tuple[int, int]:
    """(free, total) bytes; free includes what CuPy's pool holds back for the next array."""
    with device.xp.cuda.Device(device.index):
        free, total = device.xp.cuda.runtime.memGetInfo()
        return free + device.xp.get_default_memory_pool().free_bytes(), total


def _of_machine() -> tuple[int, int]:
    """(free, total) bytes: Linux says so itself, of other systems the library psutil knows."""
    if _LINUX.exists():
        lines = _LINUX.read_text(encoding="ascii").splitlines()
        entries = dict(line.split(":", 1) for line in lines)
        free, total = (int(entries[name].split()[0]) for name in ("MemAvailable", "MemTotal"))
        return 1024 * free, 1024 * total
    import psutil

    memory = psutil.virtual_memory()
    return memory.available, memory.total


def _of_control_group() -> tuple[int, int]:
    """(free, total) bytes of a container's limit (Linux, control groups version 2)."""
    try:
        limit, used = ((_CONTROL_GROUP / f"memory.{n}").read_text() for n in ("max", "current"))
    except OSError:  # no such group, or not ours to read
        return _NO_LIMIT, _NO_LIMIT
    if limit.strip() == "max":
        return _NO_LIMIT, _NO_LIMIT
    return max(0, int(limit) - max(0, int(used) - _cached_files())), int(limit)


def _cached_files() -> int:
    """Bytes of files that a container's memory.current counts, but gives up where arrays need them.

    Who reads a large stack fills the limit with them; they are as good as free (and so counted in
    the machine's MemAvailable).
    """
    try:
        lines = (_CONTROL_GROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    entries = dict(line.split() for line in lines)
    return sum(int(entries.get(name, 0)) for name in ("inactive_file", "active_file"))


_NO_LIMIT = 2**63
