"""Correct programs that look racy: shared data without a lock in sight, or with another one than expected."""

from __future__ import annotations

import os
import tempfile
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from threading import Condition, Lock, Thread, local
from typing import Any

import numpy as np

from tests.races.corpus import FORK, SPAWN, innocent, run_all, together


def publish(flag: Any, data: Any) -> None:
    data.value = 42
    flag.value = 1


def poll(flag: Any, data: Any, seen: Any) -> None:
    while not flag.value:
        time.sleep(0.001)
    seen.value = data.value


@innocent
def flag_polled() -> int:
    """One process polls the flag which another one sets after the data."""
    flag, data, seen = FORK.Value("i", 0), FORK.Value("i", 0), FORK.Value("i", 0)
    run_all(FORK.Process(target=poll, args=(flag, data, seen)), FORK.Process(target=publish, args=(flag, data)))
    return int(seen.value)


@innocent
def flag_polled_by_the_parent() -> int:
    """The parent polls the flag which its child sets after the data."""
    flag, data = FORK.Value("i", 0), FORK.Value("i", 0)
    child = FORK.Process(target=publish, args=(flag, data))
    child.start()
    while not flag.value:
        time.sleep(0.001)
    seen = data.value
    child.join()
    return int(seen)


def publish_locked(flag: Any, data: Any) -> None:
    with flag.get_lock():
        data[:] = [1, 2, 3]
        flag.value = 1


def poll_locked(flag: Any, data: Any, total: Any) -> None:
    while True:
        with flag.get_lock():
            if flag.value:
                break
        time.sleep(0.001)
    total.value = sum(data)


@innocent
def data_under_the_lock_of_the_flag() -> int:
    """The raw data are written with the flag's lock held, and read when the flag was seen with it held."""
    flag, data, total = FORK.Value("i", 0), FORK.RawArray("i", 3), FORK.RawValue("i", 0)
    reader = FORK.Process(target=poll_locked, args=(flag, data, total))
    run_all(reader, FORK.Process(target=publish_locked, args=(flag, data)))
    return int(total.value)


def fill_own_rows(array: Any, rank: int) -> None:
    for row in range(rank, len(array), 2):
        array[row] = row * 10 + rank
        array[row] += 1


@innocent
def disjoint_rows() -> list[list[int]]:
    """Two processes write every other row of one array."""
    block = SharedMemory(create=True, size=4 * 2 * 8)
    array: Any = np.ndarray((4, 2), np.int64, block.buf)
    array[:] = 0
    together(FORK.Process, fill_own_rows, (array, 0), (array, 1))
    rows: list[list[int]] = array.tolist()
    del array
    block.close()
    block.unlink()
    return rows


def double_own(numbers: Any, first: int) -> None:
    for i in range(first, len(numbers), 2):
        numbers[i] = numbers[i] * 2


@innocent
def disjoint_elements() -> list[int]:
    """Two processes double every other element, reading and writing without the lock held."""
    numbers: Any = FORK.Array("i", range(6), lock=False)
    together(FORK.Process, double_own, (numbers, 0), (numbers, 1))
    return list(numbers)


def add_with(lock: Any, total: Any, times: int) -> None:
    for _ in range(times):
        with lock:
            total.value += 1


@innocent
def another_lock() -> int:
    """Both processes hold a lock, which is not the one of the Value."""
    lock, total = FORK.Lock(), FORK.Value("i", 0)
    together(FORK.Process, add_with, (lock, total, 3), (lock, total, 3))
    return int(total.value)


@innocent
def another_lock_spawned() -> int:
    """Two spawned processes hold a lock which is not the one of the Value."""
    lock, total = SPAWN.Lock(), SPAWN.Value("i", 0, lock=False)
    together(SPAWN.Process, add_with, (lock, total, 2), (lock, total, 2))
    return int(total.value)


@innocent
def semaphore_as_a_lock() -> int:
    """A semaphore of one guards a raw value."""
    gate, total = FORK.Semaphore(1), FORK.RawValue("i", 0)
    together(FORK.Process, add_with, (gate, total, 2), (gate, total, 2))
    return int(total.value)


