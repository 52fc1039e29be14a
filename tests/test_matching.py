"""Which message a receive from anybody gets, with messages of our own making and a clock that does not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from pytest_parallel_lab.backends.mpi import matching
from pytest_parallel_lab.backends.mpi.matching import Match, Matching


class Clock:
    """Goes on only where somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(matching, "time", made)
    return made


def there(*messages: Match) -> Callable[[int], Match | None]:
    """The first message of each source."""
    return lambda source: next((match for match in messages if match[0] == source), None)


def arriving(clock: Clock, **after_s: float) -> Callable[[int], Match | None]:
    """Messages with tag 0 that arrive after a while: of source 1 that is r1."""
    began_s = clock.now_s
    return lambda source: (source, 0) if clock.now_s - began_s >= after_s.get(f"r{source}", 1e9) else None


def test_without_a_seed_the_lowest_rank_comes_first() -> None:
    assert Matching(None, []).choose(there((3, 7), (1, 5), (2, 6)), [3, 2, 1]) == (1, 5)


def test_with_all_there_nobody_waits(clock: Clock) -> None:
    Matching(0, []).choose(there((0, 0), (1, 0)), range(2))
    assert clock.now_s == 100.0


def test_the_same_seed_chooses_the_same() -> None:
    probe = there(*((source, 0) for source in range(4)))

    def choices(seed: int) -> list[Match | None]:
        chooser = Matching(seed, [])
        return [chooser.choose(probe, range(4)) for _ in range(20)]

    assert choices(7) == choices(7)
    assert choices(7) != choices(8)


def test_all_sources_are_chosen_from() -> None:
    chooser = Matching(0, [])
    chosen = Counter(chooser.choose(there((1, 0), (2, 0), (3, 0)), [1, 2, 3]) for _ in range(300))
    assert set(chosen) == {(1, 0), (2, 0), (3, 0)}
    assert min(chosen.values()) > 50


def test_the_order_in_which_messages_arrive_does_not_matter(clock: Clock) -> None:
    first = Matching(3, []).choose(arriving(clock, r1=0.0, r2=0.005), [1, 2])
    second = Matching(3, []).choose(arriving(clock, r1=0.005, r2=0.0), [1, 2])
    assert first == second


def test_others_have_a_moment_to_arrive(clock: Clock) -> None:
    chooser = Matching(0, [])
    assert {chooser.choose(arriving(clock, r1=0.0, r2=0.01), [1, 2]) for _ in range(30)} == {(1, 0), (2, 0)}


def test_those_who_come_too_late_are_not_waited_for(clock: Clock) -> None:
    assert Matching(None, []).choose(arriving(clock, r1=0.1, r0=0.15), range(3)) == (1, 0)
    assert 100.1 <= clock.now_s < 100.15


def test_where_nothing_comes_the_receive_waits_as_ever(clock: Clock) -> None:
    chooser = Matching(0, [])
    assert chooser.choose(there(), range(4)) is None
    assert not chooser.strayed
    assert 100.2 <= clock.now_s < 100.21


def test_without_anybody_who_could_have_sent_nobody_waits(clock: Clock) -> None:
    assert Matching(0, []).choose(there(), []) is None
    assert clock.now_s == 100.0


def test_forced_choices_come_first() -> None:
    forced = [(2, 0), (1, 0), (2, 0)]
    chooser = Matching(None, forced)
    taken = []
    for _ in range(5):
        match = chooser.choose(there((1, 0), (2, 0)), [1, 2])
        assert match is not None
        chooser.noted.append(match)  # as the receive does with what it has got
        taken.append(match)
    assert taken == [*forced, (1, 0), (1, 0)]
    assert not chooser.strayed


def test_a_forced_message_is_waited_for_longer(clock: Clock) -> None:
    chooser = Matching(None, [(2, 0)])
    assert chooser.choose(arriving(clock, r1=0.0, r2=0.15), [1, 2]) == (2, 0)
    assert not chooser.strayed


@pytest.mark.parametrize("forced", [(2, 0), (1, 9), (5, 0)], ids=["absent", "another tag", "no such source"])
def test_a_choice_that_cannot_be_forced_is_told(forced: Match) -> None:
    chooser = Matching(None, [forced])
    assert chooser.choose(there((1, 0)), [1, 2]) == (1, 0)
    assert chooser.strayed


def test_a_forced_choice_of_nothing_is_told() -> None:
    chooser = Matching(None, [(1, 0)])
    assert chooser.choose(there(), [1, 2]) is None
    assert chooser.strayed
