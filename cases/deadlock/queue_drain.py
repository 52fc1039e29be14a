"""A child puts its results into a ``Queue``; the parent joins it before or after it takes them out.

``put`` returns at once: a thread of the child, the feeder, writes the items into a pipe, and the child does not end
before all are written. A pipe holds 64 KiB on Linux. The rest has to wait until somebody reads.
"""

from __future__ import annotations

from multiprocessing import Process, Queue
from typing import TYPE_CHECKING

from reference.deadlock import check_count, squares

if TYPE_CHECKING:
    from multiprocessing.queues import Queue as QueueType


def put_squares(results: QueueType[list[int]], count: int) -> None:
    """Put all squares, as one item."""
    results.put(squares(count))


def join_before_drain(count: int) -> list[int]:
    """Join the child, then take its item. BUGGY: hangs if the item is larger than what the pipe holds."""
    check_count(count)
    results: QueueType[list[int]] = Queue()
    child = Process(target=put_squares, args=(results, count))
    child.start()
    child.join()
    return results.get()


def drain_before_join(count: int) -> list[int]:
    """Take the item, then join the child. Repaired."""
    check_count(count)
    results: QueueType[list[int]] = Queue()
    child = Process(target=put_squares, args=(results, count))
    child.start()
    taken = results.get()
    child.join()
    return taken
