"""What this process and all below it use: cores, memory, and time spent waiting for a core."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_SPARE = 1.1  # cores that something on one core may seem to use, by the grain of clocks
_IDLE = 0.02  # cores that processes may use which only wait


@dataclass(frozen=True)
class Usage:
    """A moment of this process.

    Attributes:
        wall_s: the time.
        cpu_s: that all its threads have computed.
        below_s: that all processes below it have computed, those that have ended among them.
    """

    wall_s: float
    cpu_s: float
    below_s: float

    @classmethod
    def now(cls) -> Usage:
        """Of now."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        running_s = sum(_computed_s(child.pid) for child in psutil.Process().children(recursive=True))
        return cls(time.perf_counter(), time.process_time(), ended.ru_utime + ended.ru_stime + running_s)

    def alone_since(self, before: Usage) -> bool:
        """Whether one thread of this process has done all there was to do since an earlier moment."""
        wall_s = self.wall_s - before.wall_s
        elsewhere = abs(self.below_s - before.below_s) > _IDLE * wall_s
        return not elsewhere and self.cpu_s - before.cpu_s <= _SPARE * wall_s


def held_up_s() -> float:
    """Seconds in which this thread was ready to go on and waited for a core.

    Source: Linux, Documentation/scheduler/sched-stats.rst: the second figure of ``schedstat``.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
        with open(path, "rb", buffering=0) as file:
            return int(file.read(100).split()[1]) / 1e9
    return 0.0


def _computed_s(pid: int) -> float:
    """Seconds that a process has had a core, all its threads together, to the nanosecond."""
    total_s = 0.0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            total_s += int(path.read_text().split()[0]) / 1e9
    return total_s


def start_memory_peak() -> None:
    """Forget the peaks of this process and all below it, where the system can (Linux, ``clear_refs``)."""
    for pid in _tree():
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory_peak_bytes() -> float | None:
    """The peaks of resident memory of this process and all below it that run, added up; None where nothing tells.

    Pages that several of them share count in each.
    """
    peaks = []
    for pid in _tree():
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            line = next(line for line in lines if line.startswith("VmHWM:"))
            peaks.append(int(line.split()[1]) * 1024)
    return float(sum(peaks)) if peaks else None


def _tree() -> Iterator[int]:
    yield os.getpid()
    for child in psutil.Process().children(recursive=True):
        yield child.pid
