"""Pi, serial: the integral of 4/(1+x²) over [0, 1] by the midpoint rule, and a Monte Carlo estimate."""

from __future__ import annotations

import numpy as np

from reference.random_mean import CHUNK, Stream, streams

_PIECE = 1 << 15  # midpoints evaluated at a time: their arrays stay in a core's cache


def check_intervals(intervals: int) -> None:
    """Refuse a number of intervals that the midpoint rule cannot have.

    Raises:
        ValueError: fewer than one.
    """
    if intervals < 1:
        raise ValueError(f"intervals={intervals}: the midpoint rule needs at least 1 interval")


def heights(first: int, last: int, intervals: int) -> float:
    """Add up 4/(1+x²) at the midpoints of the intervals ``first`` to ``last`` - 1, of ``intervals`` in [0, 1]."""
    total = 0.0
    for start in range(first, last, _PIECE):
        x = np.arange(start, min(start + _PIECE, last), dtype=np.float64)
        x += 0.5
        x /= intervals
        x *= x
        x += 1.0
        np.divide(4.0, x, out=x)
        total += float(x.sum())
    return total


def integral(intervals: int) -> float:
    """Integrate 4/(1+x²) over [0, 1] by the midpoint rule.

    Args:
        intervals: into how many equal ones [0, 1] is cut.

    Returns:
        Pi with an error of about 1/(12 intervals²), until rounding takes over at some 1e-15.

    Raises:
        ValueError: fewer than one interval.
    """
    check_intervals(intervals)
    return heights(0, intervals, intervals) / intervals


def darts(samples: int, seed: int, chunk: int = CHUNK) -> list[Stream]:
    """Cut ``samples`` darts into chunks, each with a random stream of its own.

    Raises:
        ValueError: no sample, an empty chunk or a negative seed.
    """
    if samples < 1:
        raise ValueError(f"samples={samples}: throw at least 1 dart")
    return streams(samples, seed, chunk)


def hits(child: np.random.SeedSequence, length: int) -> int:
    """Throw ``length`` darts at the unit square and count those in the quarter of the unit circle."""
    points = np.random.default_rng(child).random((2, length))
    points *= points
    return int(np.count_nonzero(points[0] + points[1] < 1.0))


def estimate(inside: int, samples: int) -> float:
    """Pi from the share of the darts that are inside."""
    return 4.0 * inside / samples


def monte_carlo(samples: int, seed: int, chunk: int = CHUNK) -> float:
    """Estimate pi by darts.

    Args:
        samples: how many darts.
        seed: what their streams are spawned from.
        chunk: how many darts share a stream.

    Returns:
        Pi with a standard error of sqrt(pi (4 - pi) / samples), about 1.64/sqrt(samples).

    Raises:
        ValueError: no sample, an empty chunk or a negative seed.
    """
    return estimate(sum(hits(child, length) for child, length in darts(samples, seed, chunk)), samples)
