"""What watching costs: the keeper's processor time while it watches a tree that works, sleeps, or waits.

``python benchmarks/watch_cost.py [seconds]``
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable

import psutil

from pytest_parallel_lab import Lab

FORK = multiprocessing.get_context("fork")
PROCESSES = 8


def compute(seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        sum(range(10_000))


def sleep_in_threads(seconds: float) -> None:
    threads = [threading.Thread(target=time.sleep, args=(seconds,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def tree_of(work: Callable[[float], None], seconds: float) -> None:
    processes = [FORK.Process(target=work, args=(seconds,)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def wait_for_signals(seconds: float) -> None:
    """Looks stuck, but a signal from outside could end it: the costliest to rule out."""
    import signal

    signal.signal(signal.SIGUSR1, lambda *_: None)
    event = threading.Event()
    threading.Timer(seconds, event.set).start()
    event.wait()


def main(seconds: float = 10.0) -> None:
    with Lab() as lab:
        keeper = psutil.Process(lab.keeper.pid)

        def cost_s(work: Callable[[float], None], lasts_s: float) -> float:
            before = keeper.cpu_times()
            lab.supervise(tree_of, work, lasts_s)
            after = keeper.cpu_times()
            return after.user + after.system - before.user - before.system

        for work in (compute, sleep_in_threads, wait_for_signals):
            cost_s(work, 0.1)
            ends_s = cost_s(work, 0.1)  # to start and to kill: this run is never looked at
            used_s = cost_s(work, seconds) - ends_s
            print(
                f"{work.__name__:18} {PROCESSES + 1} processes: {100 * used_s / seconds:.2f} % of a core "
                f"(and {ends_s:.2f} s to start and to end any run)"
            )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
