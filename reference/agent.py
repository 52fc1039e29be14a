"""A Monte-Carlo agent, serial: before every move it tries out random paths, and takes the first step of the best.

The world is a map of characters: ``#`` is a wall, ``.`` is free, ``S`` is where the agent starts, and a digit 1 to 9
is a reward, taken by the first visit. Beyond the map all is wall. A move goes up, down, left or right by one cell; a
move into a wall stays where it is and costs a move like any other.

A path is ``horizon`` moves from where the agent is. Its value is the sum over the rewards that it takes, each times
the moves that are left when it does so: early is better than late, and all is integer arithmetic, exact in any order.
The best paths, the winners, are kept. In the next step, each of them goes on without its first move and with a random
one at its end; every other path begins like one of the winners, up to a random point, and is random from there.

A path's random numbers belong to the path, not to who computes it: its generator is seeded by the seed, the step and
the path's number. So the walk is the same whoever realises which paths, and a path can be realised again anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ISLAND = """
S..#....3......#....
...#...##......#.5..
.#.....#...1.......#
.#..2..#.......#....
.####..####.####..7.
....................
..1..#.......#...#..
.....#..9....#.4.#..
##.###.......#####..
......6.............
"""


@dataclass(frozen=True)
class World:
    """A map with a border of walls; cells are numbered row by row, the border included.

    Attributes:
        columns: of the map and its border.
        free: whether each cell can be entered.
        rewards: (cell, reward) of each reward.
        start: the cell where the agent starts.
    """

    columns: int
    free: tuple[bool, ...]
    rewards: tuple[tuple[int, int], ...]
    start: int

    @property
    def steps(self) -> tuple[int, int, int, int]:
        """What up, down, left and right add to a cell's number."""
        return -self.columns, self.columns, -1, 1

    def place(self, cell: int) -> tuple[int, int]:
        """Row and column of a cell in the map without its border."""
        row, column = divmod(cell, self.columns)
        return row - 1, column - 1


def parse(text: str) -> World:
    """Read a map.

    Args:
        text: one line per row; lines may end early, what is missing is wall.

    Raises:
        ValueError: an unknown character, or not exactly one start.
    """
    lines = text.strip("\n").split("\n")
    columns = max(map(len, lines)) + 2
    border = "#" * columns
    cells = "".join([border, *(f"#{line.ljust(columns - 2, '#')}#" for line in lines), border])
    unknown = set(cells) - set("#.S123456789")
    if unknown:
        raise ValueError(f"no cell is written {sorted(unknown)}: a map is made of # . S and the digits 1 to 9")
    if cells.count("S") != 1:
        raise ValueError(f"the agent starts in {cells.count('S')} places: a map needs exactly one S")
    rewards = tuple((cell, int(what)) for cell, what in enumerate(cells) if what.isdigit())
    return World(columns, tuple(what != "#" for what in cells), rewards, cells.index("S"))


class Search(NamedTuple):
    """How the agent searches.

    Attributes:
        moves: that it makes in all.
        paths: tried before each move.
        horizon: moves in a path.
        winners: kept for the next step.
    """

    moves: int
    paths: int
    horizon: int
    winners: int


class Walk(NamedTuple):
    """What the agent did: the places it was in, the start included, and the sum of the rewards it took."""

    places: tuple[tuple[int, int], ...]
    reward: int


class Path(NamedTuple):
    """A realised path: its value, its number in its step, and its moves, one byte each."""

    value: int
    number: int
    moves: bytes


class State(NamedTuple):
    """Between two moves: cells visited so far, rewards that are left, and the winners of the last step."""

    cells: tuple[int, ...]
    rewards: dict[int, int]
    winners: tuple[bytes, ...]


def check(search: Search, seed: int) -> None:
    """Refuse a search that cannot be made; no moves are fine.

    Raises:
        ValueError: fewer than 0 moves, no paths, no horizon or no winners, or a negative seed.
    """
    if seed < 0:
        raise ValueError(f"seed={seed}: a seed is a whole number of at least 0")
    if search.moves < 0:
        raise ValueError(f"the agent cannot make {search.moves} moves: moves must be 0 or more")
    for name in ("paths", "horizon", "winners"):
        if getattr(search, name) < 1:
            raise ValueError(f"the agent cannot search with {name}={getattr(search, name)}: it must be 1 or more")


def agent(world: World, search: Search, seed: int) -> Walk:
    """Walk through the world.

    Args:
        world: as ``parse`` gives it.
        search: how to search.
        seed: what all random numbers come from, 0 or more.

    Returns:
        The walk, with ``moves`` + 1 places.

    Raises:
        ValueError: as ``check`` says.
    """
    check(search, seed)
    state = begin(world)
    for _ in range(search.moves):
        state = follow(world, state, best(realise_all(world, search, seed, state, range(search.paths)), search))
    return finish(world, state)


def begin(world: World) -> State:
    """The state before the first move."""
    return State((world.start,), dict(world.rewards), ())


def realise_all(world: World, search: Search, seed: int, state: State, numbers: Iterable[int]) -> list[Path]:
    """Realise and evaluate some of a step's paths."""
    return [realise(world, search, seed, state, number) for number in numbers]


def realise(world: World, search: Search, seed: int, state: State, number: int) -> Path:
    """Realise and evaluate one path.

    Args:
        world: as ``parse`` gives it.
        search: how to search.
        seed: of the whole walk.
        state: where the path begins.
        number: of the path in this step, from 0.
    """
    step = len(state.cells) - 1
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(step, number)))
    moves = random.integers(4, size=search.horizon, dtype=np.uint8).tobytes()
    if state.winners:
        parent = state.winners[number % len(state.winners)][1:]
        kept = len(parent) if number < len(state.winners) else int(random.integers(len(parent) + 1))
        moves = parent[:kept] + moves[kept:]
    return Path(evaluate(world, state, moves), number, moves)


def evaluate(world: World, state: State, moves: bytes) -> int:
    """The value of moves from a state: the sum of each reward taken times the moves left when it is."""
    free, steps, rewards = world.free, world.steps, state.rewards
    cell, value = state.cells[-1], 0
    taken = set()
    left = len(moves)
    for move in moves:
        there = cell + steps[move]
        if free[there]:
            cell = there
            if cell in rewards and cell not in taken:
                taken.add(cell)
                value += rewards[cell] * left
        left -= 1
    return value


def best(paths: Iterable[Path], search: Search) -> list[Path]:
    """The winners among paths, best first; of equal values the lower number is the better.

    The best of all paths are the best of the best of any parts, so each worker may choose among its own first.
    """
    return sorted(paths, key=lambda path: (-path.value, path.number))[: search.winners]


def follow(world: World, state: State, winners: Sequence[Path]) -> State:
    """Make the first move of the first winner, and keep them all."""
    cell = state.cells[-1]
    there = cell + world.steps[winners[0].moves[0]]
    cell = there if world.free[there] else cell
    rewards = {place: reward for place, reward in state.rewards.items() if place != cell}
    return State((*state.cells, cell), rewards, tuple(path.moves for path in winners))


def finish(world: World, state: State) -> Walk:
    """The walk that led to a state."""
    reward = sum(dict(world.rewards).values()) - sum(state.rewards.values())
    return Walk(tuple(map(world.place, state.cells)), reward)
