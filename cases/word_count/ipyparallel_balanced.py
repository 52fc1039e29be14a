"""ipyparallel: batches go to whichever engine is free, and results come back in the order they are done."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cases.word_count.chunks import batches, count, cut_up
from pytest_parallel_lab import implementation
from reference.word_count import Paths

BATCHES_PER_ENGINE = 4  # a task costs a millisecond or two, so not one per chunk


@implementation("ipyparallel")
def ipyparallel_balanced(view: Any, paths: Paths, chunk_size: int) -> Counter[str]:
    """Map and combine on a LoadBalancedView; reduce in the client."""
    tasks = batches(cut_up(paths, chunk_size), BATCHES_PER_ENGINE * len(view))
    balanced = view.client.load_balanced_view(targets=view.targets)
    total: Counter[str] = Counter()
    for part in balanced.map_async(count, tasks, ordered=False):
        total.update(part)
    return total
