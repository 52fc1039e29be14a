"""Locks of files."""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path
from threading import Barrier

from tests.deadlocks.corpus import FORK, buggy, fixes


def lock_files(first: Path, second: Path, met: Barrier, opened: Barrier) -> None:
    with first.open() as one, second.open() as two:
        opened.wait()
        fcntl.flock(one, fcntl.LOCK_EX)
        met.wait()
        fcntl.flock(two, fcntl.LOCK_EX)


def lock_files_in_turn(first: Path, second: Path, met: Barrier, opened: Barrier) -> None:
    with first.open() as one, second.open() as two:
        opened.wait()
        met.wait()
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(two, fcntl.LOCK_EX)


@buggy(says=("fcntl.flock",), cycle=2)
def two_files() -> str:
    """Two processes lock the same two files in opposite orders."""
    met, opened = FORK.Barrier(2), FORK.Barrier(3)
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder, "a"), Path(folder, "b")
        a.touch()
        b.touch()
        one = FORK.Process(target=lock_files, args=(a, b, met, opened))
        other = FORK.Process(target=lock_files, args=(b, a, met, opened))
        one.start()
        other.start()
        opened.wait()
    one.join()
    other.join()
    return "done"


@fixes(two_files)
def two_files_fixed() -> str:
    """Both processes lock the files in the same order."""
    met, opened = FORK.Barrier(2), FORK.Barrier(3)
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder, "a"), Path(folder, "b")
        a.touch()
        b.touch()
        workers = [FORK.Process(target=lock_files_in_turn, args=(a, b, met, opened)) for _ in range(2)]
        for worker in workers:
            worker.start()
        opened.wait()
    for worker in workers:
        worker.join()
    return "done"


@buggy(says=("fcntl.flock",), cycle=1)
def one_file_opened_twice() -> str:
    """A process locks a file it has opened twice, once for each time."""
    with tempfile.NamedTemporaryFile() as file, open(file.name) as again:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.flock(again, fcntl.LOCK_EX)
    return "done"


@fixes(one_file_opened_twice)
def one_file_opened_twice_fixed() -> str:
    """The process unlocks the file before it locks it again."""
    with tempfile.NamedTemporaryFile() as file, open(file.name) as again:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.flock(file, fcntl.LOCK_UN)
        fcntl.flock(again, fcntl.LOCK_EX)
    return "done"
