"""Measure how soon each hang is proved, and up to what size a send does not wait for its receiver.

Command: ``python -m cases.deadlock.observe``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cases.deadlock.lock_order_processes import opposite_order_met_by_processes
from cases.deadlock.lock_order_threads import opposite_order_met_by_threads
from cases.deadlock.mpi_exchange import send_first
from cases.deadlock.never_released import join_with_the_lock_held, lock_never_released
from cases.deadlock.pool_worker_dies import pool_map
from cases.deadlock.queue_drain import join_before_drain
from pytest_parallel_lab import Lab

HANGS: tuple[tuple[Callable[..., object], tuple[int, ...]], ...] = (
    (lock_never_released, ()),
    (join_with_the_lock_held, ()),
    (opposite_order_met_by_processes, (30, 20)),
    (opposite_order_met_by_threads, (30, 20)),
    (join_before_drain, (100_000,)),
    (pool_map, (6, 2)),
)
LARGE = 1 << 19


def largest_that_passes(passes: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number that passes, by bisection.

    Args:
        passes: true up to some number, false beyond it.
        low: a number that passes.
        high: one that does not.
    """
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def send_first_passes(lab: Lab, count: int) -> bool:
    """Whether two ranks that both send ``count`` doubles first come to their end."""
    lease = lab.lease("mpi", 2)
    try:
        return lease.run(send_first, count).verdict is None
    finally:
        lease.end()


def main() -> None:
    """Show a line for each hang, then the limit of sends."""
    with Lab() as lab:
        for function, args in HANGS:
            started_s = time.perf_counter()
            verdict = lab.supervise(function, *args).verdict
            elapsed_s = time.perf_counter() - started_s
            found = (
                "passed" if verdict is None else f"{len(verdict.processes)} processes, cycle of {len(verdict.cycle)}"
            )
            print(f"{function.__name__:<32} {elapsed_s:.2f} s  {found}")
        if reason := lab.missing("mpi"):
            print(reason)
            return
        count = largest_that_passes(lambda middle: send_first_passes(lab, middle), 0, LARGE)
        print(f"both ranks may send up to {count} doubles first: {8 * count} bytes")


if __name__ == "__main__":
    main()
