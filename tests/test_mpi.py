"""MPI: warm ranks, and what is left between tests. Run with any MPI."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest

from pytest_parallel_lab import Lab, LeftOver, WorkerDied, WorkerRaised
from tests.conftest import checked_lab, left_in_shared_memory, shared_memory, wait_until_gone

pytest.importorskip("mpi4py")
pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One for all of these tests, so that most of them find their workers warm."""
    with checked_lab() as made:
        yield made


def ring(comm: Any) -> Any:
    return comm.sendrecv(comm.rank, (comm.rank + 1) % comm.size, source=(comm.rank - 1) % comm.size)


def world_size(comm: Any) -> int:
    from mpi4py import MPI

    assert comm.size == MPI.COMM_WORLD.size
    return int(comm.size)


def raise_on_rank_1(comm: Any) -> None:
    if comm.rank == 1:
        raise ValueError("boom")
    comm.Barrier()


def die_on_rank_1(comm: Any, how: str, what: int) -> None:
    if comm.rank == 1:
        (os._exit if how == "exit" else signal.raise_signal)(what)
    comm.Barrier()


# What a test can leave behind, by the words it is told with.
def unreceived(comm: Any) -> None:
    if comm.rank == 0:
        comm.send("stale", 1, tag=5)


def unreceived_on_world(comm: Any) -> None:
    from mpi4py import MPI

    if comm.rank == 0:
        MPI.COMM_WORLD.send("stale", 1, tag=6)


def lonely_bcast(comm: Any) -> None:
    if comm.rank == 0:
        comm.Bcast(np.ones(2), 0)


def lonely_gather(comm: Any) -> None:
    if comm.rank == 1:
        comm.Gather(np.ones(2), None, 0)


def lonely_bcast_on_world(comm: Any) -> None:
    from mpi4py import MPI

    if comm.rank == 0:
        MPI.COMM_WORLD.Bcast(np.ones(2), 0)


LEFT_OVER = {
    unreceived: "rank 1: a message on the test's communicator that nobody received: from rank 0 to rank 1, tag 5, ",
    unreceived_on_world: "rank 1: a message on MPI.COMM_WORLD that nobody received: from rank 0 to rank 1, tag 6, ",
    lonely_bcast: "a collective on the test's communicator that not all ranks took part in",
    lonely_gather: "a collective on the test's communicator that not all ranks took part in",
    lonely_bcast_on_world: "a collective on MPI.COMM_WORLD that not all ranks took part in",
}


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_the_world_has_the_size_that_was_asked_for(lab: Lab, ranks: int) -> None:
    lease = lab.lease("mpi", ranks)
    assert lease.run(world_size).values() == [ranks] * ranks
    assert lease.run(ring).values() == [(rank - 1) % ranks for rank in range(ranks)]
    lease.end()


def test_ranks_are_warm_and_their_communicator_is_fresh(lab: Lab) -> None:
    def mark(comm: Any) -> tuple[int, Any]:
        from mpi4py import MPI

        before = comm.Get_attr(MPI.UNIVERSE_SIZE), comm.Get_name()
        comm.Set_name("marked")
        return os.getpid(), before[1]

    first = lab.run(mark, workers=2, backend="mpi")
    second = lab.run(mark, workers=2, backend="mpi")
    assert first[0] == second[0]
    assert second[1] != "marked"


def test_a_raise_is_told_at_once_with_what_the_others_did(lab: Lab) -> None:
    started_s = time.monotonic()
    with pytest.raises(ValueError, match="boom") as caught:
        lab.run(raise_on_rank_1, workers=3, backend="mpi")
    assert time.monotonic() - started_s < 30
    text = str(caught.value.__cause__)
    assert isinstance(caught.value.__cause__, WorkerRaised)
    assert text.startswith("mpi: rank 1 raised ValueError\n\n### rank 1 of 3 on ")
    assert "in raise_on_rank_1" in text
    assert "### rank 0 of 3 on " in text
    assert "### rank 2 of 3 on " in text
    assert text.count("had not finished") == 2
    assert lab.run(ring, workers=3, backend="mpi") == 2


@pytest.mark.parametrize(
    ("how", "what", "text"),
    [
        ("exit", 0, "exited with code 0 in the middle of the run"),
        ("exit", 3, "exited with code 3 in the middle of the run"),
        ("signal", signal.SIGSEGV, r"was killed by signal 11 \(SIGSEGV\)"),
        ("signal", signal.SIGKILL, r"was killed by signal 9 \(SIGKILL\)"),
    ],
)
def test_a_rank_that_dies_is_named_with_its_end(lab: Lab, how: str, what: int, text: str) -> None:
    with pytest.raises(WorkerDied, match=f"^mpi: rank 1 {text}") as caught:
        lab.run(die_on_rank_1, how, what, workers=2, backend="mpi")
    assert "### rank 0 of 2" in str(caught.value)
    assert "in die_on_rank_1" in str(caught.value)
    assert lab.run(ring, workers=2, backend="mpi") == 1


