"""ipyparallel engines that are ranks of one MPI program: traced, and watched as ranks are."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_parallel_lab.backends.mpi.reporter import report
from pytest_parallel_lab.backends.mpi.tracer import REPORTER, Tracer
from pytest_parallel_lab.backends.mpi.tracing import Tracing
from pytest_parallel_lab.backends.mpi.watch import RankWatch
from pytest_parallel_lab.backends.mpi.witness import HereWitness
from pytest_parallel_lab.backends.supervision import Supervision
from pytest_parallel_lab.keeper.agent import contract
from pytest_parallel_lab.keeper.channel import Channel
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.verdict import Verdict
from pytest_parallel_lab.model.waiting import BLOCKED


def trace_engine(directory: str) -> None:
    """In an engine: note what it does in MPI, and answer whoever connects to its socket."""
    from mpi4py import MPI

    tracer = Tracer(MPI.COMM_WORLD.rank)
    tracer.on = True
    Tracing(MPI, tracer).install()
    pid = os.getpid()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(_address(directory, pid))
    listener.listen()

    def serve() -> None:
        while True:
            connected, _ = listener.accept()
            report(
                Channel(connected),
                lambda: replace(tracer.state(), finished=not contract.is_busy(directory, pid)),
            )

    threading.Thread(target=serve, daemon=True, name=REPORTER).start()


def _address(directory: str, pid: int) -> str:
    return str(Path(directory, f"{pid}.mpi"))


class EngineWatch(Supervision):
    """The watch on a cluster whose engines may wait for each other in MPI as well."""

    def __init__(self, keeper: KeeperClient, root: int, members: Sequence[Worker]) -> None:
        """Prepare to watch; nothing happens yet."""
        super().__init__(keeper, root, members)
        self._members = members
        self._reporters: list[Channel] = []
        self._ranks: RankWatch | None = None

    def look(self) -> bool:
        """Have the keeper watch the processes; look at what the engines do in MPI."""
        if self._ranks is None:
            super().look()
            self._ranks = RankWatch(HereWitness(self._keeper.directory), self._members, self._connect())
        found = self._ranks.look() and self._client_waits()
        self.next_s = self._ranks.next_s
        if not found:
            self._ranks.stuck = None
        return found

    def _connect(self) -> list[Channel]:
        for worker in self._members:
            with contextlib.suppress(OSError):  # it has died: the exit watch tells
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(_address(self._keeper.directory, worker.pid))
                self._reporters.append(Channel(connection))
        return self._reporters

    def _client_waits(self) -> bool:
        """Whether the client waits for results without a limit: else it may still do something about them."""
        state = self._keeper.examine(self._root)
        return all(t.condition == BLOCKED for p in state.processes if p.pid == self._root for t in p.threads[:1])

    def judge(self, limit: str = "") -> Verdict:
        """What was found out about MPI, else about the processes."""
        if self._ranks is not None and self._ranks.stuck is not None:
            return self._ranks.judge(limit)
        return super().judge(limit)

    def stop(self) -> None:
        """End both watches."""
        super().stop()
        for reporter in self._reporters:
            reporter.close()
        self._reporters = []
