"""What a function has started, and left running."""

from __future__ import annotations

import threading

import psutil


class Started:
    """Threads and processes that this process gets from now on."""

    def __init__(self) -> None:
        """Take note of those that there are."""
        self._threads = set(threading.enumerate())
        self._children = _children()

    def still_running(self) -> int:
        """How many have come since then, and run."""
        return len(set(threading.enumerate()) - self._threads) + len(_children() - self._children)


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE}
