"""Programs that depend on the hash of a str, which differs from one interpreter to the next."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from tests.races.corpus import FORK, FORKSERVER, SPAWN, buggy, fixes

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]
LENGTHS = {word: len(word) for word in WORDS}


def length(word: str) -> int:
    return len(word)


@buggy("Race", reference=LENGTHS)
def results_in_the_order_of_a_set() -> dict[str, int]:
    """The tasks come in the order of a set, the results are given to the words in theirs."""
    with FORK.Pool(2) as pool:
        return dict(zip(WORDS, pool.map(length, set(WORDS))))


@fixes(results_in_the_order_of_a_set)
def results_in_the_order_of_a_set_fixed() -> dict[str, int]:
    """Tasks and results are in the order of the words."""
    with FORK.Pool(2) as pool:
        return dict(zip(WORDS, pool.map(length, WORDS)))


@buggy("Race", reference=sorted(WORDS))
def words_in_the_order_of_a_set() -> list[str]:
    """The set is taken for sorted."""
    return list(set(WORDS))


@fixes(words_in_the_order_of_a_set)
def words_in_the_order_of_a_set_fixed() -> list[str]:
    """The set is sorted."""
    return sorted(set(WORDS))


def shard_by_hash(rank: int, words: Any) -> None:
    words.put([word for word in WORDS if hash(word) % 2 == rank])


def shard_by_checksum(rank: int, words: Any) -> None:
    words.put([word for word in WORDS if crc32(word.encode()) % 2 == rank])


def sharded(function: Any) -> list[str]:
    words: Any = SPAWN.SimpleQueue()
    workers = [SPAWN.Process(target=function, args=(rank, words)) for rank in range(2)]
    for worker in workers:
        worker.start()
    found = words.get() + words.get()
    for worker in workers:
        worker.join()
    words.close()
    return sorted(found)


@buggy("Race", reference=sorted(WORDS))
def sharded_by_hash() -> list[str]:
    """Spawned workers hash the same word differently: words are lost, or done twice."""
    return sharded(shard_by_hash)


@fixes(sharded_by_hash)
def sharded_by_hash_fixed() -> list[str]:
    """A checksum is the same everywhere."""
    return sharded(shard_by_checksum)


def find_by_hash(shards: list[list[str]], words: Any) -> None:
    words.put([word for word in WORDS if word in shards[hash(word) % 2]])


def find_by_checksum(shards: list[list[str]], words: Any) -> None:
    words.put([word for word in WORDS if word in shards[crc32(word.encode()) % 2]])


def found_by_child(function: Any, shards: list[list[str]]) -> list[str]:
    words: Any = FORKSERVER.SimpleQueue()
    finder = FORKSERVER.Process(target=function, args=(shards, words))
    finder.start()
    found: list[str] = words.get()
    finder.join()
    words.close()
    return found


@buggy("Race", reference=WORDS)
def found_by_hash() -> list[str]:
    """The fork server, another interpreter, looks for the words in other shards."""
    shards: list[list[str]] = [[], []]
    for word in WORDS:
        shards[hash(word) % 2].append(word)
    return found_by_child(find_by_hash, shards)


@fixes(found_by_hash)
def found_by_hash_fixed() -> list[str]:
    """A checksum is the same everywhere."""
    shards: list[list[str]] = [[], []]
    for word in WORDS:
        shards[crc32(word.encode()) % 2].append(word)
    return found_by_child(find_by_checksum, shards)
