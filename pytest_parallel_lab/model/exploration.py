"""What an exploration has found, and how sure that is."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_parallel_lab.model.schedule import FREELY, Schedule
from pytest_parallel_lab.model.verdict import Verdict

_SHOWN_OUTCOMES = 6
_CONFIDENCE = 0.95
FREE_RUNS = "free runs"
WHO_GOES_WHEN = "who goes when"
STRAYED = "a turn that it asks for could not be given"
HASH_SEED = "the hash seed, that is on the order of sets or on hash()"
ITSELF = (
    "something else than the schedule: under the same one it differs from run to run, as with random numbers that "
    "nobody has seeded, the time, or addresses"
)


@dataclass(frozen=True)
class Searched:
    """How a part of the schedules was searched.

    Attributes:
        what: "bound 1" for all schedules with that many turns out of order, or the name of a way to sample.
        runs: how many were carried out.
        of: how many there are; None where that is not known, as for samples.
    """

    what: str
    runs: int
    of: int | None = None


@dataclass(frozen=True)
class Seen:
    """One outcome.

    Attributes:
        text: the outcome in words.
        runs: how often it came.
        schedule: of the first run that it came of.
    """

    text: str
    runs: int
    schedule: Schedule


@dataclass(frozen=True)
class Failure:
    """A schedule that fails.

    Attributes:
        schedule: the smallest that was found.
        outcome: what comes of it.
        expected: what should, or what comes of the usual schedule, in words.
        traceback: of an exception that it ends with.
        verdict: where it hangs.
        interleaving: who did what, in columns.
        replayed: how often it was carried out again, and ended the same way.
        replays: how often it was carried out again.
        why: what the outcome depends on, in words.
        kind: how it ends: "returned", "raised", "hangs", "unfinished" or "died".
        printed: what was printed meanwhile.
        latent: whether it needs threads to change turns where this interpreter rarely or never does so.
        always: whether every schedule that was tried ends like this.
        exception: what it raised, pickled, where that can travel.
    """

    schedule: Schedule
    outcome: str
    expected: str
    traceback: str = ""
    verdict: Verdict | None = None
    interleaving: str = ""
    replayed: int = 0
    replays: int = 0
    latent: bool = False
    always: bool = False
    why: str = WHO_GOES_WHEN
    kind: str = "returned"
    printed: str = ""
    exception: bytes = b""


@dataclass(frozen=True)
class Exploration:
    """What an exploration has found.

    Attributes:
        value: what the function returned in the usual schedule.
        runs: how many runs there were.
        elapsed_s: seconds they took.
        searched: how, part by part.
        outcomes: what came of them.
        failure: what went wrong, if anything did.
        numerical: a schedule with a result that differs in the last bits only, if there is one.
        same_streams: random streams that several workers drew the same numbers from.
        evidence: accesses that nothing orders, in words; evidence, not proof that anything goes wrong.
        outside: why not everything was under control; empty where it was.
        saturated: whether only the first passes of places were explored.
        seed: what sampled schedules came from.
    """

    value: Any
    runs: int
    elapsed_s: float
    searched: tuple[Searched, ...]
    outcomes: tuple[Seen, ...]
    failure: Failure | None = None
    numerical: Schedule | None = None
    same_streams: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    outside: str = ""
    saturated: bool = False
    seed: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether every schedule at some bound was tried, with nothing outside of our control."""
        return any(part.of == part.runs for part in self.searched) and not self.outside and not self.saturated

    def statement(self) -> str:
        """How much was tried, and what that says where nothing failed."""
        parts = []
        whole = [part for part in self.searched if part.of is not None]
        free = sum(part.runs for part in self.searched if part.what == FREE_RUNS)
        sampled = sum(part.runs for part in self.searched if part.of is None) - free
        for part in whole:
            if part.of == 0:
                parts.append("there is only one schedule")
                continue
            parts.append(f"explored {part.runs} of {part.of} schedules at {part.what}")
        if self.failure is not None:
            return "; ".join([*parts, *([f"sampled {sampled} schedules"] if sampled else [])])
        if parts:
            parts[-1] += ": none fails"
        if sampled:
            parts.append(f"0 of {sampled} sampled schedules fail: below {bound_percent(sampled)} with 95 % confidence")
        if free and not parts:
            parts.append(f"0 of {free} free runs fail; no schedule was tried in turns")
        elif free and self.outside:
            parts.append(f"0 of {free} free runs fail")
        if self.outside:
            parts.append(f"not all of it was under control: {self.outside}")
        if self.saturated:
            parts.append("of places that are passed often, only the first 64 passes were explored")
        return "; ".join(parts) or f"{self.runs} runs: none fails"


