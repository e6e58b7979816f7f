"""What this machine has: `tinyunet/_machine.py`."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from tinyunet import _machine
from tinyunet._machine import free_memory, total_memory
from tinyunet.arrays import select_device

CPU = select_device("cpu")


def test_this_machine():
    assert 2**20 < free_memory(CPU) < total_memory(CPU) < 2**50


@pytest.fixture
def linux(tmp_path, monkeypatch):
    """A machine of 9000 kB, 5000 of them free, and a folder for its control group."""
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:   5000 kB\nHuge: 7\n")
    monkeypatch.setattr(_machine, "_LINUX", tmp_path / "meminfo")
    monkeypatch.setattr(_machine, "_CONTROL_GROUP", tmp_path)
    return tmp_path


def test_linux_says_it_itself(linux):
    assert (free_memory(CPU), total_memory(CPU)) == (5000 * 1024, 9000 * 1024)


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        ("1000000\n", "300000\n", (700_000, 1_000_000)),
        ("200000\n", "300000\n", (0, 200_000)),
        ("max\n", "300000\n", (5000 * 1024, 9000 * 1024)),
        ("99000000\n", "0\n", (5000 * 1024, 9000 * 1024)),
        (None, "300000\n", (5000 * 1024, 9000 * 1024)),
    ],
)
def test_a_container_may_have_less(linux, limit, used, expected):
    (linux / "memory.current").write_text(used)
    if limit is not None:
        (linux / "memory.max").write_text(limit)
    assert (free_memory(CPU), total_memory(CPU)) == expected


@pytest.mark.parametrize(
    ("stat", "free"),
    [
        ("anon 100000\nfile 800000\ninactive_file 500000\nactive_file 200000\n", 800_000),
        ("inactive_file 500000\n", 600_000),
        ("inactive_file 950000\nactive_file 900000\n", 1_000_000),  # not above the limit
        ("anon 900000\ninactive_anon 800000\nactive_anon 70000\nshmem 60000\n", 100_000),
    ],
)
def test_files_that_a_container_keeps_in_memory_count_as_free(linux, stat, free):
    (linux / "memory.max").write_text("1000000\n")
    (linux / "memory.current").write_text("900000\n")
    (linux / "memory.stat").write_text(stat)
    assert (free_memory(CPU), total_memory(CPU)) == (free, 1_000_000)


def test_other_systems_are_asked_through_psutil(tmp_path, monkeypatch):
    monkeypatch.setattr(_machine, "_LINUX", tmp_path / "none")
    monkeypatch.setattr(_machine, "_CONTROL_GROUP", tmp_path)
    memory = SimpleNamespace(available=500, total=900)
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(virtual_memory=lambda: memory))
    assert (free_memory(CPU), total_memory(CPU)) == (500, 900)


def test_where_linux_keeps_it():
    assert str(_machine._LINUX) == "/proc/meminfo"
    assert str(_machine._CONTROL_GROUP) == "/sys/fs/cgroup"


def test_free_memory_of_a_gpu_is_the_drivers_and_the_pools():
    asked = []

    def device(index):
        asked.append(index)
        return nullcontext()

    runtime = SimpleNamespace(memGetInfo=lambda: (700, 9000))
    xp = SimpleNamespace(
        cuda=SimpleNamespace(Device=device, runtime=runtime),
        get_default_memory_pool=lambda: SimpleNamespace(free_bytes=lambda: 55),
    )
    gpu = SimpleNamespace(is_gpu=True, index=3, xp=xp)
    assert (free_memory(gpu), total_memory(gpu)) == (755, 9000)
    assert asked == [3, 3]


def test_a_process_may_be_bound_to_some_of_the_cores(monkeypatch):
    monkeypatch.setattr(_machine.os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    monkeypatch.setattr(_machine.os, "cpu_count", lambda: 16)
    assert _machine.usable_cores() == 3
    monkeypatch.delattr(_machine.os, "sched_getaffinity")
    assert _machine.usable_cores() == 16
    monkeypatch.setattr(_machine.os, "cpu_count", lambda: None)
    assert _machine.usable_cores() == 1
