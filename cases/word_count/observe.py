"""Show what a combiner saves, what naive cuts make of a text, and how long each implementation takes.

python -m cases.word_count.observe --words 2000000 --rounds 5

The documents are made of random words, the n-th most frequent of which comes 1/n as often as the first (Zipf's law,
which natural texts follow closely). Times are those of the fastest of the rounds; in each, every implementation has
its turn.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cases.word_count.chunks import batches, count, cut_up
from cases.word_count.ipyparallel_balanced import ipyparallel_balanced
from cases.word_count.mpi_reduce import mpi_reduce
from cases.word_count.pool_combine import BATCHES_PER_WORKER, pool_combine
from cases.word_count.pool_naive_cut import count_as_cut
from cases.word_count.pool_pairs import pairs_of, pool_pairs
from cases.word_count.serial import serial
from pytest_parallel_lab import Lab, name_of
from reference.word_count import word_count

WORKERS = 2
CHUNK_SIZE = 1 << 18
IMPLEMENTATIONS: tuple[tuple[str, Any], ...] = (
    ("serial", serial),
    ("processes", pool_pairs),
    ("processes", pool_combine),
    ("ipyparallel", ipyparallel_balanced),
    ("mpi", mpi_reduce),
)


def write_documents(folder: Path, words: int, documents: int = 8, vocabulary: int = 30_000, seed: int = 1) -> list[str]:
    """Write documents of random words, one in five of them with a letter of two bytes; return their paths.

    Args:
        folder: where to.
        words: in all documents together.
        documents: their number.
        vocabulary: how many different words there are to choose from.
        seed: what the random numbers come from.

    Raises:
        ValueError: fewer words than documents.
    """
    if words < documents:
        raise ValueError(f"{words} words make no {documents} documents: at least one for each is needed")
    random = np.random.default_rng(seed)
    letters = list("etaoinshrdlu") + list("äöé")
    known = ["".join(random.choice(letters, random.integers(2, 10))) for _ in range(vocabulary)]
    weights = 1 / np.arange(1, vocabulary + 1)
    paths = []
    for number in range(documents):
        chosen = random.choice(vocabulary, words // documents, p=weights / weights.sum())
        path = folder / f"{number}.txt"
        path.write_text("\n".join(known[i] for i in chosen) + "\n", "utf-8")
        paths.append(str(path))
    return paths


def travelled(paths: Sequence[str]) -> dict[str, int]:
    """Bytes that come back from the workers, pickled, without and with the combiner."""
    chunks = cut_up(paths, CHUNK_SIZE)
    return {
        "pool_pairs": sum(len(pickle.dumps(pairs_of(chunk))) for chunk in chunks),
        "pool_combine": sum(len(pickle.dumps(count(b))) for b in batches(chunks, BATCHES_PER_WORKER * WORKERS)),
    }


def wrong_by_naive_cut(paths: Sequence[str], right: Counter[str], chunk_size: int) -> tuple[int, int]:
    """Count the words whose number is wrong, and those that nobody has written, where chunks stay as they were cut."""
    naive: Counter[str] = Counter()
    for chunk in cut_up(paths, chunk_size):
        naive.update(count_as_cut(chunk))
    wrong = [word for word in naive.keys() | right.keys() if naive[word] != right[word]]
    return len(wrong), sum(word not in right for word in wrong)


def peak_bytes(counts: Any, paths: Sequence[str]) -> int:
    """The most memory that Python had allocated while a serial count ran."""
    tracemalloc.start()
    try:
        counts(paths, CHUNK_SIZE)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def times(paths: Sequence[str], right: Counter[str], rounds: int) -> dict[str, float]:
    """Seconds of each implementation on two workers in its fastest round; every result is checked.

    Raises:
        ValueError: no rounds.
    """
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}: nothing is timed without at least 1")
    seconds: dict[str, list[float]] = {}
    with Lab() as lab:
        for _ in range(rounds):
            for backend, implementation in IMPLEMENTATIONS:
                lease = lab.lease(backend, 1 if backend == "serial" else WORKERS)
                try:
                    outcome = lease.run(implementation, list(paths), CHUNK_SIZE, timed=True)
                    assert outcome.result() == right
                finally:
                    lease.end()
                seconds.setdefault(name_of(implementation), []).append(outcome.elapsed_s)
    return {name: min(measured) for name, measured in seconds.items()}


def main() -> None:
    """Print what was observed."""
    parser = argparse.ArgumentParser(description="Observe cases/word_count.")
    parser.add_argument("--words", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_documents(Path(folder), options.words)
        right = word_count(paths, CHUNK_SIZE)
        size = sum(Path(path).stat().st_size for path in paths)
        print(f"{len(paths)} documents, {size / 1e6:.1f} MB, {right.total()} words, {len(right)} different ones")
        for name, sent in travelled(paths).items():
            print(f"{name:<22} {sent / 1e6:8.2f} MB come back")
        for counts in (word_count, serial):
            print(f"{name_of(counts):<22} {peak_bytes(counts, paths[:1]) / 1e6:8.2f} MB at most for one document")
        for chunk_size in (100, 10_000, 1_000_000):
            wrong, unwritten = wrong_by_naive_cut(paths, right, chunk_size)
            print(f"cut at every {chunk_size:>8} B: {wrong:6} words counted wrong, {unwritten} never written")
        for name, fastest_s in times(paths, right, options.rounds).items():
            print(f"{name:<22} {1000 * fastest_s:8.1f} ms")


if __name__ == "__main__":
    main()
