"""ipyparallel's two views: equal shares for the integral, batches for whoever is free for the darts."""

from __future__ import annotations

import math
from typing import Any

from pytest_parallel_lab import blocks, implementation
from reference.pi import check_intervals, darts, estimate, heights, hits

_BATCHES_PER_ENGINE = 4


@implementation("ipyparallel")
def ipyparallel_integral(view: Any, intervals: int) -> float:
    """Evaluate one block of midpoints on each engine, through the DirectView."""
    check_intervals(intervals)
    shares = blocks(intervals, len(view))
    starts, stops = [share.start for share in shares], [share.stop for share in shares]
    return math.fsum(view.map_sync(heights, starts, stops, [intervals] * len(shares))) / intervals


@implementation("ipyparallel")
def ipyparallel_monte_carlo(view: Any, samples: int, seed: int, chunk: int) -> float:
    """Throw the darts in batches of chunks, through a LoadBalancedView: the scheduler hands them out."""
    children, lengths = zip(*darts(samples, seed, chunk))
    batch = math.ceil(len(children) / (_BATCHES_PER_ENGINE * len(view)))
    balanced = view.client.load_balanced_view(targets=view.targets)
    return estimate(sum(balanced.map_sync(hits, children, lengths, chunksize=batch)), samples)
