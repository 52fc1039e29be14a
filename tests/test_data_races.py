"""Races are found by what orders accesses, never by luck: each racy run has an ordered twin."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from pytest_parallel_lab.model.data_races import Event, RaceFinder, Site, find_data_races

BANK = "/home/ada/bank.py"


def site(line: int, function: str = "deposit") -> Site:
    return (BANK, line, function)


def run(*told: str) -> list[Event]:
    """Events from lines such as "p0 writes x:12"."""
    events = []
    for one in told:
        actor, kind, thing = one.split(" ")
        key, _, line = thing.partition(":")
        events.append(Event(actor, kind, key, site(int(line)) if line else None))
    return events


def lines(events: list[Event]) -> list[tuple[int, int]]:
    return [
        (race.first.at[1], race.second.at[1]) for race in find_data_races(events) if race.first.at and race.second.at
    ]


TWINS = {
    "start": (
        run("main starts t1", "main writes x:1", "t1 reads x:2"),
        run("main writes x:1", "main starts t1", "t1 reads x:2"),
    ),
    "join": (
        run("main starts t1", "t1 writes x:1", "main reads x:2", "t1 ends t1", "main joins t1"),
        run("main starts t1", "t1 writes x:1", "t1 ends t1", "main joins t1", "main reads x:2"),
    ),
    "join of a killed process": (
        run("main starts p0", "p0 writes x:1", "main reads x:2", "main joins p0"),
        run("main starts p0", "p0 writes x:1", "main joins p0", "main reads x:2"),
    ),
    "start of a sibling after a join": (
        run("main starts p0", "p0 writes x:1", "p0 ends p0", "main starts p1", "p1 reads x:2"),
        run("main starts p0", "p0 writes x:1", "p0 ends p0", "main joins p0", "main starts p1", "p1 reads x:2"),
    ),
    "queue": (
        run("p0 releases item", "p0 writes x:1", "p1 acquires item", "p1 reads x:2"),
        run("p0 writes x:1", "p0 releases item", "p1 acquires item", "p1 reads x:2"),
    ),
    "event through a third": (
        run("p0 writes x:1", "p0 releases a", "p2 releases b", "p2 acquires a", "p1 acquires b", "p1 writes x:2"),
        run("p0 writes x:1", "p0 releases a", "p2 acquires a", "p2 releases b", "p1 acquires b", "p1 writes x:2"),
    ),
    "event of another": (
        run("p0 writes x:1", "p0 releases a", "p1 acquires b", "p1 reads x:2"),
        run("p0 writes x:1", "p0 releases a", "p1 acquires a", "p1 reads x:2"),
    ),
    "event acquired too early": (
        run("p0 writes x:1", "p1 acquires a", "p0 releases a", "p1 reads x:2"),
        run("p0 writes x:1", "p0 releases a", "p1 acquires a", "p1 reads x:2"),
    ),
    "barrier": (
        run("p0 releases b", "p1 releases b", "p0 acquires b", "p0 writes x:1", "p1 acquires b", "p1 reads x:2"),
        run("p0 writes x:1", "p0 releases b", "p1 releases b", "p0 acquires b", "p1 acquires b", "p1 reads x:2"),
    ),
    "lock around one side": (
        run("p0 takes L", "p0 writes x:1", "p0 gives L", "p1 reads x:2"),
        run("p0 takes L", "p0 writes x:1", "p0 gives L", "p1 takes L", "p1 reads x:2", "p1 gives L"),
    ),
    "different locks": (
        run("p0 takes L", "p0 writes x:1", "p0 gives L", "p1 takes M", "p1 reads x:2", "p1 gives M"),
        run("p0 takes L", "p0 writes x:1", "p0 gives L", "p1 takes M", "p1 takes L", "p1 reads x:2"),
    ),
    "lock given too early": (
        run("p0 takes L", "p0 gives L", "p0 writes x:1", "p1 takes L", "p1 writes x:2", "p1 gives L"),
        run("p0 takes L", "p0 writes x:1", "p0 gives L", "p1 takes L", "p1 writes x:2", "p1 gives L"),
    ),
    "reentrant lock": (
        run("p0 takes R", "p0 gives R", "p0 writes x:1", "p1 takes R", "p1 reads x:2"),
        run("p0 takes R", "p0 takes R", "p0 gives R", "p0 writes x:1", "p0 gives R", "p1 takes R", "p1 reads x:2"),
    ),
    "lock given by another": (
        run("p0 takes L", "p2 gives L", "p0 writes x:1", "p1 takes L", "p1 reads x:2"),
        run("p0 takes L", "p0 writes x:1", "p2 gives L", "p1 takes L", "p1 reads x:2"),
    ),
    "a write among reads": (
        run("p0 writes x:1", "p1 reads x:2"),
        run("p0 reads x:1", "p1 reads x:2", "p0 reads x:1"),
    ),
    "the same thing": (
        run("p0 writes x:1", "p1 writes x:2"),
        run("p0 writes x:1", "p1 writes y:2"),
    ),
    "different actors": (
        run("p0 writes x:1", "p1 writes x:2"),
        run("p0 writes x:1", "p0 writes x:2"),
    ),
}


@pytest.mark.parametrize("twins", TWINS.values(), ids=TWINS)
def test_the_racy_twin_is_found_and_the_ordered_one_is_not(twins: tuple[list[Event], list[Event]]) -> None:
    racy, ordered = twins
    assert lines(racy) == [(1, 2)]
    assert lines(ordered) == []


def test_a_lock_that_passes_from_one_to_the_other_is_no_order() -> None:
    # That p0 was first at the lock was luck: p1 may read before p0 writes.
    handed_over = run("p0 writes x:1", "p0 takes L", "p0 gives L", "p1 takes L", "p1 gives L", "p1 reads x:2")
    assert lines(handed_over) == [(1, 2)]


def test_an_actor_that_ends_takes_its_locks_along() -> None:
    events = run("p0 takes L", "p0 ends p0", "p0 writes x:1", "p1 takes L", "p1 reads x:2")
    assert lines(events) == [(1, 2)]


def test_each_pair_of_sites_is_told_once_in_order() -> None:
    loop = run("p0 reads x:1", "p0 writes x:2", "p1 reads x:1", "p1 writes x:2")
    assert lines([*loop, *loop, *loop]) == [(2, 1), (2, 2)]


def test_the_same_sites_race_for_each_thing() -> None:
    events = run("p0 writes x:1", "p0 writes y:1", "p1 writes y:1", "p1 writes x:1")
    assert [race.thing for race in find_data_races(events)] == ["y", "x"]


def test_accesses_at_unknown_places_race_too() -> None:
    (race,) = find_data_races(run("p0 writes x", "p1 writes x"))
    assert race.describe() == (
        "`x` is written by p0 holding no lock, while p1 may write it holding no lock: nothing orders the two"
    )


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="an event of unknown kind 'peeks' by p0"):
        find_data_races(run("p0 peeks x:1"))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (run("p0 reads x:1", "p1 reads x:1", "p0 writes x:2", "p1 writes x:2"), True),
        (run("p0 reads x:1", "p1 writes x:9"), False),
        (run("p0 writes x:1", "p1 reads x:2"), False),
        (run("p0 takes L", "p0 reads x:1", "p0 writes x:2", "p0 gives L", "p1 reads x:9"), False),
        (run("p0 takes L", "p0 reads x:1", "p0 gives L", "p0 writes x:2", "p1 reads x:9"), True),
        (run("p0 reads x:1", "p0 takes L", "p0 reads x:2", "p0 writes x:3", "p0 gives L", "p1 reads x:9"), False),
    ],
    ids=["both", "read only", "write then read", "one lock", "lock given between", "checked again under the lock"],
)
def test_a_read_and_the_write_that_builds_on_it_belong_together(events: list[Event], expected: bool) -> None:
    # Line 9 stands in another function.
    events = [Event(e.actor, e.kind, e.thing, site(9, "other") if e.at == site(9) else e.at) for e in events]
    assert {race.read_modify_write for race in find_data_races(events)} == {expected}


def test_an_update_elsewhere_is_not_blamed() -> None:
    events = [
        Event("p0", "reads", "x", site(1, "prepare")),
        Event("p0", "writes", "x", site(1, "prepare")),
        Event("p0", "releases", "q"),
        Event("p1", "acquires", "q"),
        Event("p0", "writes", "x", site(5, "work")),
        Event("p1", "reads", "x", site(6, "work")),
    ]
    (race,) = find_data_races(events)
    assert not race.read_modify_write


def access(actor: str, kind: str, line: int, function: str = "deposit") -> Event:
    return Event(actor, kind, "0x7f", site(line, function), "Value `balance`")


def test_a_race_is_described_in_words() -> None:
    (race,) = find_data_races([access("main.p0", "writes", 12), access("main.p1", "reads", 11, "show")])
    assert race.describe() == (
        "Value `balance` is written at bank.py:12 by main.p0 holding no lock, while main.p1 may read it "
        "at bank.py:11 holding no lock: nothing orders the two"
    )


def test_a_lost_update_is_described_in_words() -> None:
    told = [access("main.p0", "reads", 11), access("main.p1", "writes", 12), access("main.p0", "writes", 11)]
    race = find_data_races(told)[0]
    assert race.describe() == (
        "Value `balance` is read at bank.py:11 by main.p0 holding no lock, while main.p1 may write it "
        "at bank.py:12 holding no lock: nothing orders the two. What another writes between a read and the "
        "write that builds on it is lost"
    )


def test_the_locks_of_both_sides_are_described() -> None:
    def locked(actor: str, lock: str, name: str) -> list[Event]:
        return [
            Event(actor, "takes", lock, name=name),
            access(actor, "writes", 12),
            Event(actor, "gives", lock),
        ]

    (race,) = find_data_races([*locked("p0", "a", "Lock"), *locked("p1", "b", "Lock")])
    assert race.describe() == (
        "Value `balance` is written at bank.py:12 by p0 holding Lock, while p1 may write it at bank.py:12 "
        "holding another Lock: nothing orders the two, and different locks do not keep them apart"
    )
    assert (race.first.locks, race.second.locks) == (("a",), ("b",))
    (race,) = find_data_races([*locked("p0", "a", "Lock `l`"), access("p1", "reads", 11)])
    assert race.describe().endswith(
        "holding Lock `l`, while p1 may read it at bank.py:11 holding no lock: nothing orders the two, "
        "and a lock keeps them apart only if both hold it"
    )


def test_a_long_run_is_kept_short() -> None:
    finder, count = RaceFinder(), 0
    while count < 100_000:
        for actor in ("p0", "p1", "p2", "p3"):
            for event in run(f"{actor} acquires q", f"{actor} reads x:1", f"{actor} takes L", f"{actor} writes x:2"):
                finder.see(event)
            for event in run(f"{actor} writes y:3", f"{actor} gives L", f"{actor} releases q"):
                finder.see(event)
            count += 7
    assert finder.kept == 4 * 3
    assert finder.races() == []


def test_no_pair_of_sites_is_lost() -> None:
    for seed in range(300):
        events = list(drawn(random.Random(seed)))
        found = {(race.thing, frozenset({race.first.at, race.second.at})) for race in find_data_races(events)}
        assert found == by_definition(events), seed


def drawn(chance: random.Random) -> Iterator[Event]:
    actors, started = ["main", "p0", "p1"], {"main"}
    held: dict[str, str] = {}
    for _ in range(60):
        actor = chance.choice(actors)
        kind = chance.choice(["reads", "writes", "reads", "writes", "takes", "gives", "releases", "acquires", "order"])
        if kind in ("reads", "writes"):
            yield Event(actor, kind, chance.choice("xy"), site(chance.randrange(4)))
        elif kind == "takes":
            lock = chance.choice("LM")
            if lock not in held:
                held[lock] = actor
                yield Event(actor, kind, lock)
        elif kind == "gives":
            for lock in [lock for lock, holder in held.items() if holder == actor][:1]:
                del held[lock]
                yield Event(actor, kind, lock)
        elif kind == "order":
            other = chance.choice([other for other in actors if other != actor])
            yield Event(actor, "joins" if other in started else "starts", other)
            started.add(other)
        else:
            yield Event(actor, kind, chance.choice("ab"))


def by_definition(events: list[Event]) -> set[tuple[str, frozenset[Site | None]]]:
    """All pairs of accesses, each with every way from the one to the other."""
    locks: list[frozenset[str]] = []
    held: dict[str, set[str]] = {}
    before: list[set[int]] = []  # of each event, those that happen before it
    for i, event in enumerate(events):
        mine = held.setdefault(event.actor, set())
        if event.kind == "takes":
            mine.add(event.thing)
        elif event.kind == "gives":
            mine.remove(event.thing)
        locks.append(frozenset(mine))
        direct = {j for j in range(i) if _directly_before(events[j], event)}
        before.append(direct.union(*(before[j] for j in direct)))
    return {
        (one.thing, frozenset({one.at, other.at}))
        for j, other in enumerate(events)
        for i, one in enumerate(events[:j])
        if one.thing == other.thing
        and {one.kind, other.kind} in ({"reads", "writes"}, {"writes"})
        and one.actor != other.actor
        and not locks[i] & locks[j]
        and i not in before[j]
    }


def _directly_before(one: Event, other: Event) -> bool:
    return (
        one.actor == other.actor
        or (one.kind == "starts" and one.thing == other.actor)
        or (one.kind == "starts" and other.kind == "joins" and one.thing == other.thing)
        or (other.kind == "joins" and other.thing == one.actor)
        or (one.kind == "releases" and other.kind == "acquires" and one.thing == other.thing)
    )
