"""Someone else's solution is put to a problem's checks."""

from __future__ import annotations

import pytest

from tests.conftest import Run

CASE = """
    import pytest

    from pytest_parallel_lab import implementation

    def squares(values):
        return [x * x for x in values]

    @implementation("serial")
    def serial(values):
        return squares(values)

    @implementation("threads")
    def thread_map(pool, values, *, workers):
        return list(pool.map(lambda x: x * x, values))

    @implementation("processes")
    def pool_map(pool, values):
        return pool.map(abs, [x * x for x in values])

    @pytest.mark.parallel_subjects([serial, thread_map, pool_map])
    @pytest.mark.parametrize("n", [0, 3])
    def test_squares(parallel_subject, n, parallel_run):
        parallel_run(parallel_subject, range(n), reference=squares)

    def test_other():
        pass
"""
HANDED_IN = """
    from pytest_parallel_lab import implementation

    def right(pool, values):
        return [x * x for x in values]

    def wrong(pool, values):
        return [x + x for x in values]

    def told(pool, values, *, workers):
        return [x * x for x in values][: 10 * workers]

    def without_pool(values):
        return [x * x for x in values]

    @implementation("threads")
    def marked(pool, values):
        return [x * x for x in values]

    number = 3
"""


@pytest.fixture
def run_case(pytester: pytest.Pytester, run_pytest: Run) -> Run:
    pytester.makepyfile(test_squares=CASE, handed_in=HANDED_IN)
    return run_pytest


def test_without_a_subject_the_listed_implementations_are_tested(run_case: Run) -> None:
    result = run_case("-v", "--parallel-workers=1")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines_random(
        [f"*test_squares[[]{name}-3[]]*" for name in ("serial", "thread_map", "pool_map")]
    )


def test_a_subject_stands_in_for_all_but_the_serial_ones(run_case: Run) -> None:
    result = run_case("-v", "--parallel-subject=handed_in:right", "--parallel-subject-backend=threads")
    result.assert_outcomes(passed=4, deselected=1)
    result.stdout.fnmatch_lines_random(["*test_squares[[]serial-3[]]*", "*test_squares[[]right-3[]]*"])
    result.stdout.no_fnmatch_line("*pool_map*")


def test_a_wrong_subject_fails(run_case: Run) -> None:
    result = run_case("--parallel-subject=handed_in:wrong", "--parallel-subject-backend=processes", "-m", "processes")
    result.assert_outcomes(passed=1, failed=1, deselected=3)
    result.stdout.fnmatch_lines(["*Mismatch: wrong (processes, * workers)*"])


@pytest.mark.parametrize("options", [["told", "threads"], ["marked"], ["marked", "threads"]], ids="-".join)
def test_a_subject_may_be_told_the_workers_or_say_its_backend(run_case: Run, options: list[str]) -> None:
    name, *backend = options
    given = [f"--parallel-subject-backend={one}" for one in backend]
    run_case(f"--parallel-subject=handed_in:{name}", *given).assert_outcomes(passed=4, deselected=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["handed_in"], "'handed_in' names no function; write my_module:my_function"),
        (["nowhere:f"], "the module 'nowhere' cannot be imported (ModuleNotFoundError: No module named 'nowhere')"),
        (["handed_in:rigth"], "'rigth' is not there in *handed_in.py; did you mean 'right'?"),
        (["handed_in:number"], "'number' is no function in *"),
        (["handed_in:right"], "handed_in:right says no backend; give --parallel-subject-backend=mpi*"),
        (["handed_in:right", "thread"], "unknown backend 'thread'; did you mean 'threads'?*"),
        (["handed_in:marked", "mpi"], "handed_in:marked is marked @implementation('threads'), not 'mpi'"),
        (
            ["handed_in:without_pool", "threads"],
            "without_pool(values) does not fit test_squares.py::test_squares*: too many positional arguments. "
            "It is called with (its pool, view or communicator, values), as thread_map(pool, values, [*], workers) is*",
        ),
    ],
)
def test_what_does_not_fit_is_refused(run_case: Run, options: list[str], said: str) -> None:
    function, *backend = options
    given = [f"--parallel-subject-backend={one}" for one in backend]
    result = run_case(f"--parallel-subject={function}", *given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --parallel-subject*: {said}"])


def test_a_backend_without_a_subject_is_refused(run_case: Run) -> None:
    result = run_case("--parallel-subject-backend=mpi")
    result.stderr.fnmatch_lines(["ERROR: --parallel-subject-backend: *which is not given"])


def test_no_test_that_takes_a_subject(run_case: Run) -> None:
    result = run_case("--parallel-subject=handed_in:marked", "-k", "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --parallel-subject: none of the chosen tests takes a subject*"])


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("@pytest.mark.parallel_subjects([len])", "*mark parallel_subjects: len is no implementation; write*"),
        ("@pytest.mark.parallel_subjects([])", "*mark parallel_subjects: lists no implementation; write*"),
        ("", "*the fixture parallel_subject has nothing to stand for; mark the test*"),
    ],
)
def test_a_mark_that_lists_nothing_usable(pytester: pytest.Pytester, run_pytest: Run, mark: str, said: str) -> None:
    pytester.makepyfile(f"import pytest\n{mark}\ndef test_it(parallel_subject): pass")
    result = run_pytest()
    assert result.ret != 0
    result.stdout.fnmatch_lines([said]) if not mark else (result.stdout.str() + result.stderr.str()).index(said[1:40])
