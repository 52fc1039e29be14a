"""Whether a benchmark has become slower than the recent stable stretch of its history.

The runs of one commit are a group. They may be more alike than runs of different commits, as they are close in
time: then the group is one piece of evidence, and else every run is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist, median

from pytest_parallel_lab.model.change_points import change_points
from pytest_parallel_lab.model.gate import NOT_GATED, PASSED, REGRESSED, UNDECIDED
from pytest_parallel_lab.model.gate_decisions import holm
from pytest_parallel_lab.model.saved_runs import SavedBenchmark, SavedRun, different_settings
from pytest_parallel_lab.model.statistics import EXACT_PRODUCT, Estimate, mann_whitney_counts, ratio_independent

FALSE_ALARMS = 0.01
"""How often at most a run without any loss may fail."""
CONFIDENCE = 0.9
"""Of the interval of a loss: each of its ends is wrong in at most 5 % of cases."""
MOST_GROUPS = 1000
_MOST_BLOCKS = 150  # of groups, in which changes are looked for: it takes the square of their number
LEAST_GROUPS = 8
"""Of several runs each, to tell whether the runs of a commit are more alike than others."""
_ALIKE_LEVEL = 0.1  # rather too often taken for alike: that costs runs, the other way costs false alarms
_UNNOTICED = 2  # times as many of those: runs of a commit may be a little alike without being noticed
_PERMUTATIONS = 499


@dataclass(frozen=True)
class Group:
    """The runs of one commit.

    Attributes:
        first: the name of its first run's file.
        commit: "" where it is not known; then the group is one run.
        times_s: of one benchmark, of each run.
    """

    first: str
    commit: str
    times_s: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.first} ({self.commit[:12]})" if self.commit else self.first


@dataclass(frozen=True)
class History:
    """What there is to judge one benchmark by.

    Attributes:
        groups: of other commits, in the order of time.
        now_s: of runs of the very same commit, saved before.
        left_out: why runs of this kind of machine are not used, each with its count.
    """

    groups: tuple[Group, ...] = ()
    now_s: tuple[float, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """Where the level of a history changed last.

    Attributes:
        group: the first one after it.
        factor: by what the times after it are longer than those of the stretch before.
    """

    group: Group
    factor: float


@dataclass(frozen=True)
class Judged:
    """One benchmark of this run against its history.

    Attributes:
        fullname: of the benchmark.
        now_s: its lower quartile: of this run, and of earlier runs of the same commit.
        stretch_s: what it is compared with: of single runs, or of groups their medians.
        groups: how many commits the stretch has.
        loss: by what factor it takes longer; None where there is nothing to compare with.
        p_value: how likely times that are so much longer are without a loss.
        surest: the least p-value that so many runs can have.
        pieces: how many of ``now_s`` are evidence of their own: all, or one.
        alike: whether the runs of a commit are more alike than others; None where that cannot be told.
        change: where the stretch begins, where that is not the beginning of all.
        verdict: REGRESSED, UNDECIDED, PASSED or NOT_GATED.
        why: why it is undecided or not gated.
        notes: what else is to be known.
    """

    fullname: str
    now_s: tuple[float, ...]
    stretch_s: tuple[float, ...] = ()
    groups: int = 0
    loss: Estimate | None = None
    p_value: float = 1.0
    surest: float = 1.0
    pieces: int = 1
    alike: bool | None = None
    change: Change | None = None
    verdict: str = UNDECIDED
    why: str = ""
    notes: tuple[str, ...] = field(default=())


def history_of(now: SavedBenchmark, runs: Iterable[SavedRun], commit: str, *, dirty: bool) -> History:
    """Collect what saved runs tell of a benchmark.

    Args:
        now: the benchmark as it is now.
        runs: of this kind of machine, in the order of time.
        commit: of the code as it is now; "" where it is not known.
        dirty: whether files differ from it.
    """
    groups: list[Group] = []
    now_s: list[float] = []
    left_out: dict[str, int] = {}
    for run in runs:
        saved = run.benchmarks.get(now.fullname)
        if saved is None:
            if now.fullname in run.unusable:
                left_out[run.unusable[now.fullname]] = 1
            continue
        different = different_settings(saved.settings, now.settings)
        same_commit = bool(commit) and run.commit == commit
        if different or (same_commit and (dirty or run.dirty)):
            why = f"other settings ({different})" if different else "the same commit, but files differ from it"
            left_out[why] = left_out.get(why, 0) + 1
        elif same_commit:
            now_s.append(saved.time_s)
        elif groups and run.commit and groups[-1].commit == run.commit:
            groups[-1] = replace(groups[-1], times_s=(*groups[-1].times_s, saved.time_s))
        else:
            groups.append(Group(run.name, run.commit, (saved.time_s,)))
    told = tuple(f"{count} left out: {why}" for why, count in left_out.items())
    return History(tuple(groups[-MOST_GROUPS:]), tuple(now_s), told)


def compare(now: SavedBenchmark, history: History) -> Judged:
    """Compare a benchmark with the stretch since its history's last change; ``decide`` gives the verdict.

    Source: the loss is Hodges and Lehmann's shift of logarithms, with the interval of Mann and Whitney's
        statistic; the p-value is that statistic's, one-sided (Hollander, Wolfe and Chicken, Nonparametric
        Statistical Methods, 3rd ed., 2014, chapter 4).
    """
    now_s = (now.time_s, *history.now_s)
    judged = Judged(now.fullname, now_s, notes=history.left_out)
    if not now.gated:
        return replace(judged, verdict=NOT_GATED, why="oversubscribed: more workers than usable cores")
    groups, change = _stretch(history.groups)
    if not groups:
        return judged
    alike = are_alike_within(groups)
    notes = judged.notes
    if alike is False:
        stretch_s = tuple(time_s for group in groups for time_s in group.times_s)
    else:
        if len(now_s) > 1 or any(len(group.times_s) > 1 for group in groups):
            told = "they are more alike than others" if alike else "too few have several to tell if these are alike"
            notes = (*notes, f"the runs of a commit count as one: {told}")
        stretch_s, now_s = tuple(median(group.times_s) for group in groups), (median(now_s),)
    return replace(
        judged,
        stretch_s=stretch_s,
        groups=len(groups),
        loss=ratio_independent(now_s, stretch_s, CONFIDENCE),
        p_value=p_of_longer(now_s, stretch_s),
        surest=surest_p(len(stretch_s), len(now_s)),
        pieces=len(now_s),
        alike=alike,
        change=change,
        notes=notes,
    )


def decide(compared: Sequence[Judged], threshold: float, level: float) -> list[Judged]:
    """Give the verdicts on all benchmarks of one test.

    Regressed: rejected by Holm's procedure at the level, and longer by more than half the threshold.
    Passed: the whole interval is below the threshold. Else undecided.

    Args:
        compared: what ``compare`` gave.
        threshold: the loss that fails: 0.05 is 5 %.
        level: how often at most the test may fail without a loss.
    """
    open_ones = [one for one in compared if one.verdict != NOT_GATED]
    rejected = dict(zip([one.fullname for one in open_ones], holm([one.p_value for one in open_ones], level)))
    return [_decided(one, threshold, level / len(open_ones), rejected) if one in open_ones else one for one in compared]


def are_alike_within(groups: Sequence[Group]) -> bool | None:
    """Whether the runs of a group are more alike than runs of different groups; None where too few can tell.

    A permutation test of the squared distances of ranks from the mean of their group.
    """
    import numpy as np

    several = [group.times_s for group in groups if len(group.times_s) > 1]
    if len(several) < LEAST_GROUPS:
        return None
    times_s = np.concatenate([np.asarray(one) for one in several])
    ranks = np.argsort(np.argsort(times_s, kind="stable"), kind="stable").astype(float)
    sizes = np.array([len(one) for one in several])
    starts = np.cumsum(sizes) - sizes
    permuted = np.random.default_rng(len(ranks)).permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)
    # The squares within groups add up with these to the same sum, however the ranks are permuted.
    between = (np.add.reduceat(np.vstack([ranks, permuted]), starts, axis=1) ** 2 / sizes).sum(axis=1)
    as_alike = int((between[1:] >= between[0] - 1e-9).sum())
    return (1 + as_alike) / (1 + _PERMUTATIONS) <= _ALIKE_LEVEL


def p_of_longer(now_s: Sequence[float], before_s: Sequence[float]) -> float:
    """How likely times that rank so high among those before are, where all come from the same: one-sided.

    Of several times now it is twice that: they are close in time, and may be alike without having been noticed to be.
    """
    m, n = len(now_s), len(before_s)
    not_longer = sum(one <= other for one in now_s for other in before_s)  # ties count against a loss
    if m * n > EXACT_PRODUCT:
        statistic = NormalDist(m * n / 2, math.sqrt(m * n * (m + n + 1) / 12))
        p_value = statistic.cdf(not_longer + 0.5)
    else:
        p_value = sum(mann_whitney_counts(m, n)[: not_longer + 1]) / math.comb(m + n, m)
    return min(1.0, p_value * (_UNNOTICED if m > 1 else 1))


def surest_p(stretch: int, now: int) -> float:
    """The least p-value that so many runs can have: all of those now took longer than all before."""
    return min(1.0, (_UNNOTICED if now > 1 else 1) / math.comb(stretch + now, now))


def runs_needed(stretch: int, now: int, level: float) -> tuple[int, int]:
    """How many runs would make a p-value of this level possible.

    Args:
        stretch: runs in the stretch, 1 at least.
        now: runs of this commit.
        level: of the test.

    Returns:
        Runs of this commit with this stretch, and the length of a stretch with these runs.
    """
    wanted, long = now, stretch
    while surest_p(stretch, wanted) > level:
        wanted += 1
    while surest_p(long, now) > level:
        long += 1
    return wanted, long


def _stretch(groups: Sequence[Group]) -> tuple[Sequence[Group], Change | None]:
    """The groups since the last change, and that change; all and None where there is none."""
    size = math.ceil(len(groups) / _MOST_BLOCKS)
    blocks = [groups[start : start + size] for start in range(0, len(groups), size or 1)]
    starts = [place * size for place in change_points([math.log(_middle(block)) for block in blocks])]
    if not starts:
        return groups, None
    before, since = groups[starts[-2] if len(starts) > 1 else 0 : starts[-1]], groups[starts[-1] :]
    return since, Change(since[0], _middle(since) / _middle(before))


def _decided(one: Judged, threshold: float, level: float, rejected: dict[str, bool]) -> Judged:
    if one.loss is None:
        return replace(one, why="no saved run of this kind of machine has it")
    if rejected[one.fullname] and one.loss.value > 1 + threshold / 2:
        return replace(one, verdict=REGRESSED)
    if one.loss.has_interval and one.loss.high < 1 + threshold:
        return replace(one, verdict=PASSED)
    return replace(one, why=_why_undecided(one, threshold, level))


def _why_undecided(one: Judged, threshold: float, level: float) -> str:
    if one.surest <= level:
        return f"neither sure to be longer nor to stay below +{100 * threshold:g} %"
    stretch = len(one.stretch_s)
    wanted, long = runs_needed(stretch, one.pieces, level)
    what = "runs" if one.alike is False else "commits"
    since = "since the last change" if one.change else "before"
    text = f"{stretch} {what} {since} and {one.pieces} now: {long} are needed for 1 in {round(1 / level)}"
    if one.alike is None:
        return f"{text}, or several runs of each of {LEAST_GROUPS} commits"
    return text if one.alike else f"{text}, or {wanted} runs of this commit"


def _middle(groups: Sequence[Group]) -> float:
    return median(median(group.times_s) for group in groups)
