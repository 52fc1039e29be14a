"""What one rank notes of its own doing in MPI."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pytest_parallel_lab.backends.mpi.calls import ROOTED
from pytest_parallel_lab.backends.mpi.matching import Matching
from pytest_parallel_lab.keeper.agent import sites
from pytest_parallel_lab.model.mpi_waits import COLLECTIVE, Call, Part, RankState
from pytest_parallel_lab.model.timeline import COMMUNICATION, Span
from pytest_parallel_lab.model.told import Site

REPORTER = "reporter"  # the name of our own threads


class Tracer:
    """What one rank has done in a run."""

    def __init__(self, rank: int) -> None:
        """Note for a rank of the run's own numbering."""
        self.rank = rank
        self.synchronous_sends = False
        self.synchronised_collectives = False
        self.on = False
        self.spans: list[Span] | None = None  # of all calls, where they are wanted
        self.matching: Matching | None = None  # who chooses what receives from anybody get
        self.reset()

    def reset(self) -> None:
        """Forget: a run begins."""
        self.moves = 0
        self.finished = False
        self._call: Call | None = None
        self._depth = 0
        self.opaque = False
        self.sent: Counter[tuple[str, int, int]] = Counter()
        self.received: Counter[tuple[str, int, int]] = Counter()
        self.pending: dict[int, Part] = {}
        self.entered: dict[str, tuple[int, str]] = {}
        self._threads = _threads()

    def state(self) -> RankState:
        """The state now; asked for by another thread while the main one is inside MPI."""
        return RankState(
            self.rank,
            self.moves,
            self._call,
            self.finished,
            dict(self.sent),
            dict(self.received),
            tuple(self.pending.values()),
            dict(self.entered),
            self.opaque or _threads() > self._threads,  # another thread may still send
            time.process_time(),
        )

    @contextmanager
    def waiting(self, operation: str, parts: Sequence[Part], *, any_will_do: bool = False) -> Iterator[None]:
        """Note that the rank is in a blocking call; calls that it makes inside are the library's own."""
        if self._depth:
            yield
            return
        at = sites.users_site(sys._getframe(2))
        self._depth = 1
        self._call = Call(operation, tuple(parts), any_will_do, Site(*at) if at else None) if parts else None
        self.moves += 1
        began_s = time.perf_counter()
        try:
            yield
        finally:
            if self.spans is not None:
                ended_s = time.perf_counter()
                self.spans.append(
                    Span(self.rank, began_s, ended_s, COMMUNICATION, operation, _meeting(operation, parts))
                )
            self._call = None
            self._depth = 0
            self.moves += 1

    def enters(self, comm: str, members: tuple[int, ...], name: str) -> Part:
        """Note a collective."""
        index = self.entered.get(comm, (0, ""))[0]
        self.entered[comm] = (index + 1, name)
        return Part(COLLECTIVE, comm, members, index=index, name=name)


def _meeting(operation: str, parts: Sequence[Part]) -> str:
    """What all ranks call a collective that none can leave before all have come; "" for other operations."""
    if len(parts) != 1 or parts[0].kind != COLLECTIVE or operation in ROOTED:
        return ""
    return f"{parts[0].comm} {parts[0].index}"


def _threads() -> int:
    """How many threads there are that could call MPI."""
    return sum(thread.name != REPORTER for thread in threading.enumerate())
