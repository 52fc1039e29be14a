"""The corpus: programs whose outcome is a matter of timing, their mended twins, and innocent ones that look racy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.context import ForkContext, ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, TypeVar, Union

FAMILIES = (
    "counters",
    "thread_counters",
    "accounts",
    "arrays",
    "managers",
    "files",
    "torn",
    "protocols",
    "wakeups",
    "meetings",
    "queues",
    "pipes",
    "orders",
    "sums",
    "laziness",
    "containers",
    "randomness",
    "hashes",
    "pools",
    "spawned",
    "copied_locks",
    "innocents",
    "innocent_orders",
)

Main = TypeVar("Main", bound=Callable[[], Any])
Worker = Union[BaseProcess, Thread]
Context = Union[ForkContext, SpawnContext, ForkServerContext]

FORK = get_context("fork")
SPAWN = get_context("spawn")
FORKSERVER = get_context("forkserver")

NOTHING: Any = object()
"""No reference: the outcomes of the schedules are compared with each other only."""


@dataclass(frozen=True)
class Program:
    """One program: a function without arguments that returns its outcome."""

    function: Callable[[], Any]
    verdict: str = ""
    """What is to be found: Race, Deadlock, Nondeterminism or SameStream; empty: nothing."""
    reference: Any = NOTHING
    """The right outcome, where the wrong one may be the same under every schedule."""
    fixed: Callable[[], Any] | None = None
    """The twin, with the bug mended."""

    @property
    def id(self) -> str:
        """Family and name of the function, unique in the corpus."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"


BUGGY: list[Program] = []
FIXED: list[Program] = []
INNOCENT: list[Program] = []


def buggy(verdict: str, reference: Any = NOTHING) -> Callable[[Main], Main]:
    """Register a program with a bug of timing."""

    def register(function: Main) -> Main:
        _add(BUGGY, Program(function, verdict, reference))
        return function

    return register


def fixes(wrong: Callable[[], Any]) -> Callable[[Main], Main]:
    """Register the mended twin of the buggy program `wrong`."""

    def register(function: Main) -> Main:
        index = next(index for index, program in enumerate(BUGGY) if program.function is wrong)
        BUGGY[index] = replace(BUGGY[index], fixed=function)
        _add(FIXED, Program(function, reference=BUGGY[index].reference))
        return function

    return register


def innocent(function: Main) -> Main:
    """Register a correct program that looks racy."""
    _add(INNOCENT, Program(function))
    return function


def load() -> tuple[list[Program], list[Program], list[Program]]:
    """Import every family; return the buggy, the mended and the innocent programs."""
    for family in FAMILIES:
        import_module(f"tests.races.{family}")
    return BUGGY, FIXED, INNOCENT


def together(make: Callable[..., Worker], function: Callable[..., Any], *calls: tuple[Any, ...]) -> None:
    """Make one worker for each call of the function, start them all and join them."""
    run_all(*(make(target=function, args=call) for call in calls))


def run_all(*workers: Worker) -> None:
    """Start the workers and join them."""
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _add(programs: list[Program], program: Program) -> None:
    if any(program.id == other.id for other in BUGGY + FIXED + INNOCENT):
        raise ValueError(f"two programs are called {program.id}")
    programs.append(program)
