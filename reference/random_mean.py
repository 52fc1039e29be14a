"""The mean of many uniform random numbers, serial; and how its random streams are cut up.

The numbers are drawn in chunks of fixed length, and every chunk has a stream of its own, spawned from
one seed. So which numbers there are depends on the seed and the length of a chunk, and not on who
draws them: any number of workers gets the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

CHUNK = 1 << 16  # half a megabyte of doubles: stays in a core's cache between drawing and adding
Numbers = npt.NDArray[np.float64]
Stream = tuple[np.random.SeedSequence, int]


def streams(numbers: int, seed: int, chunk: int = CHUNK) -> list[Stream]:
    """Cut ``numbers`` draws into chunks, each with a seed of its own.

    Args:
        numbers: how many are drawn in all.
        seed: what all seeds are spawned from.
        chunk: how many numbers a chunk has; the last one has what is left.

    Returns:
        For every chunk its seed and its length.

    Raises:
        ValueError: there is nothing to draw, a chunk holds nothing, or the seed is negative.

    Source: "Parallel random number generation" in NumPy's manual, ``SeedSequence.spawn``. We differ in that
        streams belong to chunks of numbers, and not to workers.
    """
    if numbers < 1:
        raise ValueError(f"numbers={numbers}: there is no mean of no numbers; draw at least 1")
    if chunk < 1:
        raise ValueError(f"chunk={chunk}: a chunk holds at least 1 number")
    if seed < 0:
        raise ValueError(f"seed={seed}: a seed is a whole number of at least 0")
    starts = range(0, numbers, chunk)
    children = np.random.SeedSequence(seed).spawn(len(starts))
    return [(child, min(chunk, numbers - start)) for child, start in zip(children, starts)]


def draw(child: np.random.SeedSequence, length: int) -> Numbers:
    """Draw a chunk's numbers, uniform in [0, 1)."""
    return np.random.default_rng(child).random(length)


def draw_and_add(child: np.random.SeedSequence, length: int) -> float:
    """Draw a chunk's numbers and return their sum only."""
    return float(draw(child, length).sum())


def add_chunks(numbers: Numbers, chunk: int) -> list[float]:
    """Add up numbers that are already there, chunk by chunk as ``draw_and_add`` does."""
    return [float(numbers[start : start + chunk].sum()) for start in range(0, len(numbers), chunk)]


def mean(sums: Iterable[float], numbers: int) -> float:
    """Return the mean of all numbers from the sums of the chunks.

    ``fsum`` rounds once, at the end: the result is the same in whatever order the sums come.
    """
    return math.fsum(sums) / numbers


def random_mean(numbers: int, seed: int, chunk: int = CHUNK) -> float:
    """Draw random numbers and return their mean.

    Args:
        numbers: how many.
        seed: what their streams are spawned from.
        chunk: how many numbers share a stream.
    """
    return mean((draw_and_add(child, length) for child, length in streams(numbers, seed, chunk)), numbers)
