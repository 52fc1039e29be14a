"""pytest-benchmark with parallel runs."""

from __future__ import annotations

import json

import pytest

from pytest_parallel_lab.benchmarking import describe_size, exclude, section_clock
from tests.conftest import Run

SPEED = """
    import time
    import numpy as np
    import pytest
    from pytest_parallel_lab import implementation, name_of

    @implementation("serial")
    def plain(a): return a.sum()

    @implementation("threads")
    def threaded(pool, a): return sum(pool.map(np.sum, np.array_split(a, 2)))

    @implementation("processes")
    def pooled(pool, a): return sum(pool.map(np.sum, np.array_split(a, 2)))

    @pytest.mark.parametrize("n", [10, 1000])
    @pytest.mark.parametrize("f", [plain, threaded, pooled], ids=name_of)
    def test_sum(f, n, parallel_run, parallel_workers, benchmark):
        assert benchmark(parallel_run, f, np.ones(n), workers=parallel_workers) == n
"""
FAST = ("--benchmark-max-time=0.01", "--benchmark-min-rounds=3", "--parallel-workers=1,2")


def test_the_section_is_recorded_with_facts_and_groups(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(SPEED)
    result = run_pytest(*FAST, "--benchmark-json=out.json")
    result.assert_outcomes(passed=10, deselected=2)
    result.stdout.fnmatch_lines(["*benchmark 'sum 10': 5 tests*", "*benchmark 'sum 1000': 5 tests*"])
    found = {b["name"]: b for b in json.loads((pytester.path / "out.json").read_text())["benchmarks"]}
    facts = found["test_sum[pooled-1000-2w]"]["extra_info"]
    assert facts["implementation"] == "pooled"
    assert facts["backend"] == "processes"
    assert facts["workers"] == 2
    assert facts["size"] == ["1000"]
    assert facts["start_method"] in ("fork", "spawn", "forkserver")
    assert facts["blas_threads_per_worker"] == 1
    assert facts["oversubscribed"] in (True, False)


def test_autosave_and_compare(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(SPEED)
    run_pytest(*FAST, "--benchmark-autosave").assert_outcomes(passed=10, deselected=2)
    result = run_pytest(*FAST, "--benchmark-compare")
    result.assert_outcomes(passed=10, deselected=2)
    result.stderr.fnmatch_lines(["*Comparing against benchmarks from: *0001_*"])
    result.stdout.fnmatch_lines(["*test_sum?threaded-10-2w? (NOW)*"])


def test_dispatch_is_not_part_of_the_time(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import time

        def slow_load():
            time.sleep(0.3)

        class Slow:  # takes 0.3 s to arrive
            def __reduce__(self): return slow_load, ()

        def nothing(_): pass

        def test_it(parallel_run, benchmark):
            benchmark.pedantic(parallel_run, (nothing, Slow()), {"backend": "serial"}, rounds=3)
            assert benchmark.stats["min"] < 0.2
    """)
    run_pytest().assert_outcomes(passed=1)


def test_a_users_own_group_and_timer_stay(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import time, pytest

        @pytest.mark.benchmark(group="mine", timer=time.process_time)
        def test_it(parallel_run, benchmark):
            benchmark.pedantic(parallel_run, (abs, -1), {"backend": "serial"})
    """)
    result = run_pytest("--benchmark-json=out.json")
    result.assert_outcomes(passed=1)
    (found,) = json.loads((pytester.path / "out.json").read_text())["benchmarks"]
    assert found["group"] == "mine"
    assert found["options"]["timer"] == "process_time"


def test_the_clock_stands_still_for_what_is_excluded() -> None:
    before_s = section_clock()
    exclude(100.0)
    assert section_clock() - before_s < 0
    exclude(-100.0)
    assert section_clock() >= before_s


def test_sizes() -> None:
    import numpy as np

    sizes = [describe_size(v) for v in (np.ones((2, 3)), np.float64(1), 7, 1.5, [1, 2], "abc", None, True)]
    assert sizes == ["2x3", "scalar", 7, 1.5, 2, 3, "NoneType", "bool"]
