"""Data races that a run did not show but another may: found in the accesses and the order of one run.

Two accesses race if they are by different actors, one of them writes, no lock is held at both, and
nothing else orders them. A lock keeps two accesses apart, but which of them comes first is luck: so
that one had it before the other proves nothing, and locks make no order here.

Source: locksets as in Eraser (Savage et al., "Eraser: a dynamic data race detector for multithreaded
programs", ACM TOCS 1997); order by Lamport ("Time, clocks, and the ordering of events in a distributed
system", CACM 1978); both together as in O'Callahan and Choi ("Hybrid dynamic data race detection",
PPoPP 2003). Unlike Eraser, we have no states of ownership: order tells of a hand-over. Unlike the
hybrid, we read the run once, in one total order; an access carries one count in place of a whole
vector clock (the *epochs* of FastTrack, Flanagan and Freund, PLDI 2009); and we drop an access only
for a later one of the same actor, kind, site and locks, so every pair of sites that races is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath

Site = tuple[str, int, str]  # path, line, function
Clock = dict[str, int]


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run.

    Attributes:
        actor: the process or thread that did it, such as "main", "main.p0" or "main.t1".
        kind: "reads" or "writes" a variable; "takes" or "gives" a lock, which only one may have at a
            time; "releases" or "acquires" any other object, where what came before a release happens
            before what follows a later acquire; "starts", "ends" or "joins" an actor.
        thing: the key of the variable, lock or object; the name of the actor.
        at: where.
        name: what to call the thing.
    """

    actor: str
    kind: str
    thing: str
    at: Site | None = None
    name: str = ""


@dataclass(frozen=True)
class Access:
    """One side of a data race.

    Attributes:
        actor: who.
        kind: "reads" or "writes".
        at: where.
        locks: the keys of the locks it held.
        lock_names: what to call them, in the same order.
    """

    actor: str
    kind: str
    at: Site | None = None
    locks: tuple[str, ...] = ()
    lock_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataRace:
    """Two accesses that nothing keeps apart.

    Attributes:
        first: the access that came first in this run.
        second: the other.
        thing: the key of what they access.
        name: what to call it.
        read_modify_write: whether one of the two is part of a read and a later write in the same function
            that no lock holds together, so that another's write in between is lost.
    """

    first: Access
    second: Access
    thing: str
    name: str = ""
    read_modify_write: bool = False

    def describe(self) -> str:
        """Say it in words."""
        one, other = self.first, self.second
        text = (
            f"{self.name or f'`{self.thing}`'} is {'written' if one.kind == 'writes' else 'read'}{_place(one.at)} "
            f"by {one.actor} holding {_locks(one.lock_names)}, while {other.actor} may {other.kind[:-1]} "
            f"it{_place(other.at)} holding {_locks(other.lock_names, one.lock_names)}: nothing orders the two"
        )
        if one.locks and other.locks:
            text += ", and different locks do not keep them apart"
        elif one.locks or other.locks:
            text += ", and a lock keeps them apart only if both hold it"
        if self.read_modify_write:
            text += ". What another writes between a read and the write that builds on it is lost"
        return text


def find_data_races(events: Iterable[Event]) -> list[DataRace]:
    """Find what races in a run.

    Args:
        events: of all actors, in the order in which they happened.

    Returns:
        One race for each pair of sites of a thing, in the order in which their second accesses happened.

    Raises:
        ValueError: an event is of no known kind.
    """
    finder = RaceFinder()
    for event in events:
        finder.see(event)
    return finder.races()


@dataclass
class _Actor:
    """One actor: what is known to have happened before its next event, and its locks with how often it took them."""

    clock: Clock
    held: dict[str, int] = field(default_factory=dict)
    locks: frozenset[str] = frozenset()
    changes: int = 0  # of its clock


@dataclass
class _Latest:
    """The latest access of a group at a site, and the state of all it depends on when it was last compared."""

    epoch: int
    compared: tuple[int, int] = (-1, -1)


@dataclass(eq=False)
class _Group:
    """The accesses of one actor to a thing that are of one kind and hold the same locks."""

    actor: str
    kind: str
    locks: frozenset[str]
    newest: int = 0  # the latest epoch at any site
    sites: dict[Site | None, _Latest] = field(default_factory=dict)


@dataclass
class _Thing:
    """What is remembered of one variable."""

    groups: dict[tuple[str, str, frozenset[str]], _Group] = field(default_factory=dict)
    changes: int = 0  # of the epochs in it
    reported: dict[Site | None, set[Site | None]] = field(default_factory=dict)  # the sites that a site races with
    settled: dict[Site | None, dict[_Group, int]] = field(default_factory=dict)  # how many sites, all reported with it
    reads: dict[tuple[str, str, str], frozenset[str]] = field(default_factory=dict)  # locks at the last read
    updaters: set[tuple[str, str, str]] = field(default_factory=set)  # who reads, then writes: actor, path, function


