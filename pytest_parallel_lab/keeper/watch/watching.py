"""A watch on one tree, as the keeper's event loop tends it."""

from __future__ import annotations

import contextlib
import time

from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed
from pytest_parallel_lab.keeper.watch.quiescence import Cast, Prover

_SOON_S = 0.1
_COST_SHARE = 0.005  # of one core, at most
_SELDOM_S = 5.0


class Watch:
    """Looks at a tree from time to time, and says over its channel when it is stuck.

    How often depends on what a look costs, so that all looks together take less than 1 % of a core.
    """

    def __init__(self, root: int, directory: str, channel: Channel, cast: Cast | None) -> None:
        self.channel = channel
        self.due_s = time.monotonic()
        self._prover = Prover(root, directory, cast)
        self._spent_s = 0.0

    def look(self) -> bool:
        """Look once; whether the watch goes on."""
        started_s = time.thread_time()
        state = self._prover.look()
        self._spent_s += time.thread_time() - started_s
        if state is not None:
            with contextlib.suppress(ChannelClosed, OSError):
                self.channel.send("stuck", {"state": state})
            return False
        if self._prover.suspects:  # the second look must not wait for the budget
            self.due_s = time.monotonic() + self._prover.settle_s
        else:
            self.due_s = time.monotonic() + min(max(_SOON_S, self._spent_s / _COST_SHARE), _SELDOM_S)
            self._spent_s = 0.0
        return True
