"""Deadlocks that a run did not show but another may: found in what its processes noted.

Lock-order inversions are found as in Havelund's GoodLock ("Using runtime analysis to guide model
checking of Java programs", SPIN 2000) with its later refinements: a cycle of nested acquisitions
counts only if all are by different threads, no common *gate* lock keeps them apart, and none happens
before another (Lamport's order, by vector clocks, from everything that synchronises except locks).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_parallel_lab.model.told import LockTold, Site
from pytest_parallel_lab.model.wait_for import Wait

Note = Mapping[str, Any]
_LONGEST_CYCLE = 4
_MOST_NESTED = 2000

Clock = dict[str, int]


@dataclass(frozen=True)
class Potential:
    """A deadlock that may happen in another run.

    Attributes:
        what: what was found, in one sentence.
        waits: what each party would wait for.
    """

    what: str
    waits: tuple[Wait, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"  {wait}" for wait in self.waits)])


@dataclass(frozen=True)
class Nested:
    """One acquisition of a lock while another was held."""

    actor: str
    pid: int
    held: LockTold
    held_at: Site | None
    taken: LockTold
    taken_at: Site | None
    gates: frozenset[str]
    clock: Clock = field(hash=False)

    def may_overlap(self, other: Nested) -> bool:
        """Whether nothing keeps the two from happening at the same time."""
        return (
            self.actor != other.actor
            and not self.gates & other.gates
            and not _before(self, other)
            and not _before(other, self)
        )


def _before(one: Nested, other: Nested) -> bool:
    return other.clock.get(one.actor, 0) >= one.clock[one.actor]


def find_potential(notes: Iterable[Note], names: Mapping[str, str]) -> list[Potential]:
    """Find what may hang in another run.

    Args:
        notes: of all processes of the run, in any order.
        names: what the source calls the locks, by key.
    """
    in_order = sorted(notes, key=lambda note: note["t"])
    if any(note["kind"] == "too many" for note in in_order):
        return []
    numbers = {pid: i for i, pid in enumerate(dict.fromkeys(note["pid"] for note in in_order), 1)}
    found = [*_inversions(in_order, names, numbers), *_undrained(in_order, numbers), *_dead_workers(in_order)]
    return list(dict.fromkeys(found))


class _Clocks:
    """Vector clocks of all actors, moved on note by note."""

    def __init__(self) -> None:
        self._actors: dict[str, Clock] = {}
        self._objects: dict[str, Clock] = {}
        self._threads: dict[str, str] = {}  # a thread's key -> its actor
        self._of_process: dict[int, list[str]] = {}

    def of(self, note: Note) -> Clock:
        """The clock of a note's actor, ticking with every note."""
        actor = note["actor"]
        if actor not in self._actors:
            self._actors[actor] = {}
            self._of_process.setdefault(note["pid"], []).append(actor)
        clock = self._actors[actor]
        clock[actor] = clock.get(actor, 0) + 1
        return clock

    def move(self, note: Note) -> None:
        """Take in what a note says of order."""
        clock = self.of(note)
        kind = note["kind"]
        if kind == "releases":
            _join(self._objects.setdefault(note["object"], {}), clock)
        elif kind == "acquires":
            _join(clock, self._objects.get(note["object"], {}))
            if note["object"].startswith("thread "):
                self._threads[note["object"]] = note["actor"]
        elif kind == "starts":
            self._objects[f"birth {note['token']}"] = dict(clock)
        elif kind == "born":
            _join(clock, self._objects.get(f"birth {note['token']}", {}))
        elif kind == "joins thread":
            _join(clock, self._actors.get(self._threads.get(note["thread"], ""), {}))
        elif kind == "joins":
            for actor in self._of_process.get(note["joined"], []):
                _join(clock, self._actors[actor])


def _join(clock: Clock, other: Clock) -> None:
    for actor, count in other.items():
        if clock.get(actor, 0) < count:
            clock[actor] = count


