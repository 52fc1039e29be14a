"""Options, ini keys and marks: what they do, and what is said of bad ones."""

from __future__ import annotations

import pytest

from tests.conftest import Run, hide

POOLS = """
    def test_pool(parallel_pool):
        assert list(parallel_pool.map(abs, [-1, 2])) == [1, 2]
"""
IMPLEMENTATIONS = """
    import os, pytest
    from pytest_parallel_lab import implementation, name_of

    @implementation("serial")
    def plain(): return 1

    @implementation("threads")
    def threaded(pool): return 1

    @implementation("processes")
    def pooled(pool): return pool.apply(os.getpid)

    @pytest.mark.parametrize("f", [plain, threaded, pooled], ids=name_of)
    def test_it(f, parallel_run, parallel_workers):
        assert parallel_run(f)
"""


def ids(result: pytest.RunResult) -> list[str]:
    return [line.partition("::")[2] for line in result.outlines if "::" in line]


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--parallel-backends=thread", "*--parallel-backends: unknown backend 'thread'; did you mean 'threads'?*"),
        ("--parallel-require=mpl", "*--parallel-require: unknown backend 'mpl'; did you mean 'mpi'?*"),
        ("--parallel-workers=0", "*--parallel-workers: '0' is not a number of workers; give whole numbers from 1*"),
        ("--parallel-workers=-1", "*--parallel-workers: '-1' is not a number of workers*"),
        ("--parallel-workers=many", "*--parallel-workers: 'many' is not a number of workers*"),
        ("--parallel-workers=", "*--parallel-workers: is empty; give COUNTS or leave it out*"),
        ("--parallel-start-method=spwan", "*unknown start method 'spwan'; did you mean 'spawn'?*"),
        (
            "--parallel-mpiexec=mpiexec -n 2",
            "*'mpiexec -n 2' does not say where the number of ranks goes; write {ranks}*",
        ),
    ],
)
def test_bad_options_are_usage_errors(pytester: pytest.Pytester, run_pytest: Run, option: str, text: str) -> None:
    pytester.makepyfile(POOLS)
    result = run_pytest(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([text])


def test_a_bad_ini_key_is_named(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makeini("[pytest]\nparallel_workers = 2, none")
    result = run_pytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ini key parallel_workers: 'none' is not a number of workers*"])


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (
            "parallel_worker(2)",
            "*test_it*mark parallel_worker: there is no such mark; did you mean 'parallel_workers'?*",
        ),
        (
            "parallel_workers(cout=2)",
            "*mark parallel_workers: unexpected argument 'cout'; write parallel_workers(1, 2, ...)*",
        ),
        ("parallel_workers(0)", "*mark parallel_workers: 0 is not a number of workers*"),
        ("parallel_workers('many')", "*mark parallel_workers: 'many' is not a number of workers*"),
        ("parallel_workers()", "*mark parallel_workers: no number of workers given*"),
        ("parallel_backends('thread')", "*mark parallel_backends: unknown backend 'thread'; did you mean 'threads'?*"),
        ("parallel_start_method('spwan')", "*unknown start method 'spwan'; did you mean 'spawn'?*"),
        ("parallel_start_method()", "*takes exactly one start method; write parallel_start_method(*"),
    ],
)
def test_bad_marks_are_usage_errors_that_name_the_test(
    pytester: pytest.Pytester, run_pytest: Run, mark: str, text: str
) -> None:
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.{mark}
        def test_it(): pass
    """)
    result = run_pytest("-W", "ignore::pytest.PytestUnknownMarkWarning")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (result.stderr if "test_it" in result.stderr.str() else result.stdout).fnmatch_lines([text])


def test_the_command_line_goes_before_the_ini_file_and_marks_before_both(
    pytester: pytest.Pytester, run_pytest: Run
) -> None:
    pytester.makeini("[pytest]\nparallel_workers = 3\nparallel_backends = threads,serial")
    pytester.makepyfile("""
        import pytest

        def test_plain(parallel_pool): pass

        @pytest.mark.parallel_workers(5)
        def test_marked(parallel_pool): pass

        @pytest.mark.parametrize("parallel_workers", [7])
        def test_parametrized(parallel_workers): assert parallel_workers == 7
    """)
    assert ids(run_pytest("--collect-only", "-q")) == [
        "test_plain[threads-3w]",
        "test_marked[threads-5w]",
        "test_parametrized[7]",
    ]
    assert ids(run_pytest("--collect-only", "-q", "--parallel-workers=1,2"))[:4] == [
        "test_plain[threads-1w]",
        "test_plain[threads-2w]",
        "test_plain[serial-1w]",
        "test_marked[threads-5w]",
    ]


def test_backends_and_workers_are_combined_where_a_test_uses_both(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        def square(pool, x): return list(pool.map(abs, [x]))

        def test_it(parallel_backend, parallel_workers, parallel_run):
            if parallel_backend == "serial":
                assert parallel_run(abs, -2) == 2
            else:
                assert parallel_run(square, -2) == [2]
    """)
    result = run_pytest("-v", "--parallel-backends=serial,threads,executor", "--parallel-workers=1,2")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["*test_it?serial-1w?*", "*test_it?threads-2w?*"])


