"""Tidies up on a host after a guard, however that ended: launchers kill guards before they can do so themselves."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import time

from pytest_parallel_lab.keeper.leftovers import remove_unmapped

_AFTER_S = 0.3  # what a rank gets to follow its guard


def leave_janitor(guard_pid: int, directory: str, started_s: float) -> None:
    """Leave a process behind that outlives the guard for a moment, and belongs to no launcher.

    Args:
        guard_pid: who it waits for.
        directory: removed in the end.
        started_s: shared memory of MPI made since then, and mapped by nobody, is removed.
    """
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        os.setsid()
        with contextlib.suppress(PermissionError):  # Grid Engine ends who has its job's group
            os.setgroups([])
        if os.fork():
            os._exit(0)
        _let_go()
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(guard_pid)], [], [])
        time.sleep(_AFTER_S)
        remove_unmapped(started_s)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os._exit(0)


def _let_go() -> None:
    """Hold no file that another one waits to see closed."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
