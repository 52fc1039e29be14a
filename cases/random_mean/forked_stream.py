"""Processes that inherit one generator, and the repair: streams spawned from a seed.

A forked process is a copy of its parent, and so is the state of every generator in it: all workers
draw the same numbers. The mean looks right, and is that of far fewer numbers than one thinks.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_parallel_lab import blocks
from reference.random_mean import Stream, draw_and_add, mean, streams


def forked_stream(numbers: int, seed: int, workers: int) -> float:
    """Draw by NumPy's global generator, seeded once in the parent. Wrong: all workers draw the same."""
    np.random.seed(seed)
    sums = multiprocessing.get_context("fork").Array("d", workers)
    lengths = [block.stop - block.start for block in blocks(numbers, workers)]
    _fork_and_join(_draw_inherited, [(sums, worker, length) for worker, length in enumerate(lengths)])
    return mean(sums[:], numbers)


def _draw_inherited(sums: Any, worker: int, length: int) -> None:
    sums[worker] = float(np.random.random(length).sum())


def spawned_streams(numbers: int, seed: int, chunk: int, workers: int) -> float:
    """Give every chunk of numbers a stream of its own, spawned from the seed. Right."""
    chunks = streams(numbers, seed, chunk)
    sums = multiprocessing.get_context("fork").Array("d", len(chunks))
    _fork_and_join(_draw_spawned, [(sums, block.start, chunks[block]) for block in blocks(len(chunks), workers)])
    return mean(sums[:], numbers)


def _draw_spawned(sums: Any, first: int, chunks: Sequence[Stream]) -> None:
    for index, stream in enumerate(chunks, first):
        sums[index] = draw_and_add(*stream)


def _fork_and_join(function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=function, args=call) for call in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
