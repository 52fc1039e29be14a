"""``Value``: one number in shared memory, with a lock of its own that has to be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Process, Value
from multiprocessing.sharedctypes import Synchronized

from cases.processes.fork_join import run_all
from reference.processes import shares, square


def shared_value(numbers: Sequence[int], workers: int) -> int:
    """Add up the squares: every worker adds its part once, under the lock."""
    total: Synchronized[int] = Value("q", 0)
    run_all([Process(target=_add, args=(total, share)) for share in shares(numbers, workers)])
    return total.value


def _add(total: Synchronized[int], numbers: Sequence[int]) -> None:
    part = sum(map(square, numbers))
    with total.get_lock():  # += reads, adds and writes: the lock keeps others out meanwhile
        total.value += part
