"""What is told of an exploration: how much was tried, what failed, and how to see it again."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from pytest_parallel_lab.model.exploration import (
    HASH_SEED,
    Exploration,
    Failure,
    Searched,
    Seen,
    bound_percent,
    describe,
    distribution,
    replay_command,
)
from pytest_parallel_lab.model.schedule import Schedule

ALL = Searched("bound 1", 12, 12)
SOME = Searched("bound 2", 3, 40)
WALK = Searched("random walk", 100)
PCT = Searched("random priorities", 200)
SCHEDULE = Schedule(((17, "main.p1"),), hash_seed=5)


def exploration(*searched: Searched, failure: Failure | None = None) -> Exploration:
    return Exploration(1, 40, 2.34, searched, (Seen("1", 30, Schedule()), Seen("2", 10, SCHEDULE)), failure, seed=7)


def failure() -> Failure:
    return Failure(SCHEDULE, "2", "but 1 in the usual schedule", replayed=3, replays=3)


@pytest.mark.parametrize(
    ("searched", "expected"),
    [
        ([], "40 runs: none fails"),
        ([ALL], "explored 12 of 12 schedules at bound 1: none fails"),
        (
            [ALL, SOME],
            "explored 12 of 12 schedules at bound 1; explored 3 of 40 schedules at bound 2: none fails",
        ),
        ([WALK, PCT], "0 of 300 sampled schedules fail: below 1 % with 95 % confidence"),
        (
            [WALK, ALL],
            "explored 12 of 12 schedules at bound 1: none fails; "
            "0 of 100 sampled schedules fail: below 3 % with 95 % confidence",
        ),
    ],
)
def test_how_much_was_tried(searched: list[Searched], expected: str) -> None:
    assert exploration(*searched).statement() == expected


def test_what_limits_a_search_is_told() -> None:
    found = dataclasses.replace(exploration(ALL), outside="main.p1 waits in os.read", saturated=True)
    assert found.statement() == (
        "explored 12 of 12 schedules at bound 1: none fails; not all of it was under control: main.p1 waits in "
        "os.read; of places that are passed often, only the first 64 passes were explored"
    )


def test_how_much_was_tried_until_one_failed() -> None:
    found = exploration(SOME, WALK, failure=failure())
    assert found.statement() == "explored 3 of 40 schedules at bound 2; sampled 100 schedules"


@pytest.mark.parametrize(
    ("searched", "expected"),
    [([], False), ([SOME], False), ([WALK], False), ([ALL], True), ([ALL, SOME, WALK], True)],
)
def test_whether_every_schedule_at_a_bound_was_tried(searched: list[Searched], expected: bool) -> None:
    assert exploration(*searched).exhausted is expected


def test_nothing_is_exhausted_that_was_not_under_control() -> None:
    assert not dataclasses.replace(exploration(ALL), outside="it was not").exhausted


def test_nothing_is_exhausted_of_which_later_passes_were_left_out() -> None:
    assert not dataclasses.replace(exploration(ALL), saturated=True).exhausted


@pytest.mark.parametrize(
    ("runs", "expected"),
    [(1, "95 %"), (2, "78 %"), (10, "26 %"), (28, "11 %"), (29, "9.9 %"), (100, "3 %"), (1000, "0.3 %")],
)
def test_the_bound_is_rounded_up(runs: int, expected: str) -> None:
    assert bound_percent(runs) == expected
    share = float(expected.split()[0]) / 100
    assert (1 - share) ** runs <= 0.05 + 1e-12


def test_outcomes_come_most_frequent_first() -> None:
    assert distribution([Seen("a", 1, Schedule()), Seen("b", 5, Schedule())]) == "b (5x), a (1x)"


def test_many_outcomes_are_counted_instead() -> None:
    seen = [Seen(str(i), 9 - i, Schedule()) for i in range(8)]
    assert distribution(seen) == "0 (9x), 1 (8x), 2 (7x), 3 (6x), 4 (5x), 5 (4x) and 2 others"


@pytest.mark.parametrize(
    "where",
    ["tests/test_a.py::test_b", "test_a.py::test_b[1-x y]", "test_a.py::test_b[it's]", "test_a.py::test_b[`a`\\n]"],
)
def test_a_shell_reads_the_command_as_it_is_meant(where: str) -> None:
    assert shlex.split(replay_command(SCHEDULE, where)) == [
        "pytest",
        where,
        "--parallel-replay=o,h5,r0,17=main.p1",
    ]


def test_a_failure_is_told_in_full() -> None:
    told = dataclasses.replace(failure(), interleaving="main  main.p1\n", traceback="Traceback\n", replayed=2)
    found = dataclasses.replace(exploration(SOME, failure=told), evidence=("a and b race",))
    assert describe(found, "test_a.py::test_b").splitlines() == [
        "the outcome depends on who goes when: 2, but 1 in the usual schedule",
        "",
        "outcomes: 1 (30x), 2 (10x)",
        "explored 3 of 40 schedules at bound 2 (40 runs, 2.3 s, seed 7)",
        "",
        "main  main.p1",
        "",
        "Traceback",
        "",
        "a and b race",
        "",
        "it came again 2 of 3 times; see it:",
        "  pytest test_a.py::test_b --parallel-replay=o,h5,r0,17=main.p1",
    ]


def test_a_failure_without_turns_depends_on_the_hash_seed() -> None:
    told = dataclasses.replace(failure(), schedule=Schedule(hash_seed=5), why=HASH_SEED)
    first, *_, again, _ = describe(exploration(failure=told), "test_a.py").splitlines()
    assert first.startswith("the outcome depends on the hash seed, that is on the order of sets or on hash(): 2, ")
    assert again == "it came again every time; see it:"


@pytest.mark.parametrize("free", ["matches", "delays"])
def test_a_failure_of_those_who_run_freely_depends_on_who_goes_when(free: str) -> None:
    told = dataclasses.replace(failure(), schedule=Schedule(free=free))
    assert describe(exploration(failure=told), "test_a.py").startswith("the outcome depends on who goes when: ")


def test_a_latent_failure_and_what_was_outside_are_told() -> None:
    told = dataclasses.replace(failure(), latent=True)
    text = describe(dataclasses.replace(exploration(failure=told), outside="p1 was away"), "test_a.py")
    assert "latent on this build: threads have to change turns at a place where this interpreter" in text
    assert "not all of it was under control: p1 was away" in text
