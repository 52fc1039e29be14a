"""ipyparallel: sums by a map, numbers drawn in the engines' namespaces and gathered from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_parallel_lab import implementation
from reference.random_mean import Numbers, Stream, add_chunks, draw, draw_and_add, mean, streams


@implementation("ipyparallel")
def ipyparallel_sums(view: Any, numbers: int, seed: int, chunk: int) -> float:
    """Bring back a sum of every chunk; a DirectView's map sends every engine its share at once."""
    children, lengths = zip(*streams(numbers, seed, chunk))
    return mean(view.map_sync(draw_and_add, children, lengths), numbers)


@implementation("ipyparallel")
def ipyparallel_numbers(view: Any, numbers: int, seed: int, chunk: int) -> float:
    """Draw one array on every engine and gather them; arrays travel as they are, without pickling."""
    view.scatter("chunks", streams(numbers, seed, chunk), block=True)
    view.push({"draw_all": draw_all}, block=True)
    view.execute("drawn = draw_all(chunks)", block=True)
    drawn: Numbers = view.gather("drawn", block=True)
    return mean(add_chunks(drawn, chunk), numbers)


def draw_all(chunks: Sequence[Stream]) -> Numbers:
    """Draw the numbers of several chunks, or of none, into one array."""
    return np.concatenate([np.empty(0), *(draw(*stream) for stream in chunks)])