@pytest.mark.parametrize("leave", LEFT_OVER, ids=lambda f: f.__name__)
def test_what_a_test_leaves_behind_is_found_and_does_not_reach_the_next(lab: Lab, leave: Any) -> None:
    with pytest.raises(LeftOver) as caught:
        lab.run(leave, workers=2, backend="mpi")
    assert str(caught.value).startswith("mpi, 2 workers: ")
    assert LEFT_OVER[leave] in str(caught.value)
    for _ in range(3):
        assert lab.run(lambda comm: comm.bcast(comm.rank), workers=2, backend="mpi") == 0


def test_programs_that_leave_nothing_are_never_accused(lab: Lab) -> None:
    def busy(comm: Any) -> int:
        halves = comm.Split(comm.rank % 2)
        total = comm.allreduce(comm.rank)
        request = comm.isend(total, (comm.rank + 1) % comm.size)
        got = comm.recv()
        request.wait()
        comm.Barrier()
        halves.Free()
        return int(got)

    for _ in range(50):
        assert lab.run(busy, workers=2, backend="mpi") == 1


def test_a_test_may_free_its_communicator(lab: Lab) -> None:
    lab.run(lambda comm: comm.Free(), workers=2, backend="mpi")
    assert lab.run(ring, workers=2, backend="mpi") == 1


def test_output_is_kept_apart_by_rank(lab: Lab) -> None:
    lease = lab.lease("mpi", 2)
    outcome = lease.run(lambda comm: print("I am", comm.rank))
    assert [r.output for r in outcome.reports] == ["I am 0\n", "I am 1\n"]
    lease.end()


def test_the_key_is_not_left_in_the_environment(lab: Lab) -> None:
    keys = lab.run(lambda comm: [k for k in os.environ if k.startswith("PARALLEL_LAB")], workers=1, backend="mpi")
    assert keys == []


def test_large_arrays_are_private_to_each_rank(lab: Lab) -> None:
    def change(comm: Any, a: Any) -> float:
        comm.Barrier()
        a += comm.rank + 1
        comm.Barrier()
        return float(a.sum())

    a = np.zeros(1 << 16)
    lease = lab.lease("mpi", 2)
    assert lease.run(change, a).values() == [1 << 16, 2 << 16]
    assert a.sum() == 0
    lease.end()


def test_ranks_as_a_pool(lab: Lab) -> None:
    lease = lab.lease("mpi", 2)
    with lease.group.pool() as pool:
        assert list(pool.map(abs, range(-10, 0))) == list(range(10, 0, -1))
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()
    lease.end()
    lease = lab.lease("mpi", 2)
    pool = lease.group.pool()
    with pytest.raises(WorkerDied, match=r"mpi: rank \d of 2 on .* exited with code 4"):
        pool.submit(os._exit, 4).result()
    pool.abandon()
    lease.end()


@pytest.fixture(autouse=True)
def nothing_left_in_shared_memory() -> Iterator[None]:
    before = shared_memory()
    yield
    assert left_in_shared_memory(before) == set()


def test_killed_ranks_leave_no_files(lab: Lab) -> None:
    lease = lab.lease("mpi", 2)
    pids = lease.run(lambda comm: os.getpid()).values()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert wait_until_gone(pids) == []
    assert not lease.group.healthy()
    with pytest.raises(LeftOver, match=r"mpi, 2 workers: rank \d of 2 .* outside any run"):
        lease.end()


def test_idle_ranks_sleep(lab: Lab) -> None:
    pids = lab.run(lambda comm: comm.gather(os.getpid()), workers=2, backend="mpi")
    ranks = [psutil.Process(pid) for pid in pids]
    before = [sum(r.cpu_times()[:2]) for r in ranks]
    time.sleep(0.5)
    assert [sum(r.cpu_times()[:2]) for r in ranks] == before


def wrong_rank(comm: Any) -> None:
    comm.send("x", comm.size)


def test_an_error_of_mpi_is_told_without_starting_mpi_here(lab: Lab) -> None:
    with pytest.raises(WorkerRaised, match=r"(?is)raised Exception.*in wrong_rank.*rank"):
        lab.run(wrong_rank, backend="mpi", workers=2)
    assert "mpi4py.MPI" not in sys.modules
