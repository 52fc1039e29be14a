"""What to keep of things that take differently long to make again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class GreedyDual(Generic[K, V]):
    """At most so many things; the first to go took little time to make, and has not been used for long.

    Everything is worth the seconds it took to make, on top of what the last one that had to go was
    worth: so the dear ones go in the end as well, when many others have been used since. Of those
    worth the same, the least recently used goes.

    Source: N. Young, The k-server dual and loose competitiveness for paging, Algorithmica 11 (1994).
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep nothing yet.

        Args:
            most: things kept.
            clock: seconds.
        """
        self._most = most
        self._clock = clock
        self._kept: dict[K, V] = {}
        self._worth_s: dict[K, float] = {}
        self._made_in_s: dict[K, float] = {}
        self._last_gone_s = 0.0

    @contextlib.contextmanager
    def making(self, key: K) -> Iterator[None]:
        """Note how long it takes to make the thing."""
        began_s = self._clock()
        yield
        self._made_in_s[key] = self._clock() - began_s

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def pop(self, key: K) -> V | None:
        """Take a thing out; None where it is not kept."""
        return self._kept.pop(key, None)

    def put(self, key: K, value: V) -> list[V]:
        """Keep a thing; return those that have to go."""
        self._kept[key] = value
        self._worth_s[key] = self._last_gone_s + self._made_in_s.get(key, 0.0)
        gone = []
        while len(self._kept) > self._most:
            least = min(self._kept, key=self._worth_s.__getitem__)
            self._last_gone_s = self._worth_s[least]
            gone.append(self._kept.pop(least))
        return gone

    def clear(self) -> list[V]:
        """Keep nothing any more; return what was kept."""
        gone = list(self._kept.values())
        self._kept.clear()
        return gone
