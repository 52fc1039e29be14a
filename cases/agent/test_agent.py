"""The Monte-Carlo agent: is the walk the same whoever tries out its paths, and is it a good one?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference.agent
from cases.agent.ipyparallel_push import ipyparallel_push
from cases.agent.mpi_gather import mpi_gather
from cases.agent.pool_map import pool_map
from cases.agent.serial import serial
from reference.agent import ISLAND, Path, Search, World, agent, begin, best, evaluate, finish, follow, parse, realise

PARALLEL = [pool_map, ipyparallel_push, mpi_gather]

# An ordinary search, one with fewer paths than workers, fewer paths than winners, and one that does not move.
SEARCHES = [Search(6, 40, 12, 5), Search(3, 2, 7, 1), Search(4, 3, 5, 10), Search(0, 10, 5, 2)]

SMALL = parse("S.1\n.#.\n3..")


def name_of_search(search: Search) -> str:
    return "-".join(map(str, search))


def best_possible(world: World, moves: int) -> int:
    """The most that any walk of so many moves can take, by trying all cells and sets of rewards that it can reach."""
    rewards = dict(world.rewards)
    states = {(world.start, frozenset[int]())}
    for _ in range(moves):
        after = set(states)
        for cell, taken in states:
            for there in (cell + step for step in world.steps if world.free[cell + step]):
                after.add((there, taken | {there} if there in rewards else taken))
        states = after
    return max(sum(rewards[cell] for cell in taken) for _, taken in states)


@pytest.mark.parallel_workers(1, 2, 3)
@pytest.mark.parametrize("search", SEARCHES, ids=name_of_search)
@pytest.mark.parallel_subjects(PARALLEL)
def test_matches_reference(parallel_subject: Any, search: Search, parallel_run: Any, parallel_workers: int) -> None:
    parallel_run(parallel_subject, parse(ISLAND), search, 7, workers=parallel_workers, reference=agent)


@pytest.mark.parallel_workers(2)
@pytest.mark.parallel_subjects(PARALLEL)
def test_the_seed_decides(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    arguments = parse("........\n....S...\n........"), Search(8, 6, 6, 2)  # nothing to take: chance alone
    walks = [parallel_run(parallel_subject, *arguments, seed, workers=parallel_workers) for seed in (1, 1, 2)]
    assert walks[0] == walks[1] == agent(*arguments, 1)
    assert walks[2] == agent(*arguments, 2) != walks[0]


@pytest.mark.parallel_workers(2)
@pytest.mark.parametrize(
    "search", [Search(-1, 5, 5, 1), Search(2, 0, 5, 1), Search(2, 5, 0, 1), Search(2, 5, 5, 0)], ids=name_of_search
)
@pytest.mark.parallel_subjects(PARALLEL)
def test_searches_that_cannot_be_made_are_refused(
    parallel_subject: Any, search: Search, parallel_run: Any, parallel_workers: int
) -> None:
    with pytest.raises(ValueError, match=r"moves|paths|horizon|winners"):
        parallel_run(parallel_subject, SMALL, search, 1, workers=parallel_workers)


@pytest.mark.parallel_workers(2)
@pytest.mark.parallel_subjects(PARALLEL)
def test_a_negative_seed_is_refused(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    with pytest.raises(ValueError, match=r"seed"):
        parallel_run(parallel_subject, SMALL, SEARCHES[0], -1, workers=parallel_workers)


def test_the_reference_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"cannot search with paths=0: it must be 1 or more"):
        agent(SMALL, Search(2, 0, 5, 1), 1)
    with pytest.raises(ValueError, match=r"starts in 2 places: a map needs exactly one S"):
        parse("S.S")
    with pytest.raises(ValueError, match=r"no cell is written \['x'\]"):
        parse("S.x")


@pytest.mark.parametrize(
    ("world", "moves"),
    [(SMALL, 2), (SMALL, 6), (parse("3..S.2\n.##.#.\n1....5"), 8), (parse("2.S.3\n.#.#.\n4...1"), 7)],
)
def test_takes_the_most_that_can_be_had(world: World, moves: int) -> None:
    """Exhaustive search is the independent source: the agent may not take more, and finds as much in small worlds."""
    walk = agent(world, Search(moves, 1000, moves, 10), 1)
    assert walk.reward == best_possible(world, moves)


def test_never_takes_more_than_there_is_and_stays_out_of_walls() -> None:
    world = parse(ISLAND)
    walk = agent(world, Search(12, 60, 20, 5), 3)
    assert walk.reward <= best_possible(world, 12)
    rows = ISLAND.strip("\n").split("\n")
    assert all(rows[row][column] != "#" for row, column in walk.places)
    assert all(abs(r - y) + abs(c - x) <= 1 for (r, c), (y, x) in zip(walk.places, walk.places[1:]))


def test_a_path_is_worth_what_it_takes_times_the_moves_left() -> None:
    state = begin(SMALL)
    right, down = bytes([3]), bytes([1])
    assert evaluate(SMALL, state, right * 2) == 1 * 1  # taken by the second of two moves
    assert evaluate(SMALL, state, down * 4) == 3 * 3  # taken once, then it stays
    assert evaluate(SMALL, state, right * 2 + down * 2) == 1 * 3
    assert evaluate(SMALL, state, bytes([0]) * 5) == 0  # the border is wall


def test_winners_are_kept_and_the_next_move_is_theirs() -> None:
    search = Search(2, 50, 6, 3)
    state = begin(SMALL)
    winners = best([realise(SMALL, search, 5, state, number) for number in range(50)], search)
    after = follow(SMALL, state, winners)
    assert [path.value for path in winners] == sorted((path.value for path in winners), reverse=True)
    assert after.winners == tuple(path.moves for path in winners)
    again = [realise(SMALL, search, 5, after, number) for number in range(3)]
    assert [path.moves[:-1] for path in again] == [path.moves[1:] for path in winners]
    assert finish(SMALL, after).places[0] == (0, 0)


def test_of_equal_paths_the_lower_number_wins() -> None:
    paths = [Path(1, 2, b""), Path(5, 9, b""), Path(5, 4, b""), Path(1, 0, b"")]
    assert [path.number for path in best(paths, Search(1, 4, 1, 3))] == [4, 9, 0]


def test_paths_have_streams_of_their_own() -> None:
    """A path's generator is the one that SeedSequence.spawn would give it."""
    search = Search(1, 4, 30, 1)
    spawned = np.random.SeedSequence(11).spawn(1)[0].spawn(4)
    expected = [np.random.default_rng(one).integers(4, size=30, dtype=np.uint8).tobytes() for one in spawned]
    assert [realise(SMALL, search, 11, begin(SMALL), number).moves for number in range(4)] == expected


@pytest.mark.benchmark(max_time=0.3)
@pytest.mark.parametrize("search", [Search(5, 400, 40, 10)], ids=name_of_search)
@pytest.mark.parallel_subjects([serial, *PARALLEL])
def test_speed(parallel_subject: Any, search: Search, parallel_run: Any, parallel_workers: int, benchmark: Any) -> None:
    walk = benchmark(parallel_run, parallel_subject, parse(ISLAND), search, 1, workers=parallel_workers)
    assert walk == reference.agent.agent(parse(ISLAND), search, 1)
