"""Runners that explore: one is kept ready, as its start takes longer than most explorations."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence

from pytest_parallel_lab.backends.base import RunnerBackend
from pytest_parallel_lab.backends.serial import SerialHost
from pytest_parallel_lab.backends.supervision import Supervision
from pytest_parallel_lab.explore.here import explore_here, get_ready, progress_path
from pytest_parallel_lab.explore.plan import Plan
from pytest_parallel_lab.explore.search import usual_hash_seed
from pytest_parallel_lab.explore.zygotes import Start, Subject
from pytest_parallel_lab.keeper.client import KeeperClient, worker_environment
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.model.errors import KeeperLost
from pytest_parallel_lab.model.exploration import Exploration
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.settings import Settings

_SHOWN_EVERY_S = 0.5
_SHOWN_AFTER_S = 1.0

Show = Callable[[str], None]


class _Progress(Supervision):
    """In place of a watch for deadlocks, which the exploration has itself: shows how far it is."""

    def __init__(self, keeper: KeeperClient, root: int, show: Show | None) -> None:
        super().__init__(keeper, root)
        self._path = progress_path(keeper.directory, root)
        self._show = show
        self.next_s = None if show is None else time.monotonic() + _SHOWN_AFTER_S

    def look(self) -> bool:
        """Show what the runner has written last."""
        self.next_s = time.monotonic() + _SHOWN_EVERY_S
        if self._show is not None and os.path.exists(self._path):
            with open(self._path) as file:
                self._show(file.read())
        return False


class _Explorer(RunnerBackend):
    """A runner that explores once."""

    name = "explore"

    def __init__(self, keeper: KeeperClient) -> None:
        self.show: Show | None = None
        self.group = self.start(keeper, 1, Settings())

    def host(self) -> Host:
        """The runner itself does the work."""
        return SerialHost()

    def watch(self, keeper: KeeperClient, root: int, members: Sequence[Worker], settings: Settings) -> Supervision:
        """Show how far it is."""
        return _Progress(keeper, root, self.show)

    def get_ready(self, keeper: KeeperClient, seed: int) -> None:
        """Have it start the interpreter of the next exploration already: that takes longer than most of them."""
        self.group.run(pack_call(get_ready, (start_of(keeper, seed),), {})).result()


def start_of(keeper: KeeperClient, seed: int) -> Start:
    """What the zygote of an exploration with this seed is started with."""
    return Start.like_here(keeper.directory, usual_hash_seed(seed), worker_environment())


_spares: dict[KeeperClient, _Explorer | None] = {}  # until the keeper is closed


def _keep_ready(keeper: KeeperClient, seed: int) -> None:
    """Have an explorer ready for the next exploration, until the keeper is closed."""
    if keeper not in _spares:
        keeper.preload(explore_here.__module__)
        keeper.at_close.callback(_drop_spare, keeper)
    _spares[keeper] = spare = _Explorer(keeper)
    spare.get_ready(keeper, seed)


def _drop_spare(keeper: KeeperClient) -> None:
    spare = _spares.pop(keeper, None)
    if spare is not None:
        with contextlib.suppress(KeeperLost):
            spare.group.close()


def explore_apart(keeper: KeeperClient, subject: Subject, plan: Plan, show: Show | None) -> Exploration:
    """Explore in a runner of its own; then get the next one ready."""
    __tracebackhide__ = True
    explorer = _spares.get(keeper)
    if explorer is not None:
        _spares[keeper] = None
    if explorer is None or not explorer.group.healthy():
        explorer = _Explorer(keeper)
    explorer.show = show
    try:
        found: Exploration = explorer.group.run(pack_call(explore_here, (subject, plan), {})).result()
    finally:
        explorer.group.close()
    _keep_ready(keeper, plan.seed)
    return found