def test_implementations_carry_the_mark_of_their_backend(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(IMPLEMENTATIONS)
    args = ("--collect-only", "-q", "--strict-markers", "--parallel-workers=1,2")
    assert ids(run_pytest(*args, "-m", "threads or serial")) == [
        "test_it[plain-1w]",
        "test_it[threaded-1w]",
        "test_it[threaded-2w]",
    ]
    assert ids(run_pytest(*args, "--parallel-backends=processes")) == ["test_it[pooled-1w]", "test_it[pooled-2w]"]


def test_an_implementation_test_runs(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(IMPLEMENTATIONS)
    run_pytest("--parallel-workers=1,2").assert_outcomes(passed=5, deselected=1)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_the_start_method_is_chosen_by_option_and_by_mark(
    pytester: pytest.Pytester, run_pytest: Run, method: str
) -> None:
    pytester.makepyfile(
        """
        import multiprocessing, pytest

        def how(_): return type(multiprocessing.current_process()).__name__

        def ask(pool): return pool.map(how, [0])[0]

        def test_option(parallel_run):
            assert parallel_run(ask, backend="processes") == "%sProcess"

        @pytest.mark.parallel_start_method("fork")
        def test_mark(parallel_run):
            assert parallel_run(ask, backend="processes") == "ForkProcess"

        def test_local_pool(process_pool):
            assert process_pool(1).map(how, [0])[0] == "%sProcess"
    """
        % (("Spawn" if method == "spawn" else "ForkServer",) * 2)
    )
    run_pytest(f"--parallel-start-method={method}").assert_outcomes(passed=3)


MISSING = """
    def noop(comm): pass

    def test_ranks(mpiexec): mpiexec(noop, ranks=2)

    def test_pool(parallel_pool): pass

    def test_run(parallel_run): parallel_run(noop, backend="mpi")
"""


def test_a_missing_backend_skips_with_reason_and_remedy(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(MISSING)
    args = ("-rs", "--parallel-mpiexec=nowhere -n {ranks}", "--parallel-backends=mpi", "--parallel-workers=1")
    result = run_pytest(*args)
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["SKIPPED*mpi: no nowhere beside this Python or on PATH; pip install*[[]mpi[]]*"])


def test_a_missing_backend_fails_where_it_is_required(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(MISSING)
    args = ("--parallel-mpiexec=nowhere -n {ranks}", "--parallel-backends=mpi", "--parallel-workers=1")
    result = run_pytest(*args, "--parallel-require=mpi")
    result.assert_outcomes(errors=2, failed=1)
    result.stdout.fnmatch_lines(["*mpi: no nowhere beside this Python*(--parallel-require)*"])


def test_help_and_header(pytester: pytest.Pytester, run_pytest: Run) -> None:
    shown = run_pytest("--help").stdout
    shown.fnmatch_lines(["parallel runs (pytest-parallel-lab):", "*--parallel-backends=NAMES*", "*parallel_mpiexec*"])
    run_pytest("--parallel-workers=1,3").stdout.fnmatch_lines(
        ["parallel-lab: workers 1, 3 on * usable cores, BLAS pinned to 1 thread per worker"]
    )
    run_pytest("--markers").stdout.fnmatch_lines(["@pytest.mark.parallel_workers(1, 2, ...): *", "@pytest.mark.mpi: *"])


def test_the_doctor_tells_what_works_and_what_is_missing(run_pytest: Run) -> None:
    result = run_pytest("--parallel-doctor", "--parallel-mpiexec=nowhere -n {ranks}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["deadlocks: proved, from /proc"])
    result.stdout.fnmatch_lines(
        [
            "cores: * usable of *",
            "start methods: *fork*",
            "shared memory: * are free of * in /dev/shm.*",
            "numpy: *",
            "BLAS: *, 1 thread per worker",
            "  threads      ok *",
            "  processes    ok *start method*",
            "  mpi          missing  no nowhere beside this Python or on PATH; pip install*",
        ]
    )


def test_the_doctor_fails_where_a_required_backend_does_not_work(pytester: pytest.Pytester, run_pytest: Run) -> None:
    hide(pytester, "ipyparallel")
    result = run_pytest("-p", "hides", "--parallel-doctor", "--parallel-require=threads,ipyparallel")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "  ipyparallel  missing  ipyparallel is not installed; pip install *",
            "required but not working: ipyparallel (--parallel-require)",
        ]
    )


def test_marks_of_other_plugins_are_left_alone(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    parallel_threads(n): another plugin's\n    parallel_worker: ours to be")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parallel_threads(4)
        @pytest.mark.parallel_worker
        def test_it(): pass
    """)
    run_pytest("--strict-markers").assert_outcomes(passed=1)
