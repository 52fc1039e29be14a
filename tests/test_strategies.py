"""The strategies, on programs of a few workers with a few steps each, whose schedules can all be counted."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.explore.strategies.base import Strategy
from pytest_parallel_lab.explore.strategies.bounded import Bounded
from pytest_parallel_lab.explore.strategies.pct import Pct
from pytest_parallel_lab.explore.strategies.random_walk import RandomWalk
from pytest_parallel_lab.model.exploration import Searched
from pytest_parallel_lab.model.schedule import Schedule

Choose = Callable[[Decision], str]
TWO = {"main.p1": 3, "main.p2": 3}
THREE = {"main.p1": 2, "main.p2": 2, "main.p3": 1}


def run(choose: Choose, steps: dict[str, int], sleepers: Sequence[str] = ()) -> Record:
    """Carry out workers that have so many steps each; usually one goes on until it has come to its end."""
    left = dict(steps)
    record = Record(Schedule())
    last = ""
    while any(left.values()):
        able = [label for label, n in left.items() if n and label not in sleepers]
        asleep = [label for label, n in left.items() if n and label in sleepers]
        usual = last if last in able else [*able, *asleep][0]
        step = len(record.decisions)
        decision = Decision(step, (*able, *asleep), usual, eager=len(able), occurrence=left[usual])
        last = choose(decision)
        assert last in decision.candidates
        left[last] -= 1
        record.decisions.append(Decision(step, decision.candidates, usual, last, eager=len(able)))
    return record


def usual(decision: Decision) -> str:
    return decision.usual


def order(record: Record) -> tuple[str, ...]:
    return tuple(decision.chosen for decision in record.decisions)


def cost(record: Record) -> int:
    return sum(decision.chosen != decision.usual for decision in record.decisions)


def all_runs(steps: dict[str, int]) -> Iterator[Record]:
    """Every schedule there is, by going through all the choices of a first run, and so on."""
    begun: list[tuple[str, ...]] = [()]
    while begun:
        prefix = begun.pop()
        forced = dict(enumerate(prefix))
        record = run(lambda d, forced=forced: forced.get(d.step, d.candidates[0]), steps)  # type: ignore[misc]
        for decision in record.decisions[len(prefix) :]:
            begun += [(*order(record)[: decision.step], label) for label in decision.candidates[1:]]
        yield record


def conduct(strategy: Strategy, steps: dict[str, int], most: int = 1000, sleepers: Sequence[str] = ()) -> list[Record]:
    records: list[Record] = []
    while len(records) < most and strategy.begin():
        records.append(run(strategy.choose, steps, sleepers))
        strategy.ended(records[-1])
    return records


# --- bounded -----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [TWO, THREE, {"main": 4}], ids=["two workers", "three workers", "one worker"])
@pytest.mark.parametrize("bound", [1, 2, 3])
def test_bounded_tries_every_schedule_up_to_its_bound_once(steps: dict[str, int], bound: int) -> None:
    found = Counter(order(record) for record in conduct(Bounded(run(usual, steps), bound), steps))
    assert found == Counter(order(record) for record in all_runs(steps) if 1 <= cost(record) <= bound)


def test_bounded_takes_few_turns_out_of_order_first() -> None:
    costs = [cost(record) for record in conduct(Bounded(run(usual, THREE), 3), THREE)]
    assert costs == sorted(costs)
    assert set(costs) == {1, 2, 3}


@pytest.mark.parametrize("bound", [1, 2])
def test_bounded_knows_how_many_there_are(bound: int) -> None:
    strategy = Bounded(run(usual, THREE), bound)
    expected = Counter(cost(record) for record in all_runs(THREE))
    told: list[Searched] = []
    while strategy.begin():
        told.append(strategy.ended(run(strategy.choose, THREE)))
    last = {part.what: part for part in told}
    assert last == {f"bound {n}": Searched(f"bound {n}", expected[n], expected[n]) for n in range(1, bound + 1)}
    assert [part.runs for part in told] == [i + 1 for n in range(1, bound + 1) for i in range(expected[n])]
    assert {part.of for part in told if part.what == "bound 1"} == {expected[1]}
    assert {part.of for part in told if part.what == "bound 2"} <= {expected[2]}


def test_bounded_begins_with_synchronisation_and_first_passes() -> None:
    places = [(1, 0), (0, 7), (2, 0), (0, 1), (1, 3)]  # tier, occurrence
    record = Record(Schedule())
    for step, (tier, occurrence) in enumerate(places):
        record.decisions.append(Decision(step, ("a", "b"), "a", "a", tier=tier, occurrence=occurrence, eager=2))
    strategy = Bounded(record)
    tried = []
    while strategy.begin():
        tried += [d.step for d in record.decisions if strategy.choose(d) == "b"]
    assert tried == [3, 1, 0, 4, 2]


def test_bounded_wakes_sleepers_too() -> None:
    steps = {"main": 2, "main.t1": 1}
    strategy = Bounded(run(usual, steps, ["main.t1"]))
    assert sorted(order(r) for r in conduct(strategy, steps, sleepers=["main.t1"])) == [
        ("main", "main.t1", "main"),
        ("main.t1", "main", "main"),
    ]


def test_a_turn_that_cannot_be_given_marks_the_run() -> None:
    strategy = Bounded(run(usual, TWO))
    assert strategy.begin()
    record = run(strategy.choose, {"main.p1": 3})
    strategy.ended(record)
    assert order(record) == ("main.p1",) * 3
    assert record.outside == "a turn could not be given that could before"


def test_only_the_run_itself_is_marked() -> None:
    strategy = Bounded(run(usual, TWO))
    strategy.begin()
    strategy.ended(run(strategy.choose, {"main.p1": 3}))
    strategy.begin()
    record = run(strategy.choose, TWO)
    strategy.ended(record)
    assert record.outside == ""


def test_another_reason_why_a_run_was_not_under_control_stays() -> None:
    strategy = Bounded(run(usual, TWO))
    strategy.begin()
    record = run(strategy.choose, {"main.p1": 3})
    record.outside = "main.p2 has never reported"
    strategy.ended(record)
    assert record.outside == "main.p2 has never reported"


def test_a_run_that_ends_before_its_turn_is_marked() -> None:
    steps = {"main.p1": 1, "main.p2": 3}
    strategy = Bounded(run(lambda d: d.candidates[-1], steps))  # p2 first
    records = []
    while strategy.begin():
        records.append(run(strategy.choose, {"main.p2": 1}))
        strategy.ended(records[-1])
    assert all(record.outside for record in records)


# --- random walk and random priorities ---------------------------------------------------------

SAMPLERS: dict[str, Callable[[int], Strategy]] = {"walk": RandomWalk, "pct": lambda seed: Pct(seed, 6)}


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_samples_are_the_same_with_the_same_seed(make: Callable[[int], Strategy]) -> None:
    first, second, other = ([order(r) for r in conduct(make(seed), TWO, 50)] for seed in (7, 7, 8))
    assert first == second
    assert first != other


@pytest.mark.parametrize("steps", [TWO, THREE], ids=["two workers", "three workers"])
def test_the_walk_finds_every_order_of_a_small_program(steps: dict[str, int]) -> None:
    found = {order(record) for record in conduct(RandomWalk(0), steps, 1500)}
    assert found == {order(record) for record in all_runs(steps)}


def test_pct_finds_every_order_with_as_few_changes() -> None:
    found = {order(record) for record in conduct(Pct(0, 6, depth=3), TWO, 1500)}
    assert found >= {order(record) for record in all_runs(TWO) if cost(record) <= 2}


def test_samples_are_counted_without_end() -> None:
    walk, pct = RandomWalk(0), Pct(0, 2)
    for n in range(1, 30):
        assert walk.begin()
        assert walk.ended(run(walk.choose, TWO)) == Searched("random walk", n)
        assert pct.begin()
        assert pct.ended(run(pct.choose, TWO)) == Searched("random priorities", n)


def test_the_walk_wakes_sleepers_now_and_then() -> None:
    walk = RandomWalk(0)
    decision = Decision(0, ("main", "main.t1", "main.t2"), "main", eager=2)
    drawn = Counter(walk.choose(decision) for _ in range(3000))
    assert set(drawn) == set(decision.candidates)
    assert 20 < drawn["main.t2"] < 200  # a tenth of the draws is among all three
    assert abs(drawn["main"] - drawn["main.t1"]) < 300


def test_the_walk_draws_evenly_among_sleepers_where_nobody_is_eager() -> None:
    walk = RandomWalk(0)
    decision = Decision(0, ("main.t1", "main.t2"), "main.t1", eager=0)
    drawn = Counter(walk.choose(decision) for _ in range(1000))
    assert min(drawn["main.t1"], drawn["main.t2"]) > 400


def test_pct_never_wakes_a_sleeper_while_somebody_is_eager() -> None:
    steps = {"main": 2, "main.t1": 2, "main.t2": 2}
    for record in conduct(Pct(3, 6), steps, 200, sleepers=["main.t2"]):
        assert order(record)[-2:] == ("main.t2", "main.t2")


def test_pct_lets_the_usual_one_wake_where_nobody_is_eager() -> None:
    pct = Pct(3, 6)
    pct.begin()
    decision = Decision(0, ("main.t1", "main.t2"), "main.t1", eager=0)
    assert {pct.choose(decision) for _ in range(20)} == {"main.t1"}


def test_pct_changes_priorities_rarely() -> None:
    for record in conduct(Pct(0, 100, depth=3), {"a": 40, "b": 40, "c": 40}, 50):
        chosen = order(record)
        switches = sum(x != y for x, y in itertools.pairwise(chosen))
        assert switches <= 2 + 2  # two changes, two ends


def test_pct_of_depth_1_never_interrupts() -> None:
    for record in conduct(Pct(0, 6, depth=1), TWO, 50):
        assert order(record) in {("main.p1",) * 3 + ("main.p2",) * 3, ("main.p2",) * 3 + ("main.p1",) * 3}


def test_pct_learns_how_long_runs_are() -> None:
    steps = {"a": 30, "b": 30}
    pct = Pct(0, 2)
    late = 0
    for record in conduct(pct, steps, 200):
        chosen = order(record)
        late += any(x != y for x, y in itertools.pairwise(chosen[31:]))
    assert late > 0
