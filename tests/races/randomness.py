"""Random numbers: streams that are the same in several workers, and streams shared by them."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np

from tests.races.corpus import FORK, buggy, fixes, together

GENERATOR = np.random.default_rng(2)
DICE = random.Random(1)


def draws_of_two(function: Any, *calls: tuple[Any, ...]) -> list[list[float]]:
    """What two processes draw into their halves of an array."""
    drawn: Any = FORK.Array("d", 6)
    together(FORK.Process, function, *((drawn, rank, *call) for rank, call in enumerate(calls)))
    return [drawn[:3], drawn[3:]]


def draw_numpy(drawn: Any, rank: int) -> None:
    drawn[3 * rank : 3 * rank + 3] = np.random.random(3).tolist()


def draw_from_seed(drawn: Any, rank: int, seed: Any) -> None:
    drawn[3 * rank : 3 * rank + 3] = np.random.default_rng(seed).random(3).tolist()


@buggy("SameStream")
def state_of_numpy_inherited() -> list[list[float]]:
    """Forked processes inherit the state of numpy's global generator."""
    np.random.seed(1)
    return draws_of_two(draw_numpy, (), ())


@fixes(state_of_numpy_inherited)
def state_of_numpy_inherited_fixed() -> list[list[float]]:
    """Each process has a seed of its own, spawned from one."""
    one, two = np.random.SeedSequence(1).spawn(2)
    return draws_of_two(draw_from_seed, (one,), (two,))


def draw_standard(drawn: Any, rank: int) -> None:
    for i in range(3):
        drawn[3 * rank + i] = DICE.random()


def draw_standard_from_seed(drawn: Any, rank: int) -> None:
    own = random.Random(100 + rank)
    for i in range(3):
        drawn[3 * rank + i] = own.random()


@buggy("SameStream")
def dice_inherited() -> list[list[float]]:
    """Forked processes inherit a generator of the standard library; only the one of the module is seeded anew."""
    DICE.seed(1)
    return draws_of_two(draw_standard, (), ())


@fixes(dice_inherited)
def dice_inherited_fixed() -> list[list[float]]:
    """Each process has a generator seeded by its rank."""
    return draws_of_two(draw_standard_from_seed, (), ())


def draw_from_generator(drawn: Any, rank: int) -> None:
    drawn[3 * rank : 3 * rank + 3] = GENERATOR.normal(size=3).tolist()


@buggy("SameStream")
def generator_of_the_module_inherited() -> list[list[float]]:
    """Forked processes inherit the generator of the module."""
    GENERATOR.bit_generator.state = np.random.default_rng(2).bit_generator.state
    return draws_of_two(draw_from_generator, (), ())


@fixes(generator_of_the_module_inherited)
def generator_of_the_module_inherited_fixed() -> list[list[float]]:
    """Each process has a generator made of the seed and of its rank."""
    return draws_of_two(draw_from_seed, ((2, 0),), ((2, 1),))


def draw_seeded_alike(drawn: Any, rank: int) -> None:
    np.random.seed(42)
    drawn[3 * rank : 3 * rank + 3] = np.random.random(3).tolist()


@buggy("SameStream")
def seeded_alike() -> list[list[float]]:
    """Every worker begins with the same seed."""
    return draws_of_two(draw_seeded_alike, (), ())


@fixes(seeded_alike)
def seeded_alike_fixed() -> list[list[float]]:
    """Every worker begins with the seed and its rank."""
    return draws_of_two(draw_from_seed, ((42, 0),), ((42, 1),))


def hits(throws: int) -> int:
    points = np.random.random((throws, 2))
    return int(((points**2).sum(axis=1) < 1).sum())


def hits_from_seed(seed: Any) -> int:
    points = np.random.default_rng(seed).random((100, 2))
    return int(((points**2).sum(axis=1) < 1).sum())


@buggy("SameStream")
def darts_in_a_pool() -> float:
    """The workers of a pool throw the same darts."""
    np.random.seed(3)
    with FORK.Pool(2) as pool:
        return sum(pool.map(hits, [100] * 2, chunksize=1)) / 50


@fixes(darts_in_a_pool)
def darts_in_a_pool_fixed() -> float:
    """Each task has a seed of its own."""
    with FORK.Pool(2) as pool:
        return sum(pool.map(hits_from_seed, np.random.SeedSequence(3).spawn(2), chunksize=1)) / 50


def toss(_: int) -> int:
    return DICE.randrange(1000)


def toss_from_seed(seed: int) -> int:
    return random.Random(seed).randrange(1000)


@buggy("SameStream")
def coins_in_an_executor() -> list[int]:
    """The workers of an executor toss the same coins."""
    DICE.seed(3)
    with ProcessPoolExecutor(2, mp_context=FORK) as processes:
        return list(processes.map(toss, range(4)))


@fixes(coins_in_an_executor)
def coins_in_an_executor_fixed() -> list[int]:
    """Each task is seeded by its number."""
    with ProcessPoolExecutor(2, mp_context=FORK) as processes:
        return list(processes.map(toss_from_seed, range(4)))


def roll(dice: random.Random) -> list[int]:
    rolled = []
    for _ in range(2):
        rolled.append(dice.randrange(1000))
    return rolled


def rolled_by_two(dice: list[random.Random]) -> list[list[int]]:
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(roll, own) for own in dice]
        return [future.result() for future in futures]


@buggy("Race")
def stream_shared_by_threads() -> list[list[int]]:
    """Who draws which number of the stream depends on who comes first."""
    dice = random.Random(5)
    return rolled_by_two([dice, dice])


@fixes(stream_shared_by_threads)
def stream_shared_by_threads_fixed() -> list[list[int]]:
    """Each thread has a stream of its own."""
    return rolled_by_two([random.Random(5), random.Random(6)])


def noise(_: int) -> float:
    return float(GENERATOR.random())


def seed_worker(ranks: Any) -> None:
    global GENERATOR
    GENERATOR = np.random.default_rng([7, ranks.get()])


def noise_from_seed(task: int) -> float:
    return float(np.random.default_rng([7, task]).random())


@buggy("Race")
def stream_of_the_worker() -> list[float]:
    """Each worker has a stream of its own, but which worker does which task is a matter of timing."""
    ranks: Any = FORK.SimpleQueue()
    for rank in range(2):
        ranks.put(rank)
    with FORK.Pool(2, seed_worker, (ranks,)) as pool:
        noises = pool.map(noise, range(3), chunksize=1)
    ranks.close()
    return noises


@fixes(stream_of_the_worker)
def stream_of_the_worker_fixed() -> list[float]:
    """Each task has a stream of its own."""
    with FORK.Pool(2) as pool:
        return pool.map(noise_from_seed, range(3), chunksize=1)
