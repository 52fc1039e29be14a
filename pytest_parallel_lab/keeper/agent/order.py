"""Noting in what order locks are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class LockOrder:
    """Notes which lock was taken while which others were held."""

    def __init__(self, directory: str) -> None: ...

    def taken(self, lock: Callable[[], dict[str, Any]], key: int, site: Any, *, for_ever: bool) -> None:
        """Note that a thread has taken a lock."""

    def released(self, key: int) -> None:
        """Note that a lock was given back."""