def bound_percent(runs: int) -> str:
    """What share of schedules fails at most, where none of a random sample did.

    Args:
        runs: the size of the sample.

    Source: the exact one-sided binomial bound 1 - 0.05**(1/n), close to 3/n (the "rule of three",
    Hanley & Lippman-Hand, JAMA 249, 1983).
    """
    share = 1.0 - (1.0 - _CONFIDENCE) ** (1.0 / runs)
    percent = 100.0 * share
    digits = max(0, 1 - math.floor(math.log10(percent))) if percent < 10 else 0
    return f"{math.ceil(percent * 10**digits) / 10**digits:g} %"


def describe(found: Exploration, where: str) -> str:
    """Tell of a failure: what, how often, how, and how to see it again.

    Args:
        found: with a failure.
        where: what was explored: a test's node id, or a function's name.
    """
    failure = found.failure
    assert failure is not None
    again = "every time" if failure.replayed == failure.replays else f"{failure.replayed} of {failure.replays} times"
    lines = [
        f"the outcome depends on {failure.why}: {failure.outcome}, {failure.expected}",
        "",
        "outcomes: " + distribution(found.outcomes),
        f"{found.statement() or 'replayed'} ({found.runs} runs, {found.elapsed_s:.1f} s, seed {found.seed})",
    ]
    if failure.latent:
        lines.append(
            "latent on this build: threads have to change turns at a place where this interpreter rarely or never "
            "lets them; on a free-threaded build they do"
        )
    if found.outside:
        lines.append(f"not all of it was under control: {found.outside}")
    if failure.interleaving:
        lines += ["", failure.interleaving.rstrip()]
    if failure.traceback:
        lines += ["", failure.traceback.rstrip()]
    lines += ["", *found.evidence[:_SHOWN_OUTCOMES]] if found.evidence else []
    if failure.schedule.free == FREELY:
        free = sum(part.runs for part in found.searched if part.what == FREE_RUNS)
        told = f"in {free} runs nobody was told when to go; some of these failed, and none of those in turns"
        return "\n".join([*lines, "", f"{told}: there is no schedule to replay. Explore again, or for longer"])
    if failure.why == ITSELF:
        return "\n".join([*lines, "", "return only what has to be the same in every run, and seed what is random"])
    lines += ["", f"it came again {again}; see it:", f"  {replay_command(failure.schedule, where)}"]
    return "\n".join(lines)


def replay_command(schedule: Schedule, where: str) -> str:
    """The command, or from a script the argument, that carries a schedule out again."""
    if "::" not in where:
        return f"lab.explore({where}, replay={str(schedule)!r})"
    return f"pytest {shlex.quote(where)} --parallel-replay={schedule}"


def distribution(outcomes: Sequence[Seen]) -> str:
    """How often each outcome came, the most frequent first."""
    ordered = sorted(outcomes, key=lambda seen: -seen.runs)
    shown = [f"{seen.text} ({seen.runs}x)" for seen in ordered[:_SHOWN_OUTCOMES]]
    left = len(ordered) - len(shown)
    return ", ".join(shown) + (f" and {left} others" if left else "")
