"""What cannot be started is told with its remedy, and leaves the lab usable."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

import pytest

from pytest_parallel_lab import BackendMissing, BadSetting, Lab, ParallelError, Settings, StartFailed
from pytest_parallel_lab.keeper.client import KeeperClient
from tests.functions import square


def test_an_unknown_backend(lab: Lab) -> None:
    with pytest.raises(BadSetting, match="unknown backend 'thread'; did you mean 'threads'"):
        lab.lease("thread", 1)
    lab.keeper  # noqa: B018


@pytest.mark.parametrize("workers", [0, -1, "many"])
def test_worker_counts_that_mean_nothing(workers: Any) -> None:
    with Lab() as lab, pytest.raises(BadSetting, match="is not a number of workers"):
        lab.lease("threads", workers)


def test_serial_has_one_worker() -> None:
    with Lab() as lab, pytest.raises(BadSetting, match="serial: 2 workers asked for, but it has at most 1"):
        lab.lease("serial", 2)


def test_a_missing_launcher_is_named_with_its_remedy() -> None:
    lab = Lab(Settings(mpiexec="no-such-launcher -n {ranks}"))
    with pytest.raises(BackendMissing, match=r"mpi: no no-such-launcher beside this Python or on PATH; pip install"):
        lab.lease("mpi", 2)


def test_workers_that_do_not_come_up_are_told(lab: Lab) -> None:
    from pytest_parallel_lab import Host, RunnerBackend

    class Broken(Host):
        def open(self, workers: int, settings: Settings, directory: str) -> object:
            print("starting", workers)
            raise OSError("no room")

    class BrokenBackend(RunnerBackend):
        name = "broken"

        def host(self) -> Host:
            return Broken()

    lab.backends["broken"] = BrokenBackend()
    with pytest.raises(
        StartFailed, match=r"(?s)broken: 2 workers could not be started: .*no room.*printed:\nstarting 2"
    ):
        lab.lease("broken", 2)


def test_an_interrupted_start_leaves_the_lab_usable(lab: Lab) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(*_: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Interrupted):
            lab.run(time.sleep, 60, backend="serial")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert lab.run(square, 3, backend="serial") == 9


def test_a_keeper_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    keeper = KeeperClient()
    with pytest.raises(ParallelError, match=r"the keeper \(pid \d+\) is gone: .*exit status"):
        keeper.fork()
    keeper.close()
