"""The pure floor: settings, decomposition, agreement, outcomes and stacks."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab.model.agreement import check_agreement
from pytest_parallel_lab.model.decomposition import blocks
from pytest_parallel_lab.model.errors import BadSetting, Mismatch, WorkerDied, WorkerRaised
from pytest_parallel_lab.model.implementation import backend_of, implementation, implementation_of, name_of
from pytest_parallel_lab.model.outcome import (
    Died,
    Fate,
    Outcome,
    Raised,
    Returned,
    Served,
    Unfinished,
    Worker,
    WorkerReport,
)
from pytest_parallel_lab.model.settings import parse_mpiexec, parse_names, parse_start_method, parse_workers
from pytest_parallel_lab.model.stacks import users_part


@pytest.mark.parametrize("total", [0, 1, 2, 3, 7, 64, 257])
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_blocks_cover_everything_once_and_evenly(total: int, workers: int) -> None:
    cut = blocks(total, workers)
    lengths = [b.stop - b.start for b in cut]
    assert [i for b in cut for i in range(total)[b]] == list(range(total))
    assert len(cut) == workers
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(("total", "workers"), [(-1, 2), (3, 0), (3, -1)])
def test_blocks_refuse_nonsense(total: int, workers: int) -> None:
    with pytest.raises(BadSetting, match=f"cannot cut {total} items into {workers} blocks"):
        blocks(total, workers)


@pytest.mark.parametrize("bad", ["0", "-1", "many", "1,0", "1.5", ""])
def test_worker_counts_that_are_none(bad: str) -> None:
    with pytest.raises(BadSetting, match=r"--parallel-workers: .*give whole numbers from 1, such as 1,2,4"):
        parse_workers(bad, "--parallel-workers")


@pytest.mark.parametrize("bad", [0, -1, "many", 1.5, True, None])
def test_worker_counts_in_a_call_that_are_none(bad: object) -> None:
    with pytest.raises(BadSetting, match="is not a number of workers"):
        parse_workers([bad], "here")


def test_worker_counts() -> None:
    assert parse_workers("1, 4,2,4", "here") == (1, 4, 2)


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(
        BadSetting, match=r"here: unknown backend 'thread'; did you mean 'threads'\? \(known: threads, mpi"
    ):
        parse_names("mpi,thread", ("threads", "mpi"), "here", "backend")


def test_unknown_start_method() -> None:
    with pytest.raises(BadSetting, match="unknown start method 'spwan'; did you mean 'spawn'"):
        parse_start_method("spwan", "here")


@pytest.mark.parametrize("bad", ["mpiexec -n 2", "mpiexec -n {n}", "mpiexec -n '{ranks}", "mpiexec {} {ranks}"])
def test_mpiexec_templates_that_say_no_ranks(bad: str) -> None:
    with pytest.raises(BadSetting, match=r"mpiexec -n \{ranks\}"):
        parse_mpiexec(bad, "--parallel-mpiexec")


def test_mpiexec_template() -> None:
    assert parse_mpiexec("srun --mpi=pmi2 -n {ranks}", "here") == "srun --mpi=pmi2 -n {ranks}"


def test_implementation_marks_and_leaves_the_function_as_it_is() -> None:
    @implementation("mpi")
    def ring(comm: Any) -> int:
        return int(comm)

    found = implementation_of(ring)
    assert found is not None
    assert found.backend == "mpi"
    assert ring(3) == 3
    assert name_of(ring) == "ring"
    assert backend_of(ring, None) == "mpi"
    assert backend_of(ring, "threads") == "threads"
    assert implementation_of(len) is None


def test_implementation_without_a_name() -> None:
    with pytest.raises(BadSetting, match=r'write @implementation\("mpi"\)'):
        implementation(len)  # type: ignore[arg-type]


def test_a_function_that_no_backend_is_named_for() -> None:
    with pytest.raises(BadSetting, match=r"len is not marked as an implementation: decorate it with @implementation"):
        backend_of(len, None)


@pytest.mark.parametrize(
    ("result", "expected", "text"),
    [
        (np.ones((2, 3)), np.ones((3, 2)), r"returned an array of shape \(2, 3\), the reference one of shape \(3, 2\)"),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0]), r"differs .* in 1 of 2 elements .*first at \[1\]"),
        (np.array([1.0, np.nan]), np.array([1.0, 3.0]), "differs"),
        (None, np.ones(2), r"returned None, the reference an array of shape \(2,\)"),
        ({"a": 1}, {"a": 2}, r"returned \{'a': 1\}, the reference \{'a': 2\}"),
        (1.0, 1.1, "returned 1.0, the reference 1.1"),
        (np.array(["a"]), np.array(["b"]), "differs"),
    ],
)
def test_mismatch(result: object, expected: object, text: str) -> None:
    with pytest.raises(Mismatch, match=f"pool_map .processes, 2 workers. {text}" if "differs" not in text else text):
        check_agreement(result, expected, "pool_map (processes, 2 workers)", rtol=1e-9)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (np.ones(3), np.ones(3) + 1e-12),
        (np.array([np.nan]), np.array([np.nan])),
        (np.zeros((0, 2)), np.zeros((0, 2))),
        ([1, "x"], [1, "x"]),
        (1.0, 1.0 + 1e-12),
    ],
)
def test_agreement(result: object, expected: object) -> None:
    check_agreement(result, expected, "who", rtol=1e-9)


def report(index: int, fate: Fate, size: int = 2) -> WorkerReport:
    return WorkerReport(Worker("rank", index, size, 100 + index, "host"), fate)


def test_the_first_value_is_the_result() -> None:
    outcome = Outcome("mpi", 2, (report(0, Returned(7, 0.5)), report(1, Returned(None, 0.75))))
    assert outcome.result() == 7
    assert outcome.values() == [7, None]
    assert outcome.elapsed_s == 0.75
    assert outcome.intact


def test_workers_that_serve_return_no_value() -> None:
    outcome = Outcome("processes", 2, (report(0, Returned(7, 0.5)), report(1, Served())))
    assert outcome.values() == [7]


def test_a_raise_comes_with_what_all_did() -> None:
    raised = Raised("ValueError", "Traceback: boom\n", ValueError("boom"))
    outcome = Outcome("mpi", 2, (report(0, Unfinished('  File "x.py", line 3 in f')), report(1, raised)))
    with pytest.raises(ValueError, match="boom") as caught:
        outcome.result()
    cause = caught.value.__cause__
    assert isinstance(cause, WorkerRaised)
    assert str(cause) == (
        "mpi: rank 1 raised ValueError\n\n"
        "### rank 1 of 2 on host (pid 101) raised ValueError\nTraceback: boom\n\n"
        '### rank 0 of 2 on host (pid 100) had not finished\n  File "x.py", line 3 in f'
    )
    assert not outcome.intact


def test_an_exception_that_cannot_travel_is_told_in_words() -> None:
    outcome = Outcome("mpi", 1, (report(0, Raised("Odd", "Traceback: Odd", None), 1),))
    with pytest.raises(WorkerRaised, match="Traceback: Odd"):
        outcome.result()


def test_a_worker_that_calls_exit_does_not_end_the_caller() -> None:
    outcome = Outcome("mpi", 1, (report(0, Raised("SystemExit", "SystemExit: 3", SystemExit(3)), 1),))
    with pytest.raises(WorkerRaised, match="raised SystemExit"):
        outcome.result()


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (3, "exited with code 3 in the middle of the run"),
        (0, "exited with code 0 in the middle of the run"),
        (-signal.SIGSEGV, r"was killed by signal 11 \(SIGSEGV\)"),
        (-signal.SIGBUS, r"(?s)\(SIGBUS\).*shared memory that cannot grow. 1 kB free"),
        (None, "exit status unknown"),
    ],
)
def test_deaths(status: int | None, text: str) -> None:
    outcome = Outcome("mpi", 2, (report(0, Returned(1, 0.1)), report(1, Died(status))), {}, "1 kB free")
    with pytest.raises(WorkerDied, match=text) as caught:
        outcome.result()
    assert caught.value.outcome is outcome
    assert str(caught.value).startswith("mpi: rank 1 ")


def test_a_death_goes_before_the_error_it_caused() -> None:
    broken = Raised("BrokenProcessPool", "Traceback: broken", RuntimeError("broken"))
    outcome = Outcome("executor", 2, (report(0, broken), report(1, Died(-9))))
    with pytest.raises(WorkerDied, match="executor: rank 1 was killed by signal 9"):
        outcome.result()


def test_stacks_keep_what_is_the_users() -> None:
    import threading

    import pytest_parallel_lab.keeper.host as host

    text = (
        "Thread 0x1 (most recent call first):\n"
        f'  File "{threading.__file__}", line 1 in wait\n\n'
        "Current thread 0x2 (most recent call first):\n"
        f'  File "{threading.__file__}", line 2 in wait\n'
        '  File "/home/me/ring.py", line 3 in ring\n'
        f'  File "{host.__file__}", line 4 in execute\n'
    )
    assert users_part(text) == (
        "Current thread 0x2 (most recent call first):\n"
        f'  File "{threading.__file__}", line 2 in wait\n'
        '  File "/home/me/ring.py", line 3 in ring'
    )