def add_when_free(lock: Any, total: Any) -> None:
    for _ in range(2):
        while not lock.acquire(block=False):
            time.sleep(0.001)
        total.value += 1
        lock.release()


@innocent
def tried_until_taken() -> int:
    """Both processes try to take the lock until they get it."""
    lock, total = FORK.Lock(), FORK.RawValue("i", 0)
    together(FORK.Process, add_when_free, (lock, total), (lock, total))
    return int(total.value)


@innocent
def lock_of_a_manager() -> dict[str, int]:
    """The lock of a manager makes two calls of its dict one step."""
    with FORK.Manager() as manager:
        lock, counts = manager.Lock(), manager.dict(n=0)
        together(FORK.Process, count_once, (lock, counts), (lock, counts))
        return dict(counts)


def count_once(lock: Any, counts: Any) -> None:
    with lock:
        counts["n"] += 1


@innocent
def keys_of_their_own() -> dict[str, int]:
    """Each process changes its own key of a manager's dict."""
    with FORK.Manager() as manager:
        counts = manager.dict(a=0, b=0)
        together(FORK.Process, count_own, (counts, "a"), (counts, "b"))
        return dict(sorted(counts.items()))


def count_own(counts: Any, key: str) -> None:
    for _ in range(2):
        counts[key] += 1


@innocent
def numbers_of_each_thread() -> list[int]:
    """Each thread counts in its own thread-local number."""
    own = local()
    totals = [0, 0]

    def add(rank: int) -> None:
        own.count = 0
        for _ in range(3):
            own.count += 1
        totals[rank] = own.count

    together(Thread, add, (0,), (1,))
    return totals


@innocent
def slots_of_each_thread() -> list[int]:
    """Each thread adds to its own slot of a list."""
    slots = [0, 0]

    def add(rank: int) -> None:
        for number in range(3):
            slots[rank] += number

    together(Thread, add, (0,), (1,))
    return slots


class Stock:
    """Goods on their way between two threads."""

    def __init__(self) -> None:
        self.goods: list[int] = []
        self.changed = Condition()

    def put(self, good: int) -> None:
        """Wait for room and leave one."""
        with self.changed:
            while len(self.goods) >= 1:
                self.changed.wait()
            self.goods.append(good)
            self.changed.notify_all()

    def get(self) -> int:
        """Wait for one and take it."""
        with self.changed:
            while not self.goods:
                self.changed.wait()
            self.changed.notify_all()
            return self.goods.pop()


@innocent
def stock_with_a_while() -> list[int]:
    """Producer and consumer look again whenever they are woken up."""
    stock, got = Stock(), list[int]()

    def produce() -> None:
        for good in range(3):
            stock.put(good)

    def consume() -> None:
        for _ in range(3):
            got.append(stock.get())

    run_all(Thread(target=consume), Thread(target=produce))
    return got


def make_folder(folder: Path, name: str) -> None:
    (folder / "shared" / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "shared" / "deep" / name).touch()


@innocent
def folder_made_by_both() -> list[str]:
    """Both processes make the folder, unless it exists."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        together(FORK.Process, make_folder, (folder, "a"), (folder, "b"))
        return sorted(path.name for path in (folder / "shared" / "deep").iterdir())


def publish_file(path: Path, number: int) -> None:
    new = path.with_suffix(f".{number}")
    new.write_text("complete")
    os.replace(new, path)


@innocent
def file_replaced_while_read() -> list[str]:
    """A file is replaced in one step by each of two processes while the parent reads it."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "file"
        publish_file(path, 0)
        writers = [FORK.Process(target=publish_file, args=(path, number)) for number in (1, 2)]
        for writer in writers:
            writer.start()
        seen = path.read_text()
        for writer in writers:
            writer.join()
        return [seen, path.read_text()]


@innocent
def unlocked_look_before_the_lock() -> int:
    """The look without the lock saves the lock where it can; the look with the lock held decides."""
    made: list[str] = []
    lock = Lock()

    def make() -> None:
        if not made:
            with lock:
                if not made:
                    made.append("table")

    together(Thread, make, (), ())
    return len(made)
