"""Map-reduce with a combiner: a worker adds up its own words, and sends each once."""

from __future__ import annotations

from collections import Counter
from multiprocessing.pool import Pool

from cases.word_count.chunks import batches, count, cut_up
from pytest_parallel_lab import implementation
from reference.word_count import Paths

BATCHES_PER_WORKER = 4  # more would balance better, and combine less


@implementation("processes")
def pool_combine(pool: Pool, paths: Paths, chunk_size: int, *, workers: int) -> Counter[str]:
    """Map and combine batches of chunks as workers become free; reduce on the master."""
    tasks = batches(cut_up(paths, chunk_size), BATCHES_PER_WORKER * workers)
    total: Counter[str] = Counter()
    for part in pool.imap_unordered(count, tasks):
        total.update(part)
    return total
