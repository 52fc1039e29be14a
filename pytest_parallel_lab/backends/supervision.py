"""Looking after one run: it is watched once it takes a while, and judged where it does not end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pytest_parallel_lab.keeper.ask import ask
from pytest_parallel_lab.keeper.channel import Channel
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.verdict import Verdict, judge
from pytest_parallel_lab.model.waiting import TreeState

LOOK_AFTER_S = 0.2  # most runs have ended by then, and are never looked at


class Supervision:
    """The watch on the tree below one process, for one run."""

    def __init__(self, keeper: KeeperClient, root: int, members: Sequence[Worker] = ()) -> None:
        """Prepare to watch; nothing happens yet.

        Args:
            keeper: does the watching.
            root: the pid at the top of the tree.
            members: the workers in it, to call them by their names.
        """
        self._names = {worker.pid: worker.label for worker in members}
        self.next_s: float | None = time.monotonic() + LOOK_AFTER_S
        self.channel: Channel | None = None
        self.stuck: TreeState | None = None
        self._keeper = keeper
        self._root = root

    def look(self) -> bool:
        """Have the keeper watch, where this machine allows it."""
        self.next_s = None
        if self._keeper.cannot_watch is None:
            self.channel = self._keeper.watch(self._root)
        return False

    def stop(self) -> None:
        """End the watch."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def judge(self, limit: str = "") -> Verdict:
        """The verdict on a run that did not end: on what the watch proved, else on a look now.

        A run that has run out of time may be found to be a deadlock after all, as when it was not
        watched.

        Args:
            limit: the limit that has passed, in words.
        """
        if self._keeper.cannot_watch is not None:
            why = f"deadlocks cannot be proved on this machine: {self._keeper.cannot_watch}"
            return Verdict(proved=False, evidence=limit, unproved=(why,))
        state = self.stuck or self._keeper.examine(self._root)
        return judge(state, ask(self._keeper.directory, state), limit, self._names)
