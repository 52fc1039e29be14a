"""However a request comes to be done, it is counted: a message that was received is not under way any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_parallel_lab import Deadlock, Lab

pytest.importorskip("mpi4py")
pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        if reason := made.missing("mpi"):
            pytest.skip(reason)
        yield made


def until(done: Callable[[], Any]) -> None:
    """Poll, as a program does that has other work meanwhile."""
    while not done():
        pass


def by_test(mpi: Any, requests: list[Any]) -> None:
    for request in requests:
        until(lambda: request.test()[0])  # noqa: B023 - it is called in this very pass


def by_testall(mpi: Any, requests: list[Any]) -> None:
    until(lambda: mpi.Request.testall(requests)[0])


def by_testany(mpi: Any, requests: list[Any]) -> None:
    for _ in range(len(requests)):
        until(lambda: mpi.Request.testany(requests)[1])


def by_testsome(mpi: Any, requests: list[Any]) -> None:
    done: list[int] = []
    while len(done) < len(requests):
        done += mpi.Request.testsome(requests)[0] or []


def by_waitall(mpi: Any, requests: list[Any]) -> None:
    mpi.Request.waitall(requests)


def by_waitsome(mpi: Any, requests: list[Any]) -> None:
    done: list[int] = []
    while len(done) < len(requests):
        done += mpi.Request.waitsome(requests)[0] or []


def by_waitany(mpi: Any, requests: list[Any]) -> None:
    for _ in range(len(requests)):
        mpi.Request.waitany(requests)


WAYS = [by_test, by_testall, by_testany, by_testsome, by_waitall, by_waitsome, by_waitany]


def receive_two(comm: Any, complete: Callable[[Any, list[Any]], None], more: int) -> int:
    """Rank 0 sends two messages; rank 1 completes two receives in one way, and then waits for more messages."""
    from mpi4py import MPI

    if comm.rank == 0:
        comm.send("first", 1, tag=1)
        comm.send("second", 1, tag=2)
    elif comm.rank == 1:
        complete(MPI, [comm.irecv(source=0, tag=tag) for tag in (1, 2)])
        for _ in range(more):
            comm.recv(source=0, tag=1)
    return int(comm.rank)


@pytest.mark.parametrize("way", [by_test, by_testall, by_testany, by_testsome])
def test_a_receive_too_many_is_proved_a_deadlock(lab: Lab, way: Callable[..., Any]) -> None:
    outcome = lab.supervise(receive_two, way, 1, workers=2, backend="mpi", limit_s=30)
    with pytest.raises(Deadlock, match="rank 1"):
        outcome.result()


def test_as_many_receives_as_messages_pass(lab: Lab) -> None:
    for way in WAYS:
        assert lab.supervise(receive_two, way, 0, workers=2, backend="mpi", limit_s=30).values() == [0, 1]


def test_requests_from_before_they_were_traced_can_be_completed_too(lab: Lab) -> None:
    assert lab.run(complete_untraced, workers=2, backend="mpi") == 0


def complete_untraced(comm: Any) -> int:
    """As libraries do that have kept mpi4py's own class, and take methods from the one in its module."""
    from mpi4py import MPI

    plain = MPI.Request.__mro__[1](comm.Ibarrier())
    until(lambda: MPI.Request.Test(plain))
    again = MPI.Request.__mro__[1](comm.Ibarrier())
    MPI.Request.Wait(again)
    return int(comm.rank)
