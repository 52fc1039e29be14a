"""Clocks of other hosts: how far they are from ours.

Source:
    F. Cristian, Probabilistic clock synchronization, Distributed Computing 3 (1989): of several questions the
    one with the shortest round trip bounds the error best, by half of that trip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """A clock of another host.

    Attributes:
        ahead_s: what it shows more than ours.
        error_s: how far off that may be, either way.
    """

    ahead_s: float
    error_s: float


def best_clock(pings: Sequence[tuple[float, float, float]]) -> Clock:
    """Compare a clock with ours.

    Args:
        pings: by our clock when it was asked, what it showed, and by ours when its answer came.

    Raises:
        ValueError: nobody was asked.
    """
    if not pings:
        raise ValueError("no ping was answered: a clock that was not asked cannot be compared")
    sent_s, showed_s, came_s = min(pings, key=lambda ping: ping[2] - ping[0])
    return Clock(showed_s - (sent_s + came_s) / 2, (came_s - sent_s) / 2)
