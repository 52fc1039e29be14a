"""What all programs here have in common: two workers, started together."""

from __future__ import annotations

from multiprocessing import Process
from threading import Thread


def run_both(first: Process | Thread, second: Process | Thread) -> None:
    """Start both workers before either is joined, so that they are at work at the same time."""
    first.start()
    second.start()
    first.join()
    second.join()
