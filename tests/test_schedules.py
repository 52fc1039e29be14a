"""Schedules as text, how far to search, and how a failing schedule is made small."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from pytest_parallel_lab.explore.plan import Plan, parse_strategies
from pytest_parallel_lab.explore.shrink import shrink
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.schedule import Schedule, parse_schedule

WRITTEN = {
    "o,h0,r0": Schedule(),
    "s,h0,r0": Schedule(opcodes=False),
    "o,h17,r42": Schedule(hash_seed=17, seed=42),
    "o,h0,r0,17=main.p1": Schedule(((17, "main.p1"),)),
    "s,h1,r2,3=main,10=main.p1.t2,11=main.t1": Schedule(
        ((3, "main"), (10, "main.p1.t2"), (11, "main.t1")), opcodes=False, hash_seed=1, seed=2
    ),
    "m,h0,r7": Schedule(free="matches", seed=7),
    "m,h0,r7,0.0=2:5,3.12=1:0": Schedule(free="matches", seed=7, matches=((0, 0, 2, 5), (3, 12, 1, 0))),
    "d,h0,r9": Schedule(free="delays", seed=9),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_schedule_is_written_and_read_again(text: str) -> None:
    assert str(WRITTEN[text]) == text
    assert parse_schedule(text, "here") == WRITTEN[text]


def test_blanks_around_a_schedule_do_not_matter() -> None:
    assert parse_schedule("  o,h0,r0,1=main\n", "here") == Schedule(((1, "main"),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o",
        "o,h0",
        "o,r0,h0",
        "x,h0,r0",
        "o,h,r0",
        "o,h-1,r0",
        "o,h0,rx",
        "o,h0,r0,",
        "o,h0,r0,17",
        "o,h0,r0,17=",
        "o,h0,r0,17=p1",
        "o,h0,r0,17=main.q1",
        "o,h0,r0,17=main.p1x",
        "o,h0,r0,-1=main",
        "o,h0,r0,0.0=2:5",
        "m,h0,r0,17=main.p1",
        "m,h0,r0,0.0=2",
    ],
)
def test_what_is_not_a_schedule_is_refused(text: str) -> None:
    with pytest.raises(BadSetting) as caught:
        parse_schedule(text, "--parallel-replay")
    assert str(caught.value) == (
        f"--parallel-replay: {text!r} is not a schedule; copy it whole from the failure, as in 'o,h0,r0,17=main.p1'"
    )


@pytest.mark.parametrize("text", ["o,h0,r0,5=main,3=main.p1", "o,h0,r0,5=main,5=main.p1"])
def test_steps_out_of_order_are_refused(text: str) -> None:
    with pytest.raises(BadSetting) as caught:
        parse_schedule(text, "here")
    assert str(caught.value) == f"here: the steps of {text!r} are not in order; copy it whole from the failure"


def test_delays_have_no_turns() -> None:
    with pytest.raises(BadSetting):
        parse_schedule("d,h0,r0,17=main.p1", "here")


# --- plans -------------------------------------------------------------------------------------


def test_a_plan_that_means_something_is_itself() -> None:
    plan = Plan(runs=1, seconds=0.01, seed=0, bound=1, rtol=0, atol=0)
    assert plan.checked("here") is plan


@pytest.mark.parametrize(
    ("setting", "value", "kind"),
    [
        ("runs", 0, "a whole number of at least 1"),
        ("runs", 2.0, "a whole number of at least 1"),
        ("runs", True, "a whole number of at least 1"),
        ("runs", "7", "a whole number of at least 1"),
        ("seconds", 0, "a number of at least 0.01"),
        ("seconds", None, "a number of at least 0.01"),
        ("bound", 0, "a whole number of at least 1"),
        ("seed", -1, "a whole number of at least 0"),
        ("rtol", -1e-9, "a number of at least 0"),
        ("atol", "1", "a number of at least 0"),
        pytest.param("rtol", math.nan, "a number of at least 0"),
    ],
)
def test_a_plan_that_means_nothing_is_refused(setting: str, value: Any, kind: str) -> None:
    settings: dict[str, Any] = {setting: value}
    with pytest.raises(BadSetting) as caught:
        Plan(**settings).checked("explore(...)")
    assert str(caught.value) == f"explore(...): {setting}={value!r} is not {kind}"


def test_strategies_are_read_in_the_order_given() -> None:
    assert parse_strategies("pct, bounded", "here") == ("pct", "bounded")
    assert parse_strategies(iter(["random", "pct", "random"]), "here") == ("random", "pct")


def test_no_strategy_and_unknown_ones_are_refused() -> None:
    with pytest.raises(BadSetting) as caught:
        parse_strategies(" , ", "here")
    assert str(caught.value) == "here: no strategy given; choose from bounded, random, pct, free"
    with pytest.raises(BadSetting) as caught:
        parse_strategies("randon", "here")
    assert str(caught.value) == (
        "here: unknown strategy 'randon'; did you mean 'random'? (known: bounded, random, pct, free)"
    )


# --- making schedules small --------------------------------------------------------------------

Fails = Callable[[set[int]], bool]
LONG = Schedule(tuple((step, "main.p1") for step in range(20)), opcodes=False, hash_seed=3, seed=4)

PREDICATES: dict[str, tuple[Fails, list[set[int]]]] = {
    "always": (lambda steps: True, [set()]),
    "one turn": (lambda steps: 13 in steps, [{13}]),
    "the first and the last": (lambda steps: {0, 19} <= steps, [{0, 19}]),
    "neighbours across a half": (lambda steps: {9, 10} <= steps, [{9, 10}]),
    "three apart": (lambda steps: {1, 8, 17} <= steps, [{1, 8, 17}]),
    "either of two": (lambda steps: 3 in steps or {7, 8} <= steps, [{3}, {7, 8}]),
    "every other": (lambda steps: set(range(0, 20, 2)) <= steps, [set(range(0, 20, 2))]),
    "all of them": (lambda steps: len(steps) == 20, [set(range(20))]),
    "any five": (lambda steps: len(steps) >= 5, []),
}


class Judge:
    """Whether schedules fail, with a count of the questions."""

    def __init__(self, fails: Fails) -> None:
        self.fails = fails
        self.asked: list[Schedule] = []

    def __call__(self, schedule: Schedule) -> bool:
        self.asked.append(schedule)
        return self.fails({step for step, _ in schedule.turns})


@pytest.mark.parametrize("name", PREDICATES)
def test_no_turn_can_be_left_out_of_a_small_schedule(name: str) -> None:
    fails, smallest = PREDICATES[name]
    found = shrink(LONG, Judge(fails), 1000)
    steps = {step for step, _ in found.turns}
    assert fails(steps)
    assert not any(fails(steps - {step}) for step in steps)
    assert not smallest or steps in smallest
    assert list(found.turns) == sorted(found.turns)


def test_everything_but_the_turns_stays() -> None:
    found = shrink(LONG, Judge(lambda steps: 5 in steps), 1000)
    assert found == Schedule(((5, "main.p1"),), opcodes=False, hash_seed=3, seed=4)


@pytest.mark.parametrize("most_tries", [0, 1, 2, 5, 9])
def test_no_more_is_tried_than_allowed(most_tries: int) -> None:
    judge = Judge(lambda steps: {1, 8, 17} <= steps)
    found = shrink(LONG, judge, most_tries)
    assert len(judge.asked) == most_tries
    assert {1, 8, 17} <= {step for step, _ in found.turns}


def test_a_schedule_without_turns_is_not_carried_out() -> None:
    judge = Judge(lambda steps: True)
    assert shrink(Schedule(seed=3), judge, 10) == Schedule(seed=3)
    assert judge.asked == []


def test_what_fails_by_chance_does_not_keep_it_going() -> None:
    judge = Judge(lambda steps: False)
    assert shrink(LONG, judge, 1000) == LONG
    assert len(judge.asked) <= 2 * len(LONG.turns)
