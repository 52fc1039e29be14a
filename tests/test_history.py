"""A benchmark against its history: false alarms, losses that are found, and what is told where it cannot be known."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import pytest

from pytest_parallel_lab.model.gate import NOT_GATED, PASSED, REGRESSED, UNDECIDED
from pytest_parallel_lab.model.history import (
    NOTHING,
    RUNS,
    TAILS,
    Group,
    History,
    Judged,
    are_alike_within,
    compare,
    history_of,
)
from pytest_parallel_lab.model.history_decisions import decide
from pytest_parallel_lab.model.rank_tests import p_of_longer, runs_needed, surest_p
from pytest_parallel_lab.model.saved_runs import SavedBenchmark, SavedRun
from tests.test_change_points import NOISES

NAME = "test_sum.py::test_sum"


def benchmark(time_s: float, **settings: Any) -> SavedBenchmark:
    return SavedBenchmark(NAME, time_s, settings)


def judged(
    now_s: Sequence[float], groups: Sequence[Sequence[float]], level: float = 0.01, assume: str = RUNS
) -> Judged:
    """Judge times of now against those of commits."""
    history = History(tuple(Group(f"{i}.json", f"c{i}", tuple(one)) for i, one in enumerate(groups)), tuple(now_s[1:]))
    (found,) = decide([compare(benchmark(now_s[0]), history, assume)], 0.05, level, assume)
    return found


def times(noise: str, commits: int, runs: int, seed: int, slower: float = 0.0) -> tuple[list[float], list[list[float]]]:
    """Times of now, and of the commits before."""
    draw = random.Random(seed)
    groups = [[0.01 * math.exp(NOISES[noise](draw)) for _ in range(runs)] for _ in range(commits + 1)]
    return [(1 + slower) * one for one in groups[-1]], groups[:-1]


def verdicts(noise: str, commits: int, runs: int, slower: float = 0.0, count: int = 200) -> list[str]:
    return [judged(*times(noise, commits, runs, seed, slower)).verdict for seed in range(count)]


@pytest.mark.parametrize("noise", NOISES)
def test_histories_without_a_loss_raise_no_more_false_alarms_than_promised(noise: str) -> None:
    found = verdicts(noise, 12, 3)
    assert found.count(REGRESSED) <= 6  # of 200 at 1 %: more has a chance below 1 in 200
    assert found.count(PASSED) > 120


def test_days_that_differ_raise_no_false_alarms_either() -> None:
    def day(draw: random.Random) -> list[float]:
        level = draw.gauss(0, 0.03)
        return [0.01 * math.exp(level + draw.gauss(0, 0.005)) for _ in range(3)]

    def as_if_each_run_counted(groups: list[list[float]]) -> bool:
        return p_of_longer(groups[-1], [one for group in groups[:-1] for one in group]) <= 0.01

    draw = random.Random(5)
    found = [[day(draw) for _ in range(16)] for _ in range(200)]
    assert sum(as_if_each_run_counted(groups) for groups in found) > 10
    assert sum(judged(groups[-1], groups[:-1]).verdict == REGRESSED for groups in found) <= 6


def test_percents_of_the_last_run_alarm_where_nothing_changed() -> None:
    found = [times("normal", 12, 1, seed) for seed in range(200)]
    assert sum(now[0] > 1.05 * groups[-1][0] for now, groups in found) > 5
    assert sum(judged(*one).verdict == REGRESSED for one in found) == 0


@pytest.mark.parametrize("noise", ["normal", "skew", "heavy tails"])
def test_a_loss_is_found(noise: str) -> None:
    found = verdicts(noise, 12, 3, slower=0.1, count=60)
    assert found.count(REGRESSED) >= 45
    assert found.count(PASSED) == 0


def test_slow_days_that_never_were_before_need_that_nothing_is_assumed() -> None:
    def verdict(seed: int, assume: str) -> str:
        draw = random.Random(seed)
        day = [draw.expovariate(1 / 0.3) if draw.random() < 0.05 else 0.0 for _ in range(13)]
        groups = [[0.01 * math.exp(level + draw.gauss(0, 0.01)) for _ in range(3)] for level in day]
        return judged(groups[-1], groups[:-1], assume=assume).verdict

    assert [verdict(seed, NOTHING) for seed in range(200)].count(REGRESSED) == 0
    assert [verdict(seed, RUNS) for seed in range(200)].count(REGRESSED) > 2  # which the documents say


def test_a_loss_is_found_with_one_run_where_the_history_is_long() -> None:
    found = verdicts("normal", 110, 1, slower=0.15, count=20)
    assert found.count(REGRESSED) >= 18


def test_a_loss_of_before_is_not_one_of_now() -> None:
    draw = random.Random(1)
    slow_since = [[level * math.exp(draw.gauss(0, 0.005))] for level in [0.01] * 15 + [0.013] * 25]
    found = judged([0.013], slow_since)
    assert found.verdict == PASSED
    assert found.change is not None
    assert (found.change.group.first, len(found.stretch_s)) == ("15.json", 25)
    assert found.change.factor == pytest.approx(1.3, rel=0.01)


def test_a_long_history_is_divided_too() -> None:
    draw = random.Random(8)
    levels = [0.01] * 150 + [0.013] * 160
    found = judged([0.013], [[level * math.exp(draw.gauss(0, 0.005))] for level in levels])
    assert found.change is not None
    assert 147 <= int(found.change.group.first.removesuffix(".json")) <= 153
    assert found.verdict == PASSED


def test_an_improvement_is_lost_when_times_are_again_as_before_it() -> None:
    draw = random.Random(2)
    faster_since = [[level * math.exp(draw.gauss(0, 0.005)) for _ in range(3)] for level in [0.013] * 9 + [0.01] * 9]
    found = judged([0.013, 0.0131, 0.0129], faster_since)
    assert found.verdict == REGRESSED
    assert found.loss is not None
    assert found.loss.low > 1.27


def unlike(commits: int, step: float) -> list[list[float]]:
    """Commits with two runs each, which are as far from each other as runs of different commits."""
    return [[0.01 * (1 + step * i), 0.01 * (1 + step * (commits - i))] for i in range(commits)]


def test_a_loss_below_half_the_threshold_fails_nothing() -> None:
    found = judged([0.0102, 0.0102, 0.0102], unlike(12, 0.001))
    assert (found.verdict, found.p_value < 0.01) == (PASSED, True)


def test_too_few_runs_are_undecided_and_told_how_many_it_takes() -> None:
    found = judged([0.02], [[0.01], [0.0101]])
    assert found.verdict == UNDECIDED
    assert found.p_value == pytest.approx(1 / 3)
    assert found.why == "2 commits before and 1 now: 99 are needed for 1 in 100, or several runs of each of 8 commits"


def test_runs_that_are_independent_are_told_how_many_more_it_takes() -> None:
    found = judged([0.02], unlike(12, 0.001))
    told = "24 runs before and 1 now: 99 are needed for 1 in 100, or 2 runs of this commit"
    assert (found.verdict, found.why) == (UNDECIDED, told)


def test_days_that_differ_are_told() -> None:
    draw = random.Random(4)
    level = [draw.gauss(0, 0.1) for _ in range(12)]
    found = judged([0.012] * 3, [[0.01 * math.exp(one + draw.gauss(0, 0.001)) for _ in range(3)] for one in level])
    assert found.verdict == UNDECIDED
    assert found.notes == ("the runs of a commit count as one: they are more alike than others",)
    assert found.why == "12 commits before and 1 now: 99 are needed for 1 in 100"


def far_away(seed: int, slower: float = 0.2) -> tuple[list[float], list[list[float]]]:
    """Days that differ by 1 %, and runs of a commit that are alike."""
    draw = random.Random(seed)
    groups = [[0.01 * math.exp(day + draw.gauss(0, 0.001)) for _ in range(3)] for day in _days(draw, 13)]
    return [(1 + slower) * one for one in groups[-1]], groups[:-1]


def _days(draw: random.Random, count: int) -> list[float]:
    return [draw.gauss(0, 0.01) for _ in range(count)]


def test_what_is_far_away_is_undecided_by_ranks_and_it_is_told() -> None:
    found = judged(*far_away(1))
    assert found.verdict == UNDECIDED
    assert found.why.startswith(
        "12 commits before and 1 now: 99 are needed for 1 in 100; it is far above all of them, 1 in "
    )
    assert found.why.endswith(" if their tail goes on as it is, with which --parallel-history-assume=tails is content")


def test_what_is_far_away_regressed_if_tails_are_taken_for_granted() -> None:
    assert [judged(*far_away(seed), assume=TAILS).verdict for seed in range(20)] == [REGRESSED] * 20
    assert [judged(*far_away(seed, 0.0), assume=TAILS).verdict for seed in range(20)].count(REGRESSED) == 0
    assert (
        "judged by how far away it is: these are too few runs to judge by ranks"
        in judged(*far_away(1), assume=TAILS).notes
    )


def test_a_single_run_is_never_judged_by_how_far_away_it_is() -> None:
    (now, *_), groups = far_away(1)
    found = judged([now, now], groups, assume=TAILS)
    assert found.verdict == UNDECIDED
    assert found.why.endswith(", or 3 runs of this commit and 8 commits before to judge by how far away it is")


@pytest.mark.parametrize("noise", NOISES)
def test_tails_that_are_taken_for_granted_raise_few_false_alarms(noise: str) -> None:
    found = [judged(*times(noise, 12, 3, seed), assume=TAILS).verdict for seed in range(200)]
    assert found.count(REGRESSED) <= 6


def test_what_is_neither_a_loss_nor_surely_none_is_undecided() -> None:
    groups = [[0.01 + 0.0001 * (i % 12)] for i in range(110)]
    assert judged([0.0108], groups).why == "neither sure to be longer nor to stay below +5 %"


def test_no_history_at_all_is_undecided() -> None:
    found = judged([0.01], [])
    assert (found.verdict, found.why) == (UNDECIDED, "no saved run of this kind of machine has it")


def test_more_workers_than_cores_are_not_gated() -> None:
    slow = SavedBenchmark(NAME, 1.0, {}, gated=False)
    (found,) = decide([compare(slow, History((Group("1.json", "", (0.01,)),)))], 0.05, 0.01)
    assert (found.verdict, found.why) == (NOT_GATED, "oversubscribed: more workers than usable cores")


def test_several_benchmarks_of_a_test_share_its_level() -> None:
    groups = tuple(Group(f"{i}.json", "", (0.01 + 1e-6 * (7 * i % 110),)) for i in range(110))
    slow, same = SavedBenchmark("t[1w]", 0.012, {}), SavedBenchmark("t[2w]", 0.01, {})
    found = decide([compare(one, History(groups)) for one in (slow, same)], 0.05, 0.01)
    assert [one.verdict for one in found] == [UNDECIDED, PASSED]
    found = decide([compare(one, History(groups)) for one in (slow, same)], 0.05, 0.02)
    assert [one.verdict for one in found] == [REGRESSED, PASSED]


# --- what of the saved runs is used -------------------------------------------------------------------


def run(number: int, time_s: float | None, commit: str = "", *, dirty: bool = False, **settings: Any) -> SavedRun:
    benchmarks = {} if time_s is None else {NAME: benchmark(time_s, **settings)}
    unusable = {NAME: f"{number}.json: no time"} if time_s is None else {}
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return SavedRun(f"{number}.json", moment, commit, dirty, {"cores": 2}, benchmarks, unusable)


def test_runs_of_a_commit_are_a_group_and_those_of_this_one_are_now() -> None:
    runs = [run(1, 0.1, "a"), run(2, 0.2, "a"), run(3, 0.3, "b"), run(4, 0.4), run(5, 0.5), run(6, 0.6, "now")]
    found = history_of(benchmark(1.0), runs, "now", dirty=False)
    assert [group.times_s for group in found.groups] == [(0.1, 0.2), (0.3,), (0.4,), (0.5,)]
    assert found.now_s == (0.6,)
    assert [str(group) for group in found.groups[1:3]] == ["3.json (b)", "4.json"]


def test_runs_of_this_commit_with_changed_files_are_neither() -> None:
    runs = [run(1, 0.1, "a"), run(2, 0.2, "now", dirty=True), run(3, 0.3, "now")]
    clean = history_of(benchmark(1.0), runs, "now", dirty=False)
    assert (clean.now_s, clean.left_out) == ((0.3,), ("1 left out: the same commit, but files differ from it",))
    changed = history_of(benchmark(1.0), runs, "now", dirty=True)
    assert (changed.now_s, changed.left_out) == ((), ("2 left out: the same commit, but files differ from it",))


def test_other_settings_and_times_that_are_none_are_left_out_and_told() -> None:
    runs = [run(1, 0.1, workers=2, blas_threads_per_worker=1), run(2, None), run(3, 0.3, workers=4)]
    found = history_of(benchmark(1.0, workers=4), runs, "", dirty=False)
    assert [group.first for group in found.groups] == ["3.json"]
    assert found.left_out == (
        "1 left out: other settings (blas_threads_per_worker 1 instead of unknown, workers 2 instead of 4)",
        "1 left out: 2.json: no time",
    )


# --- the figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), [(1, 10), (3, 7), (4, 5)])
def test_p_values_are_those_of_all_orders(m: int, n: int) -> None:
    draw = random.Random(m)
    every = [draw.random() for _ in range(m + n)]

    def rank_sum(chosen: Sequence[int]) -> int:
        return sum(every[i] > every[j] for i in chosen for j in range(m + n) if j not in chosen)

    orders = [rank_sum(chosen) for chosen in itertools.combinations(range(m + n), m)]
    exact = sum(one >= orders[0] for one in orders) / len(orders)
    assert p_of_longer(every[:m], every[m:]) == pytest.approx(min(1.0, exact * (2 if m > 1 else 1)))


def test_many_times_have_the_normal_approximation() -> None:
    draw = random.Random(7)
    now, before = ([draw.gauss(0.25 * (count == 20), 1) for _ in range(count)] for count in (20, 200))
    higher = [sum(draw.sample(range(220), 20)) for _ in range(20_000)]
    ranks = sum(sum(one > other for other in now + before) for one in now)
    simulated = sum(one >= ranks for one in higher) / len(higher)
    assert p_of_longer(now, before) == pytest.approx(2 * simulated, abs=0.02)


def test_equal_times_are_no_evidence() -> None:
    assert p_of_longer([0.01], [0.01] * 99) == 1.0


def test_how_many_runs_are_needed() -> None:
    assert surest_p(99, 1) == pytest.approx(0.01)
    assert runs_needed(99, 1, 0.01) == (1, 99)
    assert runs_needed(12, 1, 0.01) == (3, 99)
    assert runs_needed(12, 3, 0.01) == (3, 12)
    assert runs_needed(1, 1, 0.5)[0] == 1


def test_whether_runs_of_a_commit_are_alike_needs_several_of_many() -> None:
    apart = [Group(f"{i}", f"{i}", (i / 10, i / 10 + 0.01)) for i in range(1, 13)]
    mixed = [Group(f"{i}", f"{i}", (i / 10, (13 - i) / 10)) for i in range(1, 13)]
    assert are_alike_within(apart) is True
    assert are_alike_within(mixed) is False
    assert are_alike_within(apart[:7]) is None
    assert are_alike_within([Group(f"{i}", "", (0.1,)) for i in range(50)]) is None