class RaceFinder:
    """Finds data races event by event; what it keeps grows with what there is, not with how often it is used."""

    def __init__(self) -> None:
        self._actors: dict[str, _Actor] = {}
        self._objects: dict[str, Clock] = {}
        self._things: dict[str, _Thing] = {}
        self._lock_names: dict[str, str] = {}
        self._found: list[DataRace] = []

    @property
    def kept(self) -> int:
        """How many accesses are kept to compare later ones with."""
        return sum(len(group.sites) for thing in self._things.values() for group in thing.groups.values())

    def races(self) -> list[DataRace]:
        """The races so far."""
        # Whether it is an update is told last: its write may come after the race was found.
        return [replace(race, read_modify_write=self._updates(race)) for race in self._found]

    def see(self, event: Event) -> None:
        """Take in the event that happened next.

        Raises:
            ValueError: it is of no known kind.
        """
        actor, kind, thing = self._actor(event.actor), event.kind, event.thing
        if kind in ("reads", "writes"):
            self._access(event, actor)
        elif kind == "takes":
            self._lock_names[thing] = event.name or self._lock_names.get(thing) or f"`{thing}`"
            actor.held[thing] = actor.held.get(thing, 0) + 1
            actor.locks = frozenset(actor.held)
        elif kind == "gives":
            self._give(thing, actor)
        elif kind == "releases":
            _join(self._objects.setdefault(thing, {}), actor.clock)
            actor.clock[event.actor] += 1  # what it does from now on is not what it has told of
        elif kind == "acquires":
            actor.changes += _join(actor.clock, self._objects.get(thing, {}))
        elif kind == "starts":
            started = self._actor(thing)
            started.changes += _join(started.clock, actor.clock)
            actor.clock[event.actor] += 1
        elif kind == "joins":
            # A join returns after all that the joined one did, whether it told of its end or was killed.
            joined = self._actor(thing)
            actor.changes += _join(actor.clock, joined.clock)
            joined.clock[thing] += 1
        elif kind == "ends":
            actor.held.clear()
            actor.locks = frozenset()
        else:
            raise ValueError(f"an event of unknown kind {kind!r} by {event.actor}")

    def _actor(self, name: str) -> _Actor:
        if name not in self._actors:
            self._actors[name] = _Actor({name: 1})
        return self._actors[name]

    def _give(self, lock: str, actor: _Actor) -> None:
        # A Lock may be given by another than has taken it.
        holder = actor if lock in actor.held else next((a for a in self._actors.values() if lock in a.held), None)
        if holder is None:
            return
        holder.held[lock] -= 1
        if not holder.held[lock]:
            del holder.held[lock]
            holder.locks = frozenset(holder.held)

    def _access(self, event: Event, actor: _Actor) -> None:
        thing = self._things.setdefault(event.thing, _Thing())
        _note_update(thing, event, actor.locks)
        key = (event.actor, event.kind, actor.locks)
        group = thing.groups.setdefault(key, _Group(*key))
        epoch = actor.clock[event.actor]
        latest = group.sites.setdefault(event.at, _Latest(0))
        if latest.epoch != epoch:
            # The latest stands for all before it: who is not ordered after an earlier one is not after it either.
            latest.epoch = group.newest = epoch
            thing.changes += 1
        state = (thing.changes, actor.changes)
        if latest.compared == state:
            return  # a loop: no access to compare with, and no order, that was not there last time
        latest.compared = state
        reported = thing.reported.setdefault(event.at, set())
        for other, at in _unordered(thing, group, event.at, actor.clock):
            reported.add(at)
            thing.reported.setdefault(at, set()).add(event.at)
            self._found.append(DataRace(self._side(other, at), self._side(group, event.at), event.thing, event.name))

    def _side(self, group: _Group, at: Site | None) -> Access:
        keys = tuple(sorted(group.locks))
        return Access(group.actor, group.kind, at, keys, tuple(self._lock_names[key] for key in keys))

    def _updates(self, race: DataRace) -> bool:
        updaters = self._things[race.thing].updaters
        return any(a.at and (a.actor, a.at[0], a.at[2]) in updaters for a in (race.first, race.second))


def _unordered(thing: _Thing, group: _Group, at: Site | None, clock: Clock) -> Iterator[tuple[_Group, Site | None]]:
    """The accesses that conflict with a group's at a site, unknown to its clock; none at a site reported with it."""
    reported, settled = thing.reported[at], thing.settled.setdefault(at, {})
    for other in thing.groups.values():
        if settled.get(other) == len(other.sites) or group.kind == other.kind == "reads":
            continue
        known = clock.get(other.actor, 0)
        if other.newest <= known or other.actor == group.actor or not group.locks.isdisjoint(other.locks):
            continue
        yield from ((other, there) for there, it in other.sites.items() if it.epoch > known and there not in reported)
        if other.sites.keys() <= reported:
            settled[other] = len(other.sites)


def _note_update(thing: _Thing, event: Event, locks: frozenset[str]) -> None:
    if event.at is None:
        return
    where = (event.actor, event.at[0], event.at[2])
    if event.kind == "reads":
        thing.reads[where] = locks
    elif where in thing.reads and locks.isdisjoint(thing.reads[where]):
        thing.updaters.add(where)


def _join(clock: Clock, other: Clock) -> bool:
    """Take in what another clock knows; whether that was news."""
    news = {actor: count for actor, count in other.items() if clock.get(actor, 0) < count}
    clock.update(news)
    return bool(news)


def _place(at: Site | None) -> str:
    return f" at {PurePath(at[0]).name}:{at[1]}" if at else ""


def _locks(names: Iterable[str], others: Iterable[str] = ()) -> str:
    """Name locks; one that is called like a lock of the other side is another, or there were no race."""
    named = [f"another {name}" if name in others else name for name in names]
    return " and ".join(named) or "no lock"
