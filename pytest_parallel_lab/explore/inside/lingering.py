"""Waiting a moment now and then, where nobody says when to go: what is rare becomes less so."""

from __future__ import annotations

import random
import time

_MOMENT_S = 0.002
_LIKELY, _UNLIKELY = 0.25, 0.02  # where threads synchronise, and elsewhere
_sleep = time.sleep  # the real one: it is replaced in what is explored


class Lots:
    """The moments of one thread."""

    def __init__(self, number: int | None, label: str) -> None:
        """Draw them.

        Args:
            number: of the run; nobody waits where it is 0 or None.
            label: of the thread.
        """
        self._random = random.Random(f"{number} {label}") if number else None

    def linger(self, *, synchronises: bool) -> None:
        """Wait a moment, if the lot falls on this place."""
        lots = self._random
        if lots is not None and lots.random() < (_LIKELY if synchronises else _UNLIKELY):
            _sleep(lots.uniform(0, _MOMENT_S))
