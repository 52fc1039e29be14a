"""ipyparallel: a real controller and engines, warm, cleaned between tests, replaced when one dies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from pytest_parallel_lab import Lab, LeftOver, Settings, StartFailed, WorkerDied
from tests.conftest import Run, left_in_shared_memory, shared_memory

pytest.importorskip("ipyparallel")
pytestmark = pytest.mark.ipyparallel


@pytest.fixture(scope="module")
def warm_lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


def pids(view: Any) -> list[int]:
    return list(view.apply_sync(os.getpid))


def test_engines_are_real_warm_and_asleep_between_tests(warm_lab: Lab) -> None:
    engines = warm_lab.run(pids, workers=2, backend="ipyparallel")
    assert len(set(engines)) == 2
    processes = [psutil.Process(pid) for pid in engines]
    deadline = time.monotonic() + 5
    while {p.status() for p in processes} != {psutil.STATUS_STOPPED}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert warm_lab.run(pids, workers=2, backend="ipyparallel") == engines


def test_namespaces_are_cleared_between_tests(warm_lab: Lab) -> None:
    def push(view: Any) -> Any:
        view.push({"left": 1}, block=True)
        return view.pull("left", block=True)

    def look(view: Any) -> Any:
        return view.apply_sync(lambda: "left" in globals())

    assert warm_lab.run(push, workers=2, backend="ipyparallel") == [1, 1]
    assert warm_lab.run(look, workers=2, backend="ipyparallel") == [False, False]


def test_output_of_engines_is_kept_apart(warm_lab: Lab) -> None:
    lease = warm_lab.lease("ipyparallel", 2)
    outcome = lease.run(
        lambda view: view.scatter("x", [1, 2], block=True) or view.execute("print('x is', x)", block=True)
    )
    assert [(r.worker.label, r.output) for r in outcome.reports[1:]] == [
        ("engine 0", "x is [1]\n"),
        ("engine 1", "x is [2]\n"),
    ]
    lease.end()


def test_an_error_on_an_engine_comes_back(warm_lab: Lab) -> None:
    with pytest.raises(Exception, match="ZeroDivisionError"):
        warm_lab.run(lambda view: view.apply_sync(lambda: 1 // 0), workers=2, backend="ipyparallel")


def test_tasks_still_out_are_told(warm_lab: Lab) -> None:
    def leave(view: Any) -> None:
        view.apply_async(time.sleep, 60)

    with pytest.raises(LeftOver, match="ipyparallel, 2 workers: 2 tasks were still out on the engines"):
        warm_lab.run(leave, workers=2, backend="ipyparallel")


def test_an_engine_that_dies_is_named_and_the_next_test_gets_a_new_cluster(warm_lab: Lab) -> None:
    def die(view: Any) -> None:
        view.client[0].apply_sync(os._exit, 3)

    with pytest.raises(WorkerDied, match=r"^ipyparallel: engine 0 exited with code 3 in the middle of the run"):
        warm_lab.run(die, workers=2, backend="ipyparallel")
    assert len(warm_lab.run(pids, workers=2, backend="ipyparallel")) == 2


def test_engines_as_a_pool(warm_lab: Lab) -> None:
    lease = warm_lab.lease("ipyparallel", 2)
    with lease.group.pool() as pool:
        assert list(pool.map(abs, range(-5, 0))) == [5, 4, 3, 2, 1]
    lease.end()


def test_a_cluster_stops_with_its_lab() -> None:
    with Lab() as lab:
        engines = lab.run(pids, workers=1, backend="ipyparallel")
    assert not psutil.pid_exists(engines[0])


def test_fixture(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import os

        def square(x):
            print("squaring", x)
            return x * x

        def test_views(ipcluster):
            client = ipcluster(2)
            assert client.ids == [0, 1]
            assert client[:].apply_sync(square, 3) == [9, 9]
            assert list(client.load_balanced_view().map_sync(square, [1, 2])) == [1, 4]

        def test_again(ipcluster): assert len(ipcluster(2)) == 2

        def test_stopped(ipcluster):
            client = ipcluster(2)
            client.shutdown(hub=True, block=True)

        def test_after_a_stop(ipcluster): assert ipcluster(2)[:].apply_sync(abs, -1) == [1, 1]
    """)
    result = run_pytest("-rP")
    result.stdout.fnmatch_lines(["*Captured stdout of engine ? call*", "squaring ?"])
    result.stdout.fnmatch_lines(["*test_stopped left something behind: ipyparallel, 2 workers: *engine*"])
    result.assert_outcomes(passed=4, errors=1)


def test_engines_started_by_mpi_share_a_world(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytest.importorskip("mpi4py")
    pytester.makepyfile("""
        def rank():
            from mpi4py import MPI
            return MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size

        def test_it(ipcluster):
            assert sorted(ipcluster(2)[:].apply_sync(rank)) == [(0, 2), (1, 2)]
    """)
    before = shared_memory()
    run_pytest("--parallel-engines=mpi").assert_outcomes(passed=1)
    assert left_in_shared_memory(before) == set()


def test_an_unknown_launcher_of_engines() -> None:
    settings = Settings(engines="bogus")
    with Lab(settings) as lab, pytest.raises(StartFailed, match=r"no launcher 'bogus' \(known: .*local.*mpi.*\)"):
        lab.lease("ipyparallel", 1)
