"""The list that stays empty: each process appends to a copy of its own. Threads share it."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Process
from threading import Thread

from cases.processes.fork_join import run_all
from reference.processes import shares, square


def list_in_processes(numbers: Sequence[int], workers: int) -> list[int]:
    """Let processes append to a list. Wrong: what they append to is not this list."""
    found: list[int] = []
    run_all([Process(target=_append_squares, args=(found, share)) for share in shares(numbers, workers)])
    return sorted(found)


def list_in_threads(numbers: Sequence[int], workers: int) -> list[int]:
    """Let threads append to a list: there is one list."""
    found: list[int] = []
    threads = [Thread(target=_append_squares, args=(found, share)) for share in shares(numbers, workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def _append_squares(found: list[int], numbers: Sequence[int]) -> None:
    for number in numbers:
        found.append(square(number))
    if len(found) < len(numbers):  # each worker does see what it has appended itself
        raise RuntimeError(f"appended {len(numbers)} squares, found {len(found)}")
