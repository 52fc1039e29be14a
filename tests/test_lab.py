"""The lab without pytest: warm workers, what runs return and raise, and their output."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pytest_parallel_lab import CannotSend, Lab, LeftOver, ParallelError, WorkerRaised, implementation
from tests.conftest import checked_lab
from tests.functions import IN_RUNNER, PROCESS_BACKENDS, START_METHODS, fail, pids, square, squares


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One for all of these tests, so that most of them find their workers warm."""
    with checked_lab() as made:
        yield made


def say(pool: Any) -> None:
    print("the runner speaks")
    list(pool.map(print, ["a worker speaks"]))


@pytest.mark.parametrize("backend", IN_RUNNER)
def test_a_run_returns_what_the_function_returns(lab: Lab, backend: str) -> None:
    for workers in (1, 2, 3):
        assert lab.run(squares, 5, workers=workers, backend=backend) == [0, 1, 4, 9, 16]


def test_serial_calls_without_a_handle(lab: Lab) -> None:
    assert lab.run(square, 3, backend="serial") == 9


@pytest.mark.parametrize("method", START_METHODS)
@pytest.mark.parametrize("backend", PROCESS_BACKENDS)
def test_every_start_method(lab: Lab, backend: str, method: str) -> None:
    lease = lab.lease(backend, 2, method)
    assert lease.run(squares, 4).result() == [0, 1, 4, 9]
    lease.end()


@pytest.mark.parametrize("backend", IN_RUNNER)
def test_workers_are_warm(lab: Lab, backend: str) -> None:
    assert set(lab.run(pids, workers=1, backend=backend)) == set(lab.run(pids, workers=1, backend=backend))


def test_workers_live_apart_from_us_and_are_as_many_as_asked(lab: Lab) -> None:
    runner, *workers = lab.run(pids, workers=3, backend="processes")
    assert os.getpid() not in {runner, *workers}
    lease = lab.lease("processes", 3)
    reports = lease.run(pids).reports
    assert [r.worker.label for r in reports] == ["runner", "worker 0", "worker 1", "worker 2"]
    assert len({r.worker.pid for r in reports}) == 4
    lease.end()


def test_an_exception_keeps_its_type_and_tells_where(lab: Lab) -> None:
    with pytest.raises(ZeroDivisionError, match="on purpose") as caught:
        lab.run(fail, workers=1, backend="threads")
    assert isinstance(caught.value.__cause__, WorkerRaised)
    assert "in fail" in str(caught.value.__cause__)
    assert "pytest_parallel_lab/keeper" not in str(caught.value.__cause__)


def test_sys_exit_in_a_worker_is_told_and_ends_nothing_else(lab: Lab) -> None:
    with pytest.raises(WorkerRaised, match="raised SystemExit"):
        lab.run(sys.exit, 3, backend="serial")


def test_an_exception_that_cannot_be_pickled_is_told_in_words(lab: Lab) -> None:
    def odd(_: Any) -> None:
        error = ValueError("holds a lock")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(WorkerRaised, match="ValueError: holds a lock"):
        lab.run(odd, workers=1, backend="threads")


@pytest.mark.parametrize("backend", IN_RUNNER)
def test_a_result_that_cannot_be_sent_back_is_named(lab: Lab, backend: str) -> None:
    with pytest.raises(CannotSend, match=r"the result \(lock\) cannot be sent back: .*Return plain data"):
        lab.run(lambda _: threading.Lock(), workers=1, backend=backend)


def test_output_is_kept_apart_by_process(lab: Lab) -> None:
    lease = lab.lease("processes", 1)
    for _ in range(2):
        outcome = lease.run(say)
        assert [r.output for r in outcome.reports] == ["the runner speaks\n", "a worker speaks\n"]
    lease.end()


def test_a_generator_yields_its_result_and_cleans_up(lab: Lab, tmp_path: Path) -> None:
    def once(_: Any, file: Path) -> Iterator[Any]:
        yield np.arange(100_000)
        file.write_text("cleaned")

    result = lab.run(once, tmp_path / "file", workers=1, backend="threads")
    np.testing.assert_array_equal(result, np.arange(100_000))
    assert (tmp_path / "file").read_text() == "cleaned"


def test_generators_that_do_not_yield_once(lab: Lab) -> None:
    def twice(_: Any) -> Iterator[int]:
        yield 1
        yield 2

    def never(_: Any) -> Iterator[int]:
        yield from ()

    with pytest.raises(ParallelError, match="the generator twice yielded a second time"):
        lab.run(twice, workers=1, backend="threads")
    with pytest.raises(ParallelError, match="the generator never ended without yielding a result"):
        lab.run(never, workers=1, backend="threads")


def test_a_function_that_asks_is_told_the_number_of_workers(lab: Lab) -> None:
    @implementation("threads")
    def count(_: Any, *, workers: int) -> int:
        return workers

    assert lab.run(count, workers=3) == 3


def test_runs_go_on_in_the_current_directory(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.run(os.getcwd, backend="serial")
    monkeypatch.chdir(tmp_path)
    assert lab.run(os.getcwd, backend="serial") == str(tmp_path)


def test_blas_has_one_thread_per_worker(lab: Lab) -> None:
    lease = lab.lease("processes", 2)
    assert lease.run(squares, 1).facts == {"blas_threads_per_worker": 1}
    assert set(lease.run(lambda pool: pool.map(os.getenv, ["OMP_NUM_THREADS"] * 4)).result()) == {"1"}
    lease.end()


def test_runners_do_not_repeat_each_others_random_numbers(lab: Lab) -> None:
    draw = [lab.run(lambda _: np.random.random(), workers=w, backend="threads") for w in (1, 2, 3)]
    assert len(set(draw)) == 3


def test_large_arguments_reach_the_workers_without_a_copy(lab: Lab) -> None:
    from pytest_parallel_lab import SharedArray

    size_bytes = 1 << 26

    def peaks(pool: Any, array: Any) -> list[int]:
        return list(pool.map(_own_memory_after_touching, [SharedArray.of(array)] * 2))

    before = lab.run(lambda pool: pool.map(_own_memory_after_touching, [None] * 2), workers=2, backend="processes")
    after = lab.run(peaks, np.ones(size_bytes // 8), workers=2, backend="processes")
    assert max(after) - min(before) < size_bytes / 8


def _own_memory_after_touching(shared: Any) -> int:
    """Bytes of memory that belong to this process alone."""
    if shared is not None:
        assert shared.array.sum() == shared.array.size
    full = psutil.Process().memory_full_info()
    return int(full.uss)


def test_the_keeper_has_one_thread_and_its_directory_is_private(lab: Lab) -> None:
    lab.run(square, 2, backend="serial")
    keeper = psutil.Process(lab.keeper.pid)
    assert keeper.num_threads() == 1
    assert os.stat(lab.keeper.directory).st_mode & 0o077 == 0


def test_a_pool_runs_tasks(lab: Lab) -> None:
    for backend in ("serial", *IN_RUNNER):
        lease = lab.lease(backend, 1)
        with lease.group.pool() as pool:
            assert list(pool.map(square, range(20))) == [x * x for x in range(20)]
            assert pool.submit(lambda x: x + 1, 1).result() == 2
            assert isinstance(pool.submit(fail, None).exception(), ZeroDivisionError)
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(square, 1)
        lease.end()


def test_left_over_is_an_error_of_ours() -> None:
    assert issubclass(LeftOver, ParallelError)
