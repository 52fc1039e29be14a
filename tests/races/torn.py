"""Data of several words, seen half written."""

from __future__ import annotations

import time
from ctypes import Structure, c_int
from multiprocessing.shared_memory import SharedMemory
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, run_all


class Point(Structure):
    """A point of the diagonal."""

    _fields_ = (("x", c_int), ("y", c_int))


def move(point: Any) -> None:
    for _ in range(3):
        point.x += 1
        point.y += 1


def move_with(lock: Any, point: Any) -> None:
    for _ in range(3):
        with lock:
            point.x += 1
            point.y += 1


@buggy("Race")
def structure_in_a_value() -> bool:
    """The parent looks at a point which its child moves."""
    point: Any = FORK.Value(Point, 0, 0)
    mover = FORK.Process(target=move, args=(point,))
    mover.start()
    on_diagonal = point.x == point.y
    mover.join()
    return bool(on_diagonal)


@fixes(structure_in_a_value)
def structure_in_a_value_fixed() -> bool:
    """The point is moved and looked at with its lock held."""
    point: Any = FORK.Value(Point, 0, 0)
    mover = FORK.Process(target=move_with, args=(point.get_lock(), point))
    mover.start()
    with point.get_lock():
        on_diagonal = point.x == point.y
    mover.join()
    return bool(on_diagonal)


def look(point: Any, same: Any) -> None:
    same.value = point.x == point.y


def look_with(lock: Any, point: Any, same: Any) -> None:
    with lock:
        look(point, same)


@buggy("Race")
def structure_in_a_raw_value() -> bool:
    """One process looks at a point which another one moves."""
    point, same = FORK.RawValue(Point, 0, 0), FORK.RawValue("b", 0)
    run_all(FORK.Process(target=move, args=(point,)), FORK.Process(target=look, args=(point, same)))
    return bool(same.value)


@fixes(structure_in_a_raw_value)
def structure_in_a_raw_value_fixed() -> bool:
    """Both processes hold the lock which stands beside the point."""
    point, same = FORK.RawValue(Point, 0, 0), FORK.RawValue("b", 0)
    lock = FORK.Lock()
    mover = FORK.Process(target=move_with, args=(lock, point))
    run_all(mover, FORK.Process(target=look_with, args=(lock, point, same)))
    return bool(same.value)


def slide(low: Any, high: Any) -> None:
    low.value += 10
    high.value += 10


def slide_locked(low: Any, high: Any) -> None:
    with low.get_lock():
        slide(low, high)


@buggy("Race")
def window_of_two_values() -> int:
    """The width of a window, read while its bounds move."""
    low, high = FORK.Value("i", 0), FORK.Value("i", 5)
    slider = FORK.Process(target=slide, args=(low, high))
    slider.start()
    width = high.value - low.value
    slider.join()
    return int(width)


@fixes(window_of_two_values)
def window_of_two_values_fixed() -> int:
    """The lock of the lower bound guards both."""
    low, high = FORK.Value("i", 0), FORK.Value("i", 5)
    slider = FORK.Process(target=slide_locked, args=(low, high))
    slider.start()
    with low.get_lock():
        width = high.value - low.value
    slider.join()
    return int(width)


def write_message(block: Any, text: bytes) -> None:
    block.buf[0] = len(text)
    block.buf[1 : 1 + len(text)] = text


def write_message_with(lock: Any, block: Any, text: bytes) -> None:
    with lock:
        write_message(block, text)


def read_message(block: Any) -> bytes:
    length = block.buf[0]
    return bytes(block.buf[1 : 1 + length])


@buggy("Race")
def message_in_a_block() -> bool:
    """The length belongs to the new message, the text to the old one."""
    block = SharedMemory(create=True, size=16)
    write_message(block, b"first")
    writer = FORK.Process(target=write_message, args=(block, b"2nd"))
    writer.start()
    seen = read_message(block)
    writer.join()
    block.close()
    block.unlink()
    return seen in (b"first", b"2nd")


@fixes(message_in_a_block)
def message_in_a_block_fixed() -> bool:
    """The message is written and read with a lock held."""
    block, lock = SharedMemory(create=True, size=16), FORK.Lock()
    write_message(block, b"first")
    writer = FORK.Process(target=write_message_with, args=(lock, block, b"2nd"))
    writer.start()
    with lock:
        seen = read_message(block)
    writer.join()
    block.close()
    block.unlink()
    return seen in (b"first", b"2nd")


def publish_early(ready: Any, data: Any) -> None:
    ready.value = 1
    data.value = 42


def publish_late(ready: Any, data: Any) -> None:
    data.value = 42
    ready.value = 1


def await_data(ready: Any, data: Any) -> int:
    while not ready.value:
        time.sleep(0.001)
    return int(data.value)


def published(publish: Any) -> int:
    ready, data = FORK.Value("i", 0), FORK.Value("i", 0)
    publisher = FORK.Process(target=publish, args=(ready, data))
    publisher.start()
    seen = await_data(ready, data)
    publisher.join()
    return seen


@buggy("Race")
def flag_before_data() -> int:
    """The flag says that the data are there before they are."""
    return published(publish_early)


@fixes(flag_before_data)
def flag_before_data_fixed() -> int:
    """The flag is set after the data are written."""
    return published(publish_late)


def fill(array: Any, number: int) -> None:
    for i in range(len(array)):
        array[i] = number


def fill_at_once(array: Any, number: int) -> None:
    array[:] = [number] * len(array)


def uniform_while_filled(function: Any) -> bool:
    array: Any = FORK.Array("i", [1] * 4)
    writer = FORK.Process(target=function, args=(array, 2))
    writer.start()
    seen = array[:]
    writer.join()
    return len(set(seen)) == 1


@buggy("Race")
def array_filled_one_by_one() -> bool:
    """The elements are written one after the other and read all together."""
    return uniform_while_filled(fill)


@fixes(array_filled_one_by_one)
def array_filled_one_by_one_fixed() -> bool:
    """All elements are written under one hold of the array's lock."""
    return uniform_while_filled(fill_at_once)


def write_versioned(version: Any, pair: Any) -> None:
    for number in (1, 2):
        version.value += 1
        pair[0] = number
        pair[1] = -number
        version.value += 1


def read_whatever(version: Any, pair: Any) -> tuple[int, int]:
    while version.value % 2:
        time.sleep(0.001)
    return pair[0], pair[1]


def read_stable(version: Any, pair: Any) -> tuple[int, int]:
    while True:
        before = version.value
        a, b = pair[0], pair[1]
        if before % 2 == 0 and version.value == before:
            return a, b
        time.sleep(0.001)


def sum_of_the_pair(read: Any) -> int:
    version, pair = FORK.Value("i", 0), FORK.Array("i", 2)
    writer = FORK.Process(target=write_versioned, args=(version, pair))
    writer.start()
    a, b = read(version, pair)
    writer.join()
    return int(a + b)


@buggy("Race")
def sequence_lock_without_retry() -> int:
    """The reader does not look whether the version changed while it read."""
    return sum_of_the_pair(read_whatever)


@fixes(sequence_lock_without_retry)
def sequence_lock_without_retry_fixed() -> int:
    """The reader reads again where the version changed."""
    return sum_of_the_pair(read_stable)
