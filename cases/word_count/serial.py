"""Chunk after chunk in one process: what all others are measured against."""

from __future__ import annotations

from collections import Counter

from cases.word_count.chunks import count, cut_up
from pytest_parallel_lab import implementation
from reference.word_count import Paths


@implementation("serial")
def serial(paths: Paths, chunk_size: int) -> Counter[str]:
    """Count with one chunk in memory at a time."""
    return count(cut_up(paths, chunk_size))
