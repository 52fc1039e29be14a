"""What the launcher starts for every rank: a guard, which forks the rank and tells how it ended.

mpiexec gives one exit status for all ranks, and MPICH's is 0 for a rank that calls ``_exit(0)``
in the middle of a run. The guard is the rank's parent, so it knows.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from pytest_parallel_lab.backends.mpi.post import connect_back
from pytest_parallel_lab.keeper.channel import ChannelClosed
from pytest_parallel_lab.keeper.tree import die_with_parent


def guard(be_rank: Callable[[], None]) -> NoReturn:
    """Fork, be the rank in the child, and report the child's end from the parent."""
    channel = connect_back()
    guard_pid = os.getpid()
    pid = os.fork()
    if pid == 0:
        channel.close()
        die_with_parent(guard_pid)
        status = 1
        try:
            be_rank()
            status = 0
        except Exception:
            traceback.print_exc()  # into what the launcher shows
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: None)  # the rank's end is ours
    channel.send("guard", {"name": str(pid)})
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ChannelClosed):
        channel.send("exited", {"pid": pid, "status": status})
        channel.receive()  # until it closes: a guard that ends makes the launcher end the other ranks
    os._exit(status if status >= 0 else 128 - status)
