"""The fixtures under pytest: reports, packing, pools, other plugins, backends of third parties."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from tests.conftest import Run, hide


def test_a_mismatch_names_implementation_backend_and_shapes(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import numpy as np
        from pytest_parallel_lab import implementation

        @implementation("threads")
        def wrong_shape(pool, a): return a.T

        def test_it(parallel_run):
            parallel_run(wrong_shape, np.ones((2, 3)), workers=2, reference=np.abs)
    """)
    result = run_pytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*Mismatch: wrong_shape (threads, 2 workers) returned an array of shape (3, 2), the reference one of*(2, 3)"]
    )


def test_a_failing_worker_reads_well_and_so_does_junit(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        def work(x):
            print("working on", x)
            return 1 // x

        def divide(pool): return pool.map(work, [1, 0], chunksize=1)

        def test_it(parallel_run):
            parallel_run(divide, backend="processes", workers=1)
    """)
    result = run_pytest("--junitxml=report.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*WorkerRaised: processes: runner raised ZeroDivisionError",
            "### runner on * (pid *) raised ZeroDivisionError",
            "*in work",
            "*The above exception was the direct cause of the following exception:",
            ">*parallel_run(divide, backend=*",
            "E*ZeroDivisionError: *",
            "*Captured stdout of worker 0 call*",
            "working on 1",
            "working on 0",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_parallel_lab/fixtures*")
    failure = ElementTree.parse(pytester.path / "report.xml").find(".//failure")
    assert failure is not None
    assert "### runner on" in (failure.text or "")


def test_a_worker_that_dies_is_named_and_the_next_test_runs(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import os, signal

        def die(pool, number): pool.map(signal.raise_signal, [number])

        def fine(pool): return sum(pool.map(abs, range(4)))

        def test_dies(parallel_run): parallel_run(die, signal.SIGKILL, backend="processes", workers=2)

        def test_next(parallel_run): assert parallel_run(fine, backend="processes", workers=2) == 6
    """)
    result = run_pytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "E*WorkerDied: processes: worker ? was killed by signal 9 (SIGKILL) in the middle of the run",
            "E*### worker ? of 2 on * (pid *) was killed by signal 9 (SIGKILL) in the middle of the run",
            "E*### runner on * had not finished",
        ]
    )


def test_what_cannot_be_sent_is_said_before_sending(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import threading

        def use(pool, lock): pass

        def test_it(parallel_run): parallel_run(use, threading.Lock(), backend="threads")
    """)
    run_pytest().stdout.fnmatch_lines(
        ["E*CannotSend: argument 1 of use (lock) cannot be sent to a worker: *. Pass plain data*"]
    )


def test_an_unmarked_function_is_told(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        def work(pool): pass

        def test_it(parallel_run): parallel_run(work)
    """)
    run_pytest().stdout.fnmatch_lines(["E*BadSetting: work is not marked as an implementation: decorate it with*"])


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_functions_of_test_modules_and_conftests_travel(pytester: pytest.Pytester, run_pytest: Run, mode: str) -> None:
    pytester.makeconftest("""
        import pytest

        def triple(x): return 3 * x

        def triples(pool, n): return list(pool.map(triple, range(n)))

        @pytest.fixture
        def from_conftest(): return triples
    """)
    pytester.makepyfile("""
        class Point:
            def __init__(self, x): self.x = x

        def work(pool, p): return [Point(x) for x in pool.map(abs, [p.x])]

        def test_conftest(parallel_run, from_conftest, parallel_workers):
            assert parallel_run(from_conftest, 3, backend="threads") == [0, 3, 6]

        def test_module(parallel_run):
            back = parallel_run(work, Point(-4), backend="processes")
            assert back[0].x == 4
            assert type(back[0]) is Point

        def test_nested(parallel_run):
            offset = 5
            def add(pool): return offset + 1
            assert parallel_run(add, backend="threads") == 6
    """)
    run_pytest(f"--import-mode={mode}", "--parallel-workers=1").assert_outcomes(passed=3)


