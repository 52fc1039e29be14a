"""A guard on another host: it also keeps what the rank prints, and speaks for it when it cannot.

The rank's files are the host's own, so the guard reads them for us. It answers on a channel of its own,
until the one that it guards for closes: then we are gone, or done, and so must be all that it has started.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from pytest_parallel_lab.backends.mpi.janitor import leave_janitor
from pytest_parallel_lab.backends.mpi.launchers import rank_by_environment
from pytest_parallel_lab.keeper import memory
from pytest_parallel_lab.keeper.ask import stacks
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed
from pytest_parallel_lab.keeper.network import Home
from pytest_parallel_lab.keeper.output import OutputReader
from pytest_parallel_lab.keeper.tree import become_subreaper, die_with_parent, kill_below

_LEAVE_LIMIT_S = 3.0  # what a rank gets to leave MPI once we are gone


@dataclass(frozen=True)
class Away:
    """What a rank on another host knows of itself.

    Attributes:
        home: the way back.
        directory: the host's own, for what the rank prints.
        name: tells its connections apart from those of others; process numbers are the host's own.
    """

    home: Home
    directory: str
    name: str


def take_over(environ: dict[str, str]) -> None:
    """Take over an environment; what the launcher has said to this process stays."""
    os.environ.update(environ)


def guard_away(address: str, key_file: str, be_rank: Callable[[Away], None]) -> NoReturn:
    """Fork, be the rank in the child; in the parent be its guard, and its deputy towards us."""
    started_s = time.time()
    home = Home(address, key_file)
    channel, environ = home.connect()
    take_over(environ)
    deputy, _ = home.connect()
    away = Away(home, tempfile.mkdtemp(prefix="parallel-lab-"), secrets.token_hex(8))
    guard_pid = os.getpid()
    leave_janitor(guard_pid, away.directory, started_s)
    become_subreaper()
    pid = os.fork()
    if pid == 0:
        channel.close()
        deputy.close()
        die_with_parent(guard_pid)
        status = 1
        try:
            be_rank(away)
            status = 0
        except Exception:
            traceback.print_exc()  # into what the launcher shows
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: None)  # the rank's end is ours
    status = 1
    try:
        channel.send("guard", {"name": away.name})
        deputy.send("deputy", {"name": away.name, "place": rank_by_environment()})
        status = _Deputy(channel, deputy, pid, away.directory).serve()
    except ChannelClosed:
        pass
    finally:
        kill_below(guard_pid)  # the janitor does the rest
        os._exit(status if status >= 0 else 128 - status)


class _Deputy:
    """Answers for one rank."""

    def __init__(self, channel: Channel, deputy: Channel, pid: int, directory: str) -> None:
        self._channel = channel
        self._deputy = deputy
        self._pid = pid
        self._directory = directory
        self._output = OutputReader(directory)

    def serve(self) -> int:
        """Answer until the guard's channel closes; the rank's exit status."""
        pidfd = os.pidfd_open(self._pid)
        waited_for: list[Any] = [self._channel, self._deputy, pidfd]
        status: int | None = None
        while self._channel in waited_for:
            readable = select.select(waited_for, [], [])[0]
            if pidfd in readable:
                status = self._ended()
                waited_for.remove(pidfd)
                self._channel.send("exited", {"pid": self._pid, "status": status})
            for channel in (c for c in (self._deputy, self._channel) if c in readable):
                try:
                    message = channel.receive()
                    channel.send("reply", getattr(self, f"_on_{message.kind}")(**message.body))
                except ChannelClosed:
                    waited_for.remove(channel)
        if status is None:
            if select.select([pidfd], [], [], _LEAVE_LIMIT_S)[0]:
                return self._ended()
            os.kill(self._pid, signal.SIGKILL)
            return self._ended()
        return status

    def _ended(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _on_output(self) -> dict[str, Any]:
        return {"text": self._output.new_output(self._pid)}

    def _on_stacks(self) -> dict[str, Any]:
        return {"text": stacks(self._directory, [self._pid]).get(self._pid, "")}

    def _on_clock(self) -> dict[str, Any]:
        return {"now_s": time.perf_counter()}

    def _on_space(self) -> dict[str, Any]:
        return {"text": memory.space()}

    def _on_signal(self, number: int) -> dict[str, Any]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
        return {}
