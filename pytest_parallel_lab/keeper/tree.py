"""Process trees: made so that they can be found again, and killed whole."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KILL_LIMIT_S = 5.0
_TRACKERS_LIMIT_S = 1.0


def become_subreaper() -> None:
    """Have orphans below this process re-parented to it, daemons included (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def kill_below(pid: int, *, trackers_too: bool = True) -> None:
    """Kill every descendant of a process until none is left, those born meanwhile included.

    Args:
        pid: the process; it stays.
        trackers_too: end resource trackers of ``multiprocessing`` as well. They come last: they
            end by themselves once nobody needs them, after removing the semaphores and shared
            memory that the killed have left behind.
    """
    deadline = time.monotonic() + _KILL_LIMIT_S
    trackers_until = time.monotonic() + _TRACKERS_LIMIT_S
    while time.monotonic() < deadline:
        living = [child for child in _descendants(pid) if _lives(child)]
        others = [child for child in living if not is_resource_tracker(child)]
        if not living or not (others or trackers_too):
            return
        if not others and time.monotonic() < trackers_until:
            psutil.wait_procs(living, timeout=0.01)
            continue
        for child in others or living:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(others, timeout=0.05)


def kill_tree(pid: int) -> None:
    """Kill a process and all below it: the descendants first, while they can still be found."""
    kill_below(pid, trackers_too=False)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_resource_tracker(process: psutil.Process) -> bool:
    """Whether a process is a resource tracker of ``multiprocessing``."""
    try:
        return any("multiprocessing.resource_tracker" in word for word in process.cmdline())
    except psutil.Error:
        return False


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def lives(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return _lives(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
