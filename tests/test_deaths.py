"""Workers, runners and keepers that die: named at once, replaced, and nothing outlives them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from pytest_parallel_lab import Lab, LeftOver, WorkerDied
from tests.conftest import checked_lab, wait_until_gone
from tests.functions import PROCESS_BACKENDS, START_METHODS, pids, square, squares


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One for all of these tests, so that most of them find their workers warm."""
    with checked_lab() as made:
        yield made


def die_by_exit(pool: Any, code: int) -> list[Any]:
    return list(pool.map(os._exit, [code]))


def die_by_signal(pool: Any, number: int) -> list[Any]:
    return list(pool.map(signal.raise_signal, [number]))


def kill_runner(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("backend", PROCESS_BACKENDS)
@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_exits_is_named_at_once(lab: Lab, backend: str, code: int) -> None:
    with pytest.raises(WorkerDied, match=rf"^{backend}: worker \d exited with code {code} in the middle of the run"):
        lab.run(die_by_exit, code, workers=2, backend=backend)
    assert lab.run(squares, 3, workers=2, backend=backend) == [0, 1, 4]


@pytest.mark.parametrize("method", START_METHODS)
def test_a_worker_that_is_killed_is_named_at_once(lab: Lab, method: str) -> None:
    lease = lab.lease("processes", 2, method)
    with pytest.raises(WorkerDied, match=r"worker \d was killed by signal 11 \(SIGSEGV\)") as caught:
        lease.run(die_by_signal, signal.SIGSEGV).result()
    assert "### runner on" in str(caught.value)
    assert "in die_by_signal" in str(caught.value)  # where the pool would have waited for ever
    lease.end()


def test_a_runner_that_dies_is_named(lab: Lab) -> None:
    with pytest.raises(WorkerDied, match=r"threads: runner was killed by signal 9 \(SIGKILL\)"):
        lab.run(kill_runner, workers=1, backend="threads")


def test_a_worker_killed_between_two_tests_is_replaced(lab: Lab) -> None:
    first = lab.run(pids, workers=2, backend="processes")
    os.kill(first[1], signal.SIGKILL)
    wait_until_gone([first[1]])
    again = lab.run(pids, workers=2, backend="processes")
    assert not set(first) & set(again)


def test_a_worker_killed_outside_any_run_is_told(lab: Lab) -> None:
    lease = lab.lease("processes", 2)
    victim = lease.run(pids).result()[1]
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while lease.group.healthy() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(LeftOver, match=rf"\(pid {victim}\) was killed by signal 9 \(SIGKILL\) outside any run"):
        lease.end()


def test_output_of_a_worker_that_dies_is_kept(lab: Lab) -> None:
    def last_words(_: Any) -> None:
        print("before the end")
        os._exit(1)

    with pytest.raises(WorkerDied) as caught:
        lab.run(last_words, workers=1, backend="threads")
    assert caught.value.outcome.reports[0].output == "before the end\n"


def test_a_keeper_that_is_gone_is_replaced() -> None:
    with checked_lab() as lab:
        first = lab.run(os.getpid, backend="serial")
        os.kill(lab.keeper.pid, signal.SIGKILL)
        assert wait_until_gone([first]) == []  # its runners go with it
        assert lab.run(square, 2, backend="serial") == 4


def test_a_daemon_is_killed_with_its_keeper() -> None:
    def daemonise(_: Any) -> int:
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(write, str(os.getpid()).encode())
                signal.pause()
            os._exit(0)
        os.wait()
        return int(os.read(read, 20))

    with Lab() as lab:
        daemon = lab.run(daemonise, workers=1, backend="threads")
        assert psutil.pid_exists(daemon)
    assert wait_until_gone([daemon]) == []


@pytest.mark.parametrize("backend", PROCESS_BACKENDS)
def test_a_pool_whose_worker_dies_fails_every_task(lab: Lab, backend: str) -> None:
    lease = lab.lease(backend, 2)
    pool = lease.group.pool()
    futures = [pool.submit(os._exit, 4), pool.submit(time.sleep, 60)]
    with pytest.raises(WorkerDied, match=rf"^{backend}: worker \d of 2 .* exited with code 4"):
        futures[0].result()
    assert isinstance(futures[1].exception(), WorkerDied)
    pool.abandon()
    lease.end()
