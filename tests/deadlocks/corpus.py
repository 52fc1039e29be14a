"""The corpus: programs that hang for ever, their mended twins, and innocent ones that only look stuck."""

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
    "locks",
    "thread_locks",
    "files",
    "conditions_and_semaphores",
    "events_and_barriers",
    "queues",
    "pipes",
    "pools",
    "managers",
    "sockets",
    "subprocesses",
    "loops",
    "forks",
    "innocents",
    "innocent_peers",
    "innocent_clocks",
)

Main = TypeVar("Main", bound=Callable[[], Any])
Context = Union[ForkContext, SpawnContext, ForkServerContext]

FORK = get_context("fork")
SPAWN = get_context("spawn")
FORKSERVER = get_context("forkserver")


@dataclass(frozen=True)
class Program:
    """One program: a function without arguments for the main thread of a fresh process."""

    function: Callable[[], Any]
    says: tuple[str, ...] = ()
    """What the report of the hang must contain."""
    cycle: int | None = None
    """How many waits the wait-for cycle has; None: no claim."""
    fixed: Callable[[], Any] | None = None
    """The twin, with the bug mended."""

    @property
    def id(self) -> str:
        """Family and name of the function, unique in the corpus."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"


BUGGY: list[Program] = []
FIXED: list[Program] = []
INNOCENT: list[Program] = []


def buggy(says: tuple[str, ...] = (), cycle: int | None = None) -> Callable[[Main], Main]:
    """Register a program that hangs for ever."""

    def register(function: Main) -> Main:
        _add(BUGGY, Program(function, says, cycle))
        return function

    return register


def fixes(wrong: Callable[[], Any]) -> Callable[[Main], Main]:
    """Register the mended twin of the buggy program `wrong`."""

    def register(function: Main) -> Main:
        index = next(index for index, program in enumerate(BUGGY) if program.function is wrong)
        BUGGY[index] = replace(BUGGY[index], fixed=function)
        _add(FIXED, Program(function))
        return function

    return register


def innocent(function: Main) -> Main:
    """Register a program that looks stuck for a second or two and ends by itself."""
    _add(INNOCENT, Program(function))
    return function


def load() -> tuple[list[Program], list[Program], list[Program]]:
    """Import every family; return the buggy, the mended and the innocent programs."""
    for family in FAMILIES:
        import_module(f"tests.deadlocks.{family}")
    return BUGGY, FIXED, INNOCENT


def run_all(*workers: BaseProcess | Thread) -> str:
    """Start the workers and join them."""
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return "done"


def _add(programs: list[Program], program: Program) -> None:
    if any(program.id == other.id for other in BUGGY + FIXED + INNOCENT):
        raise ValueError(f"two programs are called {program.id}")
    programs.append(program)
