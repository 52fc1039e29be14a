"""Map-reduce without a combiner: every single word travels to the master, as the pair (word, 1)."""

from __future__ import annotations

from collections import Counter
from multiprocessing.pool import Pool

from cases.word_count.chunks import Chunk, cut_up, read
from pytest_parallel_lab import implementation
from reference.word_count import Paths, words


@implementation("processes")
def pool_pairs(pool: Pool, paths: Paths, chunk_size: int) -> Counter[str]:
    """Map chunks to pairs on the workers; reduce on the master, which has as much to do as they have."""
    total: Counter[str] = Counter()
    for pairs in pool.imap_unordered(pairs_of, cut_up(paths, chunk_size)):
        for word, times in pairs:
            total[word] += times
    return total


def pairs_of(chunk: Chunk) -> list[tuple[str, int]]:
    return [(word, 1) for word in words(read(chunk))]
