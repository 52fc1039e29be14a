"""What a comparison with history comes to: verdicts on the benchmarks of one test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_parallel_lab.model import tails
from pytest_parallel_lab.model.gate import NOT_GATED, PASSED, REGRESSED
from pytest_parallel_lab.model.gate_decisions import holm
from pytest_parallel_lab.model.history import LEAST_GROUPS, RUNS, TAIL_RUNS, TAILS, Judged
from pytest_parallel_lab.model.rank_tests import runs_needed


def decide(compared: Sequence[Judged], threshold: float, level: float, assume: str = RUNS) -> list[Judged]:
    """Give the verdicts on all benchmarks of one test.

    Regressed: rejected by Holm's procedure at the level, and longer by more than half the threshold.
    Passed: the whole interval is below the threshold. Else undecided. Instructions that were counted then and
    now have no noise: more of them by the threshold are regressed, and with fewer than that no time is undecided.

    Args:
        compared: what ``compare`` gave.
        threshold: the loss that fails: 0.05 is 5 %.
        level: how often at most the test may fail without a loss.
        assume: with TAILS, what has too few runs for a distribution-free test is judged by ``tail_p``.
    """
    open_ones = [one for one in compared if one.verdict != NOT_GATED]
    each = level / max(1, len(open_ones))
    if assume == TAILS:
        open_ones = [one if one.tail_p is None or one.surest <= each else _by_tails(one) for one in open_ones]
    rejected = holm([one.p_value for one in open_ones], level)
    decided = {one.fullname: _decided(one, threshold, each, lost, assume) for one, lost in zip(open_ones, rejected)}
    return [decided.get(one.fullname, one) for one in compared]


def _by_tails(one: Judged) -> Judged:
    assert one.tail_p is not None
    told = "judged by how far away it is: these are too few runs to judge by ranks"
    return replace(one, p_value=one.tail_p, notes=(*one.notes, told))


def _decided(one: Judged, threshold: float, level: float, rejected: bool, assume: str) -> Judged:
    more = one.instructions[1] / one.instructions[0] - 1 if one.instructions else None
    if more is not None and more > threshold:
        return replace(one, verdict=REGRESSED, why=f"{100 * more:+.2f} % instructions", by_instructions=True)
    if one.loss is None:
        return replace(one, why="no saved run of this kind of machine has it")
    if rejected and one.loss.value > 1 + threshold / 2:
        return replace(one, verdict=REGRESSED)
    if one.loss.has_interval and one.loss.high < 1 + threshold:
        return replace(one, verdict=PASSED)
    if more is not None:
        told = f"passed by its instructions: {100 * more:+.2f} %"
        return replace(one, verdict=PASSED, notes=(*one.notes, told), by_instructions=True)
    return replace(one, why=_why_undecided(one, threshold, level, assume))


def _why_undecided(one: Judged, threshold: float, level: float, assume: str) -> str:
    """Why it could not be told: the times, or that there are too few of them."""
    if one.surest <= level or (assume == TAILS and one.tail_p is not None):
        return f"neither sure to be longer nor to stay below +{100 * threshold:g} %"
    stretch = len(one.stretch_s)
    wanted, long = runs_needed(stretch, one.pieces, level)
    what = "runs" if one.alike is False else "commits"
    since = "since the last change" if one.change else "before"
    text = f"{stretch} {what} {since} and {one.pieces} now: {long} are needed for 1 in {round(1 / level)}"
    if one.alike is None:
        text = f"{text}, or several runs of each of {LEAST_GROUPS} commits"
    elif not one.alike:
        text = f"{text}, or {wanted} runs of this commit"
    return text + _by_tails_it_would_be(one, threshold, level, assume)


def _by_tails_it_would_be(one: Judged, threshold: float, level: float, assume: str) -> str:
    if one.tail_p is None:
        needed = f"{TAIL_RUNS} runs of this commit and {tails.LEAST} commits before"
        return f", or {needed} to judge by how far away it is" if assume == TAILS else ""
    if one.tail_p > level or one.loss is None or one.loss.value <= 1 + threshold / 2:
        return ""
    told = f"it is far above all of them, 1 in {float(f'{1 / one.tail_p:.1g}'):,.0f} if their tail goes on as it is"
    return f"; {told}, with which --parallel-history-assume=tails is content"
