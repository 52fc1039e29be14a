"""A farm of programs: right products on every worker count, and an account of every task that fails."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases.task_farm.compiling import COMPILERS, compile_mmul, find_compiler
from cases.task_farm.mpi_master_worker import mpi_master_worker
from cases.task_farm.pool_imap import pool_imap
from cases.task_farm.process_pills import process_pills
from cases.task_farm.process_pills_lost import process_pills_lost
from cases.task_farm.serial_loop import serial_loop
from cases.task_farm.thread_map import thread_map
from pytest_parallel_lab import Deadlock, name_of
from reference.matmul import matmul_by_definition
from reference.task_farm import (
    CANNOT_RUN,
    Ended,
    Task,
    failures,
    farm,
    product,
    read_product,
    run_task,
    write_problem,
)

PARALLEL = [pool_imap, process_pills, thread_map, mpi_master_worker]
# Rows, inner dimension, columns of each task's matrices: unlike in size, one of them without rows.
SIZES = [(3, 4, 5), (1, 1, 1), (30, 20, 10), (0, 3, 2), (2, 9, 4)]


@pytest.fixture(scope="module")
def mmul(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("mmul"))


def compiled(folder: Path) -> Path:
    compiler = find_compiler()
    if compiler is None:
        pytest.skip(f"task_farm: no C compiler ({', '.join(COMPILERS)}) on the PATH")
    return compile_mmul(compiler, folder)


def make_tasks(folder: Path, sizes: Sequence[tuple[int, int, int]]) -> list[Task]:
    random = np.random.default_rng(1)
    tasks = []
    for number, (m, k, n) in enumerate(sizes):
        source = folder / f"{number}.in"
        write_problem(source, random.standard_normal((m, k)), random.standard_normal((k, n)))
        tasks.append((source, folder / f"{number}.out"))
    return tasks


def make_some_bad(folder: Path) -> tuple[list[Task], list[int]]:
    """Tasks of which some fail, and the numbers of those that do."""
    tasks = make_tasks(folder, [(2, 2, 2)] * 5)
    tasks[1][0].write_text("2 2 2\n1 2 3")  # ends in the middle of the first matrix
    tasks[3][0].write_text("two by two by two")
    return tasks, [1, 3]


def one_after_the_other(tasks: list[Task], program: Path, folder: Path) -> list[Ended]:
    """How the tasks end without a farm, their outputs in a folder of their own."""
    folder.mkdir()
    return farm([(source, folder / target.name) for source, target in tasks], program)


def check_product(task: Task) -> None:
    source, target = task
    np.testing.assert_allclose(read_product(target), product(source), rtol=1e-12, atol=1e-12)


@pytest.mark.parallel_workers(1, 2, 3, 4)
@pytest.mark.parallel_subjects(*PARALLEL)
def test_matches_reference(
    parallel_subject: Any, parallel_run: Any, parallel_workers: int, mmul: Path, tmp_path: Path
) -> None:
    tasks = make_tasks(tmp_path, SIZES)
    ends = parallel_run(parallel_subject, tasks, mmul, workers=parallel_workers)
    assert [tuple(end) for end in ends] == one_after_the_other(tasks, mmul, tmp_path / "alone")
    for task in tasks:
        check_product(task)


@pytest.mark.parallel_workers(1, 2)
@pytest.mark.parallel_subjects(*PARALLEL)
def test_a_failing_task_is_told_and_the_others_are_done(
    parallel_subject: Any, parallel_run: Any, parallel_workers: int, mmul: Path, tmp_path: Path
) -> None:
    tasks, bad = make_some_bad(tmp_path)
    ends = parallel_run(parallel_subject, tasks, mmul, workers=parallel_workers)
    assert [tuple(end) for end in ends] == one_after_the_other(tasks, mmul, tmp_path / "alone")
    assert [number for number, (status, _) in enumerate(ends) if status != 0] == bad
    for number in {0, 1, 2, 3, 4}.difference(bad):
        check_product(tasks[number])


@pytest.mark.parallel_workers(1, 2, 4)
@pytest.mark.parallel_subjects(*PARALLEL)
@pytest.mark.parametrize("count", [0, 1])
def test_fewer_tasks_than_workers(
    parallel_subject: Any, parallel_run: Any, parallel_workers: int, count: int, mmul: Path, tmp_path: Path
) -> None:
    tasks = make_tasks(tmp_path, SIZES[:count])
    ends = parallel_run(parallel_subject, tasks, mmul, workers=parallel_workers)
    assert [tuple(end) for end in ends] == [(0, "")] * count
    for task in tasks:
        check_product(task)


# What cannot work is refused before anything runs


def no_program(tasks: list[Task], program: Path) -> tuple[list[Task], Path]:
    return tasks, program.with_name("nothing")


def no_input(tasks: list[Task], program: Path) -> tuple[list[Task], Path]:
    return [tasks[0], (Path("/nowhere/1.in"), tasks[1][1])], program


def no_folder(tasks: list[Task], program: Path) -> tuple[list[Task], Path]:
    return [tasks[0], (tasks[1][0], tasks[1][1].parent / "nowhere" / "1.out")], program


def same_output(tasks: list[Task], program: Path) -> tuple[list[Task], Path]:
    return [tasks[0], (tasks[1][0], tasks[0][1])], program


@pytest.mark.parametrize("implementation", [serial_loop, *PARALLEL], ids=name_of)
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_program, "there is no program .*nothing: compile it first"),
        (no_input, r"task 1: there is no input file /nowhere/1\.in"),
        (no_folder, "task 1: there is no folder for the output .*: make it first"),
        (same_output, "tasks 0 and 1 both write .*: give each an output of its own"),
    ],
)
def test_what_cannot_work_is_refused(
    implementation: Any,
    spoil: Callable[[list[Task], Path], tuple[list[Task], Path]],
    says: str,
    parallel_run: Any,
    mmul: Path,
    tmp_path: Path,
) -> None:
    workers = 1 if implementation is serial_loop else 2
    with pytest.raises(ValueError, match=says):
        parallel_run(implementation, *spoil(make_tasks(tmp_path, SIZES[:2]), mmul), workers=workers)
    assert list(tmp_path.glob("*.out")) == []


# Programs that end otherwise


@pytest.mark.parametrize("implementation", PARALLEL, ids=name_of)
def test_a_program_that_is_killed(implementation: Any, parallel_run: Any, tmp_path: Path) -> None:
    program = tmp_path / "dies"
    program.write_text("#!/bin/sh\necho out of memory >&2\nkill -KILL $$\n")
    program.chmod(0o755)
    ends = parallel_run(implementation, make_tasks(tmp_path, SIZES[:3]), program, workers=2)
    assert ends == [Ended(-signal.SIGKILL, "out of memory\n")] * 3


@pytest.mark.parametrize("implementation", PARALLEL, ids=name_of)
def test_a_program_that_cannot_be_run(implementation: Any, parallel_run: Any, tmp_path: Path) -> None:
    program = tmp_path / "text"
    program.write_text("not a program")
    ends = parallel_run(implementation, make_tasks(tmp_path, SIZES[:3]), program, workers=2)
    assert [end.status for end in ends] == [CANNOT_RUN] * 3
    assert all("Permission denied" in end.stderr for end in ends)


def test_failures_are_named(mmul: Path, tmp_path: Path) -> None:
    tasks, _ = make_some_bad(tmp_path)
    assert failures(tasks, farm(tasks, mmul)) == [
        f"task 1 ({tasks[1][0]}) ended with status 1: mmul: row 1, column 1 of the first matrix is missing "
        "or not a number",
        f"task 3 ({tasks[3][0]}) ended with status 1: mmul: the input does not begin with three sizes",
    ]
    assert failures(tasks[:1], [Ended(3, "")]) == [f"task 0 ({tasks[0][0]}) ended with status 3: nothing on stderr"]


# Nothing hangs, by luck or not


@pytest.mark.parametrize("implementation", [process_pills, pool_imap], ids=name_of)
def test_every_worker_gets_its_pill(implementation: Any, supervised: Any, mmul: Path, tmp_path: Path) -> None:
    ends = supervised(implementation, make_tasks(tmp_path, SIZES), mmul, workers=3)
    assert ends == [Ended(0, "")] * len(SIZES)


@pytest.mark.parametrize("implementation", [process_pills_lost], ids=name_of)
def test_a_worker_that_raises_is_waited_for_for_ever(
    implementation: Any, supervised: Any, mmul: Path, tmp_path: Path
) -> None:
    tasks, _ = make_some_bad(tmp_path)
    with pytest.raises(Deadlock) as caught:
        supervised(implementation, tasks, mmul, workers=2)
    assert "exited with code 1" in caught.value.verdict.full()
    good = make_tasks(tmp_path, SIZES)
    assert supervised(implementation, good, mmul, workers=2) == [Ended(0, "")] * len(good)


@pytest.mark.parallel_mpi_strict("sends")
@pytest.mark.parametrize("implementation", [mpi_master_worker], ids=name_of)
def test_ranks_do_not_count_on_buffered_sends(
    implementation: Any, parallel_run: Any, mmul: Path, tmp_path: Path
) -> None:
    ends = parallel_run(implementation, make_tasks(tmp_path, SIZES), mmul, workers=3)
    assert ends == [Ended(0, "")] * len(SIZES)


# The program and the reference


def test_the_reference_is_the_definition(tmp_path: Path) -> None:
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    write_problem(tmp_path / "0.in", a, b)
    np.testing.assert_array_equal(product(tmp_path / "0.in"), [[19.0, 22.0], [43.0, 50.0]])  # by hand
    np.testing.assert_array_equal(product(tmp_path / "0.in"), matmul_by_definition(a, b))


def test_no_bit_of_a_number_is_lost(mmul: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "0.in", tmp_path / "0.out"
    numbers = np.array([[0.1, 1 / 3, -5e-324, 1.7976931348623157e308, np.inf]])
    write_problem(source, np.eye(1), numbers)
    assert run_task((source, target), mmul) == Ended(0, "")
    np.testing.assert_array_equal(read_product(target), numbers)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the input does not begin with three sizes"),
        ("1 -1 1", "the sizes 1, -1, 1 are not between 0 and 20000"),
        ("1 1 1\n2", "row 0, column 0 of the second matrix is missing or not a number"),
        ("1 1 1\n2 x", "row 0, column 0 of the second matrix is missing or not a number"),
        ("1 1 1\n2 3 4", "there is more in the input than two matrices of these sizes"),
    ],
)
def test_the_program_says_what_is_wrong(text: str, says: str, mmul: Path, tmp_path: Path) -> None:
    done = subprocess.run([mmul], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"mmul: {says}\n")


def test_without_a_compiler_the_case_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"task_farm: no C compiler \(cc, gcc, clang\) on the PATH"):
        compiled(tmp_path)


@pytest.mark.parametrize("implementation", [serial_loop, pool_imap, process_pills, mpi_master_worker], ids=name_of)
def test_speed(implementation: Any, parallel_run: Any, benchmark: Any, mmul: Path, tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path, [(60, 60, 60)] * 8)
    workers = 1 if implementation is serial_loop else 2
    ends = benchmark(parallel_run, implementation, tasks, mmul, workers=workers)
    assert ends == [Ended(0, "")] * len(tasks)
