"""What batch systems have in common, and how they are asked."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.site import Site

PENDING, RUNNING, ENDING, ENDED = "pending", "running", "ending", "ended"
_ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True)
class Job:
    """What a scheduler says of a job.

    Attributes:
        state: pending, running, ending or ended; once it has ended, nothing is left of it.
        says: the scheduler's own words.
    """

    state: str
    says: str


class Scheduler(Protocol):
    """A batch system."""

    @property
    def programs(self) -> Sequence[str]:
        """Its commands that must be there."""

    def submit(self, site: Site, name: str, script: str, output: str) -> list[str]:
        """The command that submits a job; it prints the job's number first."""

    def look(self, number: str) -> Job:
        """What it says of a job."""

    def cancel(self, job: str, *, force: bool = False) -> list[str]:
        """The command that cancels a job, by its number or name; it may be pending or run.

        Args:
            job: its number or name.
            force: though its nodes do not answer.
        """

    def nodes(self, told: Mapping[str, str]) -> tuple[str, ...]:
        """The nodes of a job, from what its foreman has told."""

    def host(self) -> str:
        """A host that this machine reaches the way it reaches the site."""


def ask(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run one of a scheduler's commands.

    Raises:
        StartFailed: it is not there, or does not answer.
    """
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=_ANSWER_LIMIT_S, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise StartFailed(f"there is no {argv[0]} on PATH: are the scheduler's commands installed here?") from error
    except subprocess.TimeoutExpired as error:
        raise StartFailed(f"{argv[0]} did not answer within {_ANSWER_LIMIT_S:g} s: is the scheduler up?") from error


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a command has printed, on either stream."""
    return " ".join(f"{done.stdout} {done.stderr}".split())
