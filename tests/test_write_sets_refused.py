"""Tasks and arrays whose writes cannot be found: each is told with its reason."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import BadSetting, CannotSend, Deadlock, Lab, ParallelError, TimedOut, WorkerDied, WorkerRaised
from tests.conftest import wait_until_gone
from tests.rows import Array, fill_rows

SHAPE = (16, 64)
HALVES = [(0, 8), (8, 16)]


@pytest.fixture(scope="module")
def one_lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


BAD: list[tuple[Any, Any, Any, str]] = [
    (fill_rows, [], np.empty(3), "no tasks; give the arguments of at least one"),
    (fill_rows, [0], [0.0] * 3, "out must be a NumPy array .*, not list"),
    (fill_rows, [0], np.empty((0, 64)), r"out has shape \(0, 64\) and dtype float64: there is no element"),
    (fill_rows, [0], np.empty(()), r"out has shape \(\) and dtype float64: there is no element"),
    (fill_rows, [0], np.empty(3, object), "out has dtype object: Python objects cannot be shared between processes"),
    (fill_rows, [0], np.empty(3, [("a", object)]), "Python objects cannot be shared between processes"),
    (fill_rows, [0], np.empty(SHAPE)[:, ::2], r"out is not contiguous \(shape \(16, 32\), strides \(512, 16\) bytes\)"),
    (HALVES, fill_rows, np.empty(3), r"is not a function; the first argument is called as task\(out, \*args\)"),
]


@pytest.mark.parametrize(("task", "tasks", "out", "text"), BAD)
def test_what_cannot_be_measured(one_lab: Lab, task: Any, tasks: Any, out: Any, text: str) -> None:
    with pytest.raises(BadSetting, match=rf"^write_sets.*: .*{text}"):
        one_lab.write_sets(task, tasks, out=out)


def test_an_unknown_choice_for_holes(one_lab: Lab) -> None:
    with pytest.raises(
        BadSetting, match=r"write_sets\(fill_rows\): holes: unknown choice 'allowed'; did you mean 'allow'"
    ):
        one_lab.write_sets(fill_rows, HALVES, out=np.empty(SHAPE), holes="allowed")


def test_a_task_that_raises(one_lab: Lab) -> None:
    with pytest.raises(IndexError, match="index 16 is out of bounds") as caught:
        one_lab.write_sets(fill_rows, [(0, 8), (8, 17)], out=np.empty(SHAPE))
    told = str(caught.value.__cause__)
    assert told.startswith("write_sets: fill_rows with (8, 17), alone, each byte of out 0xAA: task 1 raised IndexError")
    assert "### task 1 of 2 on" in told
    assert "in fill_rows" in told
    assert "explore/write_sets" not in told


def test_a_task_that_raises_only_with_the_second_sentinel(one_lab: Lab) -> None:
    with pytest.raises(WorkerRaised) as caught:
        one_lab.write_sets(_exit_where_positive, [0], out=np.empty((1, 1), np.int8))
    assert "each byte of out 0x55: task 0 raised SystemExit" in str(caught.value)


def _exit_where_positive(out: Array, row: int) -> None:
    if out[row, 0] > 0:
        sys.exit(3)


def test_an_exception_that_cannot_travel(one_lab: Lab) -> None:
    def odd(out: Array, row: int) -> None:
        error = ValueError("holds a lock")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(WorkerRaised, match="ValueError: holds a lock"):
        one_lab.write_sets(odd, [0], out=np.empty(1))


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), r"was killed by signal 9 \(SIGKILL\)"),
        (lambda: os._exit(0), "exited with code 0"),
    ],
)
def test_a_task_that_dies(one_lab: Lab, end: Callable[[], None], how: str) -> None:
    def die(out: Array, row: int) -> None:
        out[row] = 1.0
        if row == 1:
            end()

    with pytest.raises(WorkerDied, match=rf"die with \(1\), alone, .*: task 1 {how} in the middle of the run"):
        one_lab.write_sets(die, [0, 1], out=np.empty(2))


def test_a_task_that_dies_and_leaves_a_process_behind(one_lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "pid"

    def die(out: Array, row: int) -> None:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        path.write_text(str(pid))
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerDied, match="SIGKILL"):
        one_lab.write_sets(die, [0], out=np.empty(1))
    assert wait_until_gone([int(path.read_text())]) == []


def test_a_task_that_hangs(one_lab: Lab) -> None:
    def hang(out: Array, row: int) -> None:
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    def spin(out: Array, row: int) -> None:
        while True:
            pass

    with pytest.raises(Deadlock, match=r"process 2 \(task 0 \(7\)\) waits for"):
        one_lab.write_sets(hang, [7], out=np.empty(1))
    with pytest.raises(TimedOut, match=r"limit of 0.3 s has passed"):
        one_lab.write_sets(spin, [0], out=np.empty(1), limit_s=0.3)


def test_a_task_that_resizes_or_reshapes_out(one_lab: Lab) -> None:
    def resize(out: Array, rows: int) -> None:
        out.resize((rows, 2), refcheck=False)

    def reshape(out: Array, rows: int) -> None:
        out.shape = (-1,)

    with pytest.raises(ValueError, match="does not own its data"):
        one_lab.write_sets(resize, [4], out=np.empty((2, 2)))
    with pytest.raises(ParallelError, match=r"made out, of shape \(2, 2\) and dtype float64, one of shape \(4,\)"):
        one_lab.write_sets(reshape, [4], out=np.empty((2, 2)))


def test_what_cannot_be_sent_is_named(one_lab: Lab) -> None:
    with pytest.raises(CannotSend, match=r"argument 2 of fill_rows \(lock\) cannot be sent"):
        one_lab.write_sets(fill_rows, [(0, 1), (0, threading.Lock())], out=np.empty(SHAPE))