def test_process_pools_are_real_and_warm(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import multiprocessing.pool, os, time, pytest

        seen = []

        def test_first(process_pool):
            pool = process_pool(2)
            assert isinstance(pool, multiprocessing.pool.Pool)
            seen.append({w.pid for w in multiprocessing.active_children()})
            print(pool.map(print, ["from a worker"]))

        def test_second_gets_the_same_workers(process_pool):
            assert process_pool(2).map(abs, [-1]) == [1]
            assert {w.pid for w in multiprocessing.active_children()} == seen[0]

        def test_leaves_a_task_out(process_pool):
            process_pool(2).apply_async(time.sleep, (60,))

        def test_third_gets_fresh_ones(process_pool):
            assert process_pool(2).map(abs, [-1]) == [1]
            assert not {w.pid for w in multiprocessing.active_children()} & seen[0]

        def test_two_at_once(process_pool):
            assert process_pool(1).map(abs, [-1]) == process_pool(1).map(abs, [-1])

        def test_count(process_pool):
            with pytest.raises(ValueError, match="process_pool: workers: 0 is not a number of workers"):
                process_pool(0)
    """)
    result = run_pytest("-rP")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["*Captured stdout of worker ? call*", "from a worker"])


def test_thread_pools(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import threading

        def test_it(thread_pool):
            gate = threading.Barrier(3)
            pool = thread_pool(3)
            assert len(set(pool.map(lambda _: (gate.wait(10), threading.get_ident())[1], range(3)))) == 3
    """)
    run_pytest().assert_outcomes(passed=1)


def test_a_third_party_adds_a_backend_through_the_hook(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makeconftest("""
        from concurrent.futures import ThreadPoolExecutor
        from pytest_parallel_lab import Host, RunnerBackend

        class ToyHost(Host):
            def open(self, workers, settings, directory):
                return ThreadPoolExecutor(workers)

        class Toy(RunnerBackend):
            name = "toy"

            def missing(self, settings):
                return "broken in half; buy a new one" if settings.engines == "none" else None

            def host(self):
                return ToyHost()

        def pytest_parallel_backends(config):
            return [Toy()]
    """)
    pytester.makepyfile("""
        import pytest
        from pytest_parallel_lab import implementation

        @implementation("toy")
        def total(toy, n, *, workers): return sum(toy.map(abs, range(n))) * workers

        def test_run(parallel_run): assert parallel_run(total, 4, workers=2) == 12

        @pytest.mark.parallel_backends("toy")
        def test_pool(parallel_pool): assert list(parallel_pool.map(abs, [-3])) == [3]
    """)
    result = run_pytest("-v", "--parallel-workers=1")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_pool?toy-1w? PASSED*"])
    hide(pytester, "ipyparallel")  # the doctor would start a cluster
    run_pytest("-p", "hides", "--parallel-doctor").stdout.fnmatch_lines(["  toy          ok *"])
    result = run_pytest("-rs", "--parallel-engines=none")
    result.stdout.fnmatch_lines(["SKIPPED*toy: broken in half; buy a new one"])


def test_works_under_xdist(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile("""
        import os, pytest

        def runner(pool): return os.getpid()

        @pytest.mark.parametrize("i", range(6))
        def test_it(i, parallel_run, parallel_workers):
            assert parallel_run(runner, backend="processes") != os.getpid()
    """)
    run_pytest("-n2", "--parallel-workers=1,2").assert_outcomes(passed=12)


def test_a_test_may_still_choose_its_own_start_method(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import multiprocessing

        def test_it(process_pool, parallel_run, benchmark):
            process_pool(1)
            benchmark.pedantic(parallel_run, (choose,), {"backend": "processes"})
            multiprocessing.set_start_method("spawn")

        def choose(pool): multiprocessing.set_start_method("spawn")
    """)
    run_pytest().assert_outcomes(passed=1)
