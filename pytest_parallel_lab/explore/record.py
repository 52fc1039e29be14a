"""What a controller tells of one explored run."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_parallel_lab.explore.protocol import Site
from pytest_parallel_lab.model.schedule import Schedule
from pytest_parallel_lab.model.verdict import Verdict


@dataclass(frozen=True)
class Decision:
    """One step: who could have had the turn, and who did.

    Attributes:
        step: its number, from 0.
        candidates: the labels of those who could go on: first the eager ones, then those who would
            rather let others go first, as in a sleep.
        eager: how many of them are eager.
        usual: the one who would go on without our doing.
        chosen: the one who did.
        op: what that one was about to do.
        site: where.
        tier: what kind of point the one who went last has come to: where a change of turns would be.
        occurrence: how often that one had come to that place.
    """

    step: int
    candidates: tuple[str, ...]
    usual: str
    chosen: str = ""
    op: str = ""
    site: Site | None = None
    tier: int = 0
    occurrence: int = 0
    eager: int = 1


@dataclass
class Record:
    """One run.

    Attributes:
        schedule: how it went; the same one makes it go that way again.
        decisions: its steps.
        ending: what became of it, as ``zygote`` packs it; empty where it has no end of its own.
        verdict: of a run that did not come to its end.
        status: the exit status of a run whose process has ended in the middle.
        outside: why not all of it was under control; empty where it was.
        saturated: whether places were passed more often than they are points.
        strayed: whether a turn that the schedule asks for could not be given.
        events: (who, kind, thing, site, name), in order.
        printed: what it printed.
        elapsed_s: seconds it took.
    """

    schedule: Schedule
    decisions: list[Decision] = field(default_factory=list)
    ending: bytes = b""
    verdict: Verdict | None = None
    status: int | None = None
    outside: str = ""
    saturated: bool = False
    strayed: bool = False
    events: list[tuple[str, str, str, Site | None, str]] = field(default_factory=list)
    printed: str = ""
    elapsed_s: float = 0.0
