"""The limit that something outside, such as pytest-timeout, sets to a run that pytest waits for."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator


class LimitPassed(BaseException):
    """The limit has passed; raised wherever the main thread is. No ``except Exception`` stops it."""


class Limit:
    """Wakes the main thread out of a wait for workers, from any other thread."""

    def __init__(self, text: str) -> None:
        """Make a limit that has not passed, and that ``taken`` says nobody has noticed.

        Args:
            text: the limit in words, for the report.
        """
        self.text = text
        self.taken = False
        self.pause: Callable[[], Callable[[], None]] | None = None
        """Stops the clock, if it can be stopped; what it returns lets it go on."""
        self._r, self._w = socket.socketpair()

    def fileno(self) -> int:
        """For select: readable once the limit has passed."""
        return self._r.fileno()

    def take(self) -> LimitPassed:
        """What to raise where ``fileno`` has become readable; the next wait is not woken again."""
        self.taken = True
        self._r.recv(1)
        return LimitPassed(self.text)

    def let_pass(self) -> None:
        """Wake who waits."""
        with contextlib.suppress(OSError):
            self._w.send(b"x")

    def close(self) -> None:
        """Free its sockets."""
        self._r.close()
        self._w.close()


_limits: list[Limit] = []


def current() -> Limit | None:
    """The limit in force, if any."""
    return _limits[-1] if _limits else None


def enter(limit: Limit) -> None:
    """Put a limit in force."""
    _limits.append(limit)


def leave(limit: Limit) -> None:
    """Take it away, and whatever was put in force after it."""
    if limit in _limits:
        del _limits[_limits.index(limit) :]
        limit.close()


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Stop the clock of the limit in force: what happens meanwhile takes none of its time."""
    limit = current()
    go_on = limit.pause() if limit is not None and limit.pause is not None else None
    try:
        yield
    finally:
        if go_on is not None:
            go_on()