def _inversions(notes: Sequence[Note], names: Mapping[str, str], numbers: Mapping[int, int]) -> Iterator[Potential]:
    clocks = _Clocks()
    nested: list[Nested] = []
    for note in notes:
        clocks.move(note)
        if note["kind"] == "takes" and len(nested) < _MOST_NESTED:
            nested += _nested(note, dict(clocks.of(note)), names)
    for cycle in _cycles(nested):
        waits = tuple(
            Wait(
                _who(one, numbers),
                str(one.taken),
                at=one.taken_at,
                held_by=_who(after, numbers),
                taken_at=after.held_at,
                does=f"holds {one.held} and takes {one.taken}",
            )
            for one, after in zip(cycle, [*cycle[1:], cycle[0]])
        )
        yield Potential("locks are taken in different orders, and nothing keeps these from happening at once:", waits)


def _nested(note: Note, clock: Clock, names: Mapping[str, str]) -> Iterator[Nested]:
    taken = _lock(note["lock"], names)
    held = [(_lock(one["lock"], names), _site(one["at"])) for one in note["held"]]
    for lock, site in held:
        gates = frozenset(other.key for other, _ in held if other.key != lock.key)
        yield Nested(note["actor"], note["pid"], lock, site, taken, _site(note["at"]), gates, clock)


def _cycles(nested: Sequence[Nested]) -> Iterator[list[Nested]]:
    """The shortest cycles, one for each set of locks."""
    by_held: dict[str, list[Nested]] = {}
    for one in nested:
        by_held.setdefault(one.held.key, []).append(one)
    seen: set[frozenset[str]] = set()
    for length in range(2, _LONGEST_CYCLE + 1):
        for start in nested:
            for cycle in _extend([start], by_held, length):
                locks = frozenset(one.held.key for one in cycle)
                if locks not in seen and not any(smaller < locks for smaller in seen):
                    seen.add(locks)
                    yield cycle


def _extend(path: list[Nested], by_held: Mapping[str, list[Nested]], length: int) -> Iterator[list[Nested]]:
    if len(path) == length:
        if path[-1].taken.key == path[0].held.key:
            yield path
        return
    for after in by_held.get(path[-1].taken.key, []):
        if all(after.may_overlap(one) for one in path) and after.held.key not in {one.held.key for one in path}:
            yield from _extend([*path, after], by_held, length)


def _undrained(notes: Sequence[Note], numbers: Mapping[int, int]) -> Iterator[Potential]:
    """Processes joined before the queue that they filled was drained: with more in it, the join never ends."""
    for joined in notes:
        if joined["kind"] != "joins" or not joined["for_ever"]:
            continue
        child = joined["joined"]
        filled = dict.fromkeys(n["queue"] for n in notes if n["kind"] == "puts" and n["pid"] == child)
        for queue in filled:
            on_it = [n for n in notes if n.get("queue") == queue]
            if any(n["kind"] == "gives up" for n in on_it):
                continue
            left = sum({"puts": 1, "gets": -1}.get(n["kind"], 0) for n in on_it if n["t"] < joined["t"])
            gets = [n for n in on_it if n["kind"] == "gets"]
            if left > 0 and all(n["actor"] == joined["actor"] for n in gets):
                drained = next((n for n in gets if n["t"] > joined["t"]), None)
                then = f" and is drained only at {_site(drained['at'])}" if drained else " and is never drained"
                yield Potential(
                    f"process {numbers.get(joined['pid'])} joins process {numbers.get(child)} at {_site(joined['at'])} "
                    f"while a multiprocessing.Queue that it has filled still has {left} "
                    f"item{'s' if left > 1 else ''} in it{then}: with more data than the pipe takes, the join "
                    "would never end. Drain the queue first"
                )


def _dead_workers(notes: Sequence[Note]) -> Iterator[Potential]:
    for note in notes:
        if note["kind"] == "pool worker died":
            yield Potential(
                f"a worker of a multiprocessing.Pool (pid {note['child']}, exit status {note['status']}) ended while "
                "results were still to come: whoever waits for the result of its task waits for ever. "
                "concurrent.futures.ProcessPoolExecutor raises BrokenProcessPool instead"
            )


def _who(one: Nested, numbers: Mapping[int, int]) -> str:
    return f"thread {one.actor.partition('.')[2]} of process {numbers[one.pid]}"


def _lock(data: Mapping[str, Any], names: Mapping[str, str]) -> LockTold:
    return LockTold(data["key"], data["kind"], _site(data.get("made")), names.get(data["key"], ""))


def _site(data: Any) -> Site | None:
    return Site(*data[:3]) if data else None
