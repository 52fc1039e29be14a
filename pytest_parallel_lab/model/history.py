"""Whether a benchmark has become slower than the recent stable stretch of its history.

The runs of one commit are a group. They may be more alike than runs of different commits, as they are close in
time: then the group is one piece of evidence, and else every run is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pytest_parallel_lab.model import tails
from pytest_parallel_lab.model.change_points import change_points
from pytest_parallel_lab.model.gate import NOT_GATED, UNDECIDED
from pytest_parallel_lab.model.rank_tests import p_of_longer, surest_p
from pytest_parallel_lab.model.saved_runs import SavedBenchmark, SavedRun, different_settings
from pytest_parallel_lab.model.statistics import Estimate, ratio_independent

CONFIDENCE = 0.9
"""Of the interval of a loss: each of its ends is wrong in at most 5 % of cases."""
MOST_GROUPS = 1000
_MOST_BLOCKS = 150  # of groups, in which changes are looked for: it takes the square of their number
NOTHING, RUNS, TAILS = "nothing", "runs", "tails"
ASSUMPTIONS = (NOTHING, RUNS, TAILS)
"""What may be taken for granted: nothing; that runs of a commit which do not look alike are independent; and
besides, where these are too few, that the tail of times goes on as it is."""
TAIL_RUNS = 3
"""So many runs of this commit at least, to judge by how far away they are."""
LEAST_GROUPS = 8
"""Of several runs each, to tell whether the runs of a commit are more alike than others."""
_ALIKE_LEVEL = 0.1  # rather too often taken for alike: that costs runs, the other way costs false alarms
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
        instructions: of the last run of another commit that has counted them with the same tool.
    """

    groups: tuple[Group, ...] = ()
    now_s: tuple[float, ...] = ()
    left_out: tuple[str, ...] = ()
    instructions: float | None = None


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
        tail_p: the p-value if tails are taken to go on as they are; None where there are too few runs to say.
        pieces: how many of ``now_s`` are evidence of their own: all, or one.
        alike: whether the runs of a commit are taken to be more alike than others; None where that cannot be told.
        change: where the stretch begins, where that is not the beginning of all.
        verdict: REGRESSED, UNDECIDED, PASSED or NOT_GATED.
        why: why it is undecided or not gated.
        notes: what else is to be known.
        instructions: of one call, before and now; None where they were not counted.
        by_instructions: whether these gave the verdict.
    """

    fullname: str
    now_s: tuple[float, ...]
    stretch_s: tuple[float, ...] = ()
    groups: int = 0
    loss: Estimate | None = None
    p_value: float = 1.0
    surest: float = 1.0
    tail_p: float | None = None
    pieces: int = 1
    alike: bool | None = None
    change: Change | None = None
    verdict: str = UNDECIDED
    why: str = ""
    notes: tuple[str, ...] = ()
    instructions: tuple[float, float] | None = None
    by_instructions: bool = False


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
    counted: float | None = None
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
            continue
        if same_commit:
            now_s.append(saved.time_s)
            continue
        if now.instructions and saved.instructions and saved.instructions[0] == now.instructions[0]:
            counted = saved.instructions[1]
        if groups and run.commit and groups[-1].commit == run.commit:
            groups[-1] = replace(groups[-1], times_s=(*groups[-1].times_s, saved.time_s))
        else:
            groups.append(Group(run.name, run.commit, (saved.time_s,)))
    told = tuple(f"{count} left out: {why}" for why, count in left_out.items())
    return History(tuple(groups[-MOST_GROUPS:]), tuple(now_s), told, counted)


def compare(now: SavedBenchmark, history: History, assume: str = RUNS) -> Judged:
    """Compare a benchmark with the stretch since its history's last change; ``history_decisions`` has the verdict.

    Args:
        now: the benchmark as it is now.
        history: what there is to compare with.
        assume: one of ``ASSUMPTIONS``.

    Source: the loss is Hodges and Lehmann's shift of logarithms, with the interval of Mann and Whitney's
        statistic; the p-value is that statistic's, one-sided (Hollander, Wolfe and Chicken, Nonparametric
        Statistical Methods, 3rd ed., 2014, chapter 4).
    """
    now_s = (now.time_s, *history.now_s)
    counts = (history.instructions, now.instructions[1]) if history.instructions and now.instructions else None
    judged = Judged(now.fullname, now_s, notes=history.left_out, instructions=counts)
    if not now.gated:
        return replace(judged, verdict=NOT_GATED, why="oversubscribed: more workers than usable cores")
    groups, change = _stretch(history.groups)
    if not groups:
        return judged
    alike = assume == NOTHING or are_alike_within(groups)
    notes = judged.notes
    if alike is False:
        stretch_s = tuple(time_s for group in groups for time_s in group.times_s)
    else:
        if len(now_s) > 1 or any(len(group.times_s) > 1 for group in groups):
            told = "they are more alike than others" if alike else "too few have several to tell if these are alike"
            told = "nothing is assumed of them" if assume == NOTHING else told
            notes = (*notes, f"the runs of a commit count as one: {told}")
        stretch_s, now_s = tuple(median(group.times_s) for group in groups), (median(now_s),)
    return replace(
        judged,
        stretch_s=stretch_s,
        groups=len(groups),
        loss=ratio_independent(now_s, stretch_s, CONFIDENCE),
        p_value=p_of_longer(now_s, stretch_s),
        surest=surest_p(len(stretch_s), len(now_s)),
        tail_p=_tail_p(judged.now_s, groups),
        pieces=len(now_s),
        alike=alike,
        change=change,
        notes=notes,
    )


def _tail_p(now_s: Sequence[float], groups: Sequence[Group]) -> float | None:
    """The p-value of the median of several runs now: in a single one, a disturbance would be taken for a loss."""
    if len(now_s) < TAIL_RUNS or len(groups) < tails.LEAST:
        return None
    return tails.p_beyond(math.log(median(now_s)), [math.log(median(group.times_s)) for group in groups])


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


def _stretch(groups: Sequence[Group]) -> tuple[Sequence[Group], Change | None]:
    """The groups since the last change, and that change; all and None where there is none."""
    size = math.ceil(len(groups) / _MOST_BLOCKS)
    blocks = [groups[start : start + size] for start in range(0, len(groups), size or 1)]
    starts = [place * size for place in change_points([math.log(_middle(block)) for block in blocks])]
    if not starts:
        return groups, None
    before, since = groups[starts[-2] if len(starts) > 1 else 0 : starts[-1]], groups[starts[-1] :]
    return since, Change(since[0], _middle(since) / _middle(before))


def _middle(groups: Sequence[Group]) -> float:
    return median(median(group.times_s) for group in groups)
