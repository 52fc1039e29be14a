"""The bug: documents cut at every ``chunk_size`` bytes, wherever that is.

A word on a cut becomes two, and a character of several bytes becomes none. Nothing fails: there are
only a few words too many, and some that nobody has written.
"""

from __future__ import annotations

from collections import Counter
from multiprocessing.pool import Pool

from cases.word_count.chunks import Chunk, cut_up
from pytest_parallel_lab import implementation
from reference.word_count import Paths, words


@implementation("processes")
def pool_naive_cut(pool: Pool, paths: Paths, chunk_size: int) -> Counter[str]:
    """Count chunks as they were cut."""
    total: Counter[str] = Counter()
    for part in pool.imap_unordered(count_as_cut, cut_up(paths, chunk_size)):
        total.update(part)
    return total


def count_as_cut(chunk: Chunk) -> Counter[str]:
    with open(chunk.path, "rb") as file:
        file.seek(chunk.start)
        data = file.read(chunk.stop - chunk.start)
    return Counter(words(data.decode("utf-8", errors="ignore")))  # "ignore" is what hides it
