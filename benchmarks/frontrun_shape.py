"""A program of the corpus with threads, in the shape frontrun asks for: state, workers, and a predicate at the end.

frontrun schedules the workers that it is given, and no threads that these start by themselves. Where a
program starts all of its threads and joins them, its threads are the workers: what comes before
is the set-up, and what comes after belongs to the predicate. Any other program is one worker as a whole, and each
of its threads is carried out by another worker, which waits until the thread is started.
"""

from __future__ import annotations

import _thread
import concurrent.futures.thread as executors
import functools
import queue
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any
from unittest import mock

from tests.races import corpus
from tests.races.corpus import Program

Worker = Callable[[Any], None]


class NotForThreads(Exception):
    """The program starts processes, or no threads, or threads that cannot be given to workers."""


class Run:
    """The state of one run."""

    current: Run

    def __init__(self, function: Callable[[], Any], slots: int = 0) -> None:
        Run.current = self
        self.function = function
        self.outcome: Any = None
        self.calls: list[Callable[[], Any]] = []
        self.slots = [Slot() for _ in range(slots)]
        self.free = list(self.slots)
        self.at_start, self.joined, self.ended = (_thread.allocate_lock() for _ in range(3))

    def main(self) -> None:
        """Carry out the program; its outcome, or the type of its exception, is kept."""
        try:
            self.outcome = ("returned", self.function())
        except Exception as error:
            _let_through(error)
            self.outcome = ("raised", type(error).__name__)

    def start_aside(self) -> Run:
        """Carry out the program up to the start of its threads."""
        for lock in (self.at_start, self.joined, self.ended):
            lock.acquire()
        _thread.start_new_thread(self._aside, ())
        self.at_start.acquire()
        return self

    def _aside(self) -> None:
        self.main()
        self.ended.release()

    def finish(self) -> None:
        """Carry out the rest of the program."""
        self.joined.release()
        self.ended.acquire()

    def start_all(self, *workers: Any) -> None:
        """In place of ``corpus.run_all``: the workers are carried out by somebody else."""
        self.calls = [worker.run for worker in workers]
        self.at_start.release()
        self.joined.acquire()


class Slot:
    """A worker's place for a thread."""

    def __init__(self) -> None:
        self.go, self.done = threading.Event(), threading.Event()
        self.call: Callable[[], Any] | None = None


class SlotThread:
    """In place of ``threading.Thread``: goes on in one of frontrun's workers."""

    def __init__(
        self, group: Any = None, target: Any = None, name: str = "", args: Any = (), kwargs: Any = None, **_: Any
    ) -> None:
        self.run = functools.partial(target, *args, **(kwargs or {}))
        self._slot: Slot | None = None

    def start(self) -> None:
        """Let a worker begin."""
        self._slot = Run.current.free.pop(0)
        self._slot.call = self.run
        self._slot.go.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        assert self._slot is not None
        self._slot.done.wait()


def explore(name: str, right: Any, found: list[tuple[str, object]], *, limit_s: float, seed: int) -> None:
    """Let frontrun explore a program, first with DPOR, then, where that finds nothing, with random schedules.

    Args:
        name: of the function, as ``module:function``.
        right: the outcome that is right.
        found: takes what has found something wrong, and its explanation.
        limit_s: for each of the two.
        seed: of the random schedules.

    Raises:
        AssertionError: an outcome is wrong.
    """
    module, _, function_name = name.partition(":")
    function = getattr(import_module(module), function_name)
    setup, workers, invariant = shape(Program(function), right)
    frontrun: Any = import_module("frontrun")
    for strategy, own in (("dpor", {"search": "bit-reversal"}), ("random", {"seed": seed, "max_attempts": 1_000_000})):
        result = frontrun.explore(
            setup=setup,
            workers=workers,
            invariant=invariant,
            strategy=strategy,
            clock="virtual",  # a deadlock is proved, where the real one waits for 5 s
            reproduce_on_failure=0,
            total_timeout=limit_s,
            **own,
        )
        found.append(("explored", f"{strategy}: {result.num_explored} schedules, holds {result.property_holds}"))
        if result.property_holds is False:
            found.append(("strategy", strategy))
        result.assert_holds(allow_inconclusive=True)


def shape(program: Program, right: Any) -> tuple[Callable[[], Run], list[Worker], Callable[[Run], bool]]:
    """State, workers and predicate of a program.

    Raises:
        NotForThreads: frontrun cannot be given the program.
    """
    started, together = _count_threads(program)
    good = ("returned", right)
    _everywhere("Thread", SlotThread)
    if together == started:
        _everywhere("run_all", lambda *workers: Run.current.start_all(*workers))

        def rest(run: Run) -> bool:
            run.finish()
            return bool(run.outcome == good)

        return lambda: Run(program.function).start_aside(), [_call(i) for i in range(started)], rest
    vars(executors).update(
        threading=_Instead(threading, Thread=SlotThread), queue=_Instead(queue, SimpleQueue=queue.Queue)
    )
    slots: list[Worker] = [_carry_out(i) for i in range(started)]
    return lambda: Run(program.function, started), [_main, *slots], lambda run: bool(run.outcome == good)


def _count_threads(program: Program) -> tuple[int, int]:
    """How many threads a plain run may start, and how many of them it starts in one ``run_all``."""
    plain, pooled, together = [], [], []
    processes: list[BaseProcess] = []
    run_all, start, start_process = corpus.run_all, threading.Thread.start, BaseProcess.start
    make_pool = executors.ThreadPoolExecutor.__init__

    def started(thread: threading.Thread) -> None:
        if getattr(thread, "_target", None) is not vars(executors)["_worker"]:
            plain.append(thread)
        start(thread)

    def process_started(process: BaseProcess) -> None:
        processes.append(process)
        start_process(process)

    def made(pool: Any, workers: int | None = None, *args: Any, **kwargs: Any) -> None:
        make_pool(pool, workers, *args, **kwargs)
        pooled.append(vars(pool)["_max_workers"])

    def run_together(*workers: Any) -> None:
        together.append(len(workers))
        run_all(*workers)

    _everywhere("run_all", run_together)
    with (
        mock.patch.object(threading.Thread, "start", started),
        mock.patch.object(BaseProcess, "start", process_started),
        mock.patch.object(executors.ThreadPoolExecutor, "__init__", made),
    ):
        program.function()
    _everywhere("run_all", run_all)
    count = len(plain) + sum(pooled)
    if processes or not count or "ThreadPool" in program.function.__code__.co_names:
        raise NotForThreads(program.id)
    return count, together[0] if len(together) == 1 else -1


def _call(index: int) -> Worker:
    return lambda run: _quietly(run.calls[index])


def _main(run: Run) -> None:
    run.main()
    for slot in run.free:
        slot.go.set()


def _carry_out(index: int) -> Worker:
    def carry_out(run: Run) -> None:
        slot = run.slots[index]
        slot.go.wait()
        if slot.call is not None:
            _quietly(slot.call)
        slot.done.set()

    return carry_out


def _quietly(call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception as error:  # the thread ends with it, and the program goes on
        _let_through(error)


def _let_through(error: Exception) -> None:
    if type(error).__module__.startswith("frontrun"):
        raise error


def _everywhere(name: str, value: Any) -> None:
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("tests.races.") and hasattr(module, name):
            setattr(module, name, value)


class _Instead:
    """A module with some names replaced."""

    def __init__(self, module: ModuleType, **names: Any) -> None:
        self.__dict__.update(names)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
