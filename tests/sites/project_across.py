"""The tests of a project that runs on a site of several hosts; `test_across.py` has pytest run them there."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pytest_parallel_lab import Deadlock, Race, WorkerDied, WorkerRaised, implementation

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

HOSTS = os.environ["SITE_HOSTS"].split()
ADDRESS = os.environ["SITE_ADDRESS"]
HOME = Path(os.environ["SITE_HOME"])
KEY = "[0-9a-f]{32,}"


def where(comm: Intracomm) -> tuple[int, int, str, int]:
    return comm.rank, comm.size, socket.gethostname(), os.getpid()


def test_four_ranks_on_all_hosts(mpiexec: Any) -> None:
    told = mpiexec(where, ranks=4)
    ranks, sizes, hosts, pids = zip(*told)
    assert ranks == (0, 1, 2, 3)
    assert sizes == (4, 4, 4, 4)
    assert sorted(set(hosts)) == HOSTS
    assert len(set(zip(hosts, pids))) == 4
    assert mpiexec(where, ranks=4) == told  # they stay warm


class Watch:
    """Looks, while ranks are started, at who listens where, at keys, and at all command lines."""

    def __init__(self) -> None:
        self.heard: set[tuple[str, str]] = set()
        self.keys: dict[str, int] = {}
        self.shown = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.01):
            for process in [psutil.Process(), *psutil.Process().children()]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    listening = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
                    self.heard |= {(process.name(), one.laddr.ip) for one in listening}
            for path in HOME.rglob("*"):
                with contextlib.suppress(OSError):
                    if path.is_file() and re.fullmatch(KEY, text := path.read_text().strip()):
                        self.keys[text] = stat.S_IMODE(path.stat().st_mode)
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    self.shown += path.read_text(errors="replace")


def test_doors_and_keys(mpiexec: Any) -> None:
    """Doors are on the named interface only, and nobody else can read a key."""
    with Watch() as watch:
        mpiexec(where, ranks=2)
    assert {address for name, address in watch.heard if name.startswith(("py", "parallel"))} == {ADDRESS}
    assert "parallel_lab" in watch.shown
    assert watch.keys != {}
    for key, mode in watch.keys.items():
        assert mode == 0o600
        assert key not in watch.shown
    assert stat.S_IMODE(HOME.stat().st_mode) == 0o700


@implementation("mpi")
def all_receive(comm: Intracomm) -> Any:
    print(f"rank {comm.rank} waits")
    return comm.recv(source=(comm.rank + 1) % comm.size)


def test_a_deadlock_is_explained_from_every_host(supervised: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        supervised(all_receive, workers=4)
    assert {wait.who for wait in caught.value.cycle} == {f"rank {rank}" for rank in range(4)}
    assert sorted({process.host for process in caught.value.processes} - {""}) == HOSTS
    for process in caught.value.processes:
        assert process.host in HOSTS
        assert any("all_receive" in line for line in process.lines())


@implementation("mpi")
def first_come(comm: Intracomm) -> list[int] | None:
    from mpi4py import MPI

    if comm.rank:
        comm.send(comm.rank, dest=0)
        return None
    return [comm.recv(source=MPI.ANY_SOURCE) for _ in range(comm.size - 1)]


def test_what_a_receive_from_anybody_gets_is_explored(explore: Any) -> None:
    with pytest.raises(Race):
        explore(first_come, workers=4)


@implementation("mpi")
def count_up(comm: Intracomm, limit: int) -> int:
    return int(comm.allreduce(sum(range(comm.rank, limit, comm.size))))


def test_hosts_have_other_clocks(mpiexec: Any) -> None:
    clocks_s = mpiexec(lambda comm: time.perf_counter(), ranks=4)
    assert max(clocks_s) - min(clocks_s) > 900 or not Path("/proc/self/ns/time").exists()


@pytest.mark.scaling(workers=[2, 4], rounds=2, seconds=0.1)
def test_times_are_by_one_clock_nevertheless(scaling: Any) -> None:
    curve = scaling(count_up, 200_000)
    assert curve.workers == (2, 4)
    for workers in (2, 4):
        point = curve.point(workers)
        assert all(0 < time_s < 30 for time_s in point.times_s)
        for round_ in point.breakdown:
            assert len(round_) == workers
            assert all(0 < worker.compute_s < 30 and 0 <= worker.waiting_s < 30 for worker in round_)


def test_the_rank_that_raised_is_named_with_its_host(mpiexec: Any) -> None:
    def fail_on_the_last(comm: Intracomm) -> None:
        if comm.rank == 3:
            raise LookupError("gone")
        comm.barrier()

    with pytest.raises(LookupError, match="gone") as caught:
        mpiexec(fail_on_the_last, ranks=4)
    assert isinstance(caught.value.__cause__, WorkerRaised)
    assert any(f"### rank 3 of 4 on {host} " in str(caught.value.__cause__) for host in HOSTS)


def test_a_rank_that_dies_and_then_all_is_well(mpiexec: Any) -> None:
    def dies(comm: Intracomm) -> None:
        if comm.rank == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        comm.barrier()

    with pytest.raises(WorkerDied) as caught:
        mpiexec(dies, ranks=4)
    named = r"### rank 3 of 4 on (\w+) \(pid \d+\) was killed by signal 9 \(SIGKILL\) in the middle"
    match = re.search(named, str(caught.value))
    assert match is not None
    assert match[1] in HOSTS
    assert mpiexec(lambda comm: comm.rank, ranks=4) == [0, 1, 2, 3]
