"""A program run on one file after the other, and what it should compute, by NumPy."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Task = tuple[Path, Path]
"""The file that the program reads, and the one that it writes."""

CANNOT_RUN = 126
"""The exit status that a shell gives for a program that is there but cannot be run."""


class Ended(NamedTuple):
    """How a task ended: the program's exit status, or minus the signal that killed it, and what it said on stderr."""

    status: int
    stderr: str


def check_tasks(tasks: Sequence[Task], program: Path) -> None:
    """Refuse a farm that cannot work, before anything runs.

    Raises:
        ValueError: there is no such program or input, an output has no folder, or two tasks write the same file.
    """
    if not program.is_file():
        raise ValueError(f"there is no program {program}: compile it first")
    writers: dict[Path, int] = {}
    for number, (source, target) in enumerate(tasks):
        if not source.is_file():
            raise ValueError(f"task {number}: there is no input file {source}")
        if not target.parent.is_dir():
            raise ValueError(f"task {number}: there is no folder for the output {target}: make it first")
        before = writers.setdefault(target.resolve(), number)
        if before != number:
            raise ValueError(f"tasks {before} and {number} both write {target}: give each an output of its own")


def run_task(task: Task, program: Path) -> Ended:
    """Run ``program < in > out`` and tell how it ended."""
    source, target = task
    try:
        with open(source, "rb") as standard_in, open(target, "wb") as standard_out:
            done = subprocess.run(
                [program], stdin=standard_in, stdout=standard_out, stderr=subprocess.PIPE, text=True, errors="replace"
            )
    except OSError as error:
        return Ended(CANNOT_RUN, str(error))
    return Ended(done.returncode, done.stderr)


def farm(tasks: Sequence[Task], program: Path) -> list[Ended]:
    """Run one task after the other.

    Returns:
        How each ended, in the order of the tasks.
    """
    check_tasks(tasks, program)
    return [run_task(task, program) for task in tasks]


def failures(tasks: Sequence[Task], ends: Sequence[Ended]) -> list[str]:
    """Name every task that failed, with its exit status and what its program said."""
    return [
        f"task {number} ({source}) ended with status {status}: {stderr.strip() or 'nothing on stderr'}"
        for number, ((source, _), (status, stderr)) in enumerate(zip(tasks, ends))
        if status != 0
    ]


def write_problem(path: Path, a: Matrix, b: Matrix) -> None:
    """Write two matrices, shapes (m, k) and (k, n), as mmul reads them; ``repr`` keeps every bit of a double."""
    (m, k), n = a.shape, b.shape[1]
    rows = [" ".join(map(repr, row)) for matrix in (a, b) for row in matrix.tolist()]
    path.write_text("\n".join([f"{m} {k} {n}", *rows, ""]))


def read_problem(path: Path) -> tuple[Matrix, Matrix]:
    """Read two matrices back."""
    m, k, n, *numbers = path.read_text().split()
    size = int(m) * int(k)
    values = np.array(numbers, dtype=float)
    return values[:size].reshape(int(m), int(k)), values[size:].reshape(int(k), int(n))


def read_product(path: Path) -> Matrix:
    """Read what mmul has written."""
    m, n, *numbers = path.read_text().split()
    return np.array(numbers, dtype=float).reshape(int(m), int(n))


def product(path: Path) -> Matrix:
    """Multiply the two matrices of an input file with NumPy."""
    a, b = read_problem(path)
    result: Matrix = a @ b
    return result
