"""The protocol that every backend implements, and the base of those whose workers a runner owns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from pytest_parallel_lab.backends.remote_pool import RemotePool
from pytest_parallel_lab.backends.runner_group import RunnerGroup
from pytest_parallel_lab.backends.supervision import Supervision
from pytest_parallel_lab.keeper.channel import Parcel
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.model.outcome import Outcome, Worker
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.verdict import Verdict


class WorkerGroup(Protocol):
    """Live workers of one backend, warm between runs."""

    workers: int

    def run(
        self,
        call: Parcel,
        *,
        timed: bool = False,
        limit_s: float | None = None,
        on_begin: Callable[[], None] | None = None,
    ) -> Outcome:
        """Carry out one packed call on the workers.

        Args:
            call: the function with its arguments.
            timed: nothing may disturb it: it is not watched while it runs.
            limit_s: seconds it may take; None for no limit.
            on_begin: called when the section has begun, to harm a worker; it is then left to the
                call to deal with a dead one.
        """

    def examine(self, limit: str) -> Verdict:
        """What the workers do at this moment, when the limit has passed."""

    def victims(self) -> Sequence[Worker]:
        """The processes that can come to harm in a run."""

    def pool(self) -> RemotePool:
        """The workers as an executor for single tasks."""

    def printed(self) -> list[tuple[str, str]]:
        """What each worker, by its label, has printed since it was last asked."""

    def clean(self) -> str | None:
        """Make the workers as new; say what the last test left behind, if anything."""

    def healthy(self) -> bool:
        """Whether the workers can take another run."""

    def untold(self) -> str | None:
        """What has befallen the workers that no outcome has told of."""

    def close(self) -> None:
        """Stop the workers, by force where they do not stop by themselves."""


@runtime_checkable
class Backend(Protocol):
    """A way of running workers."""

    name: str

    def missing(self, settings: Settings) -> str | None:
        """Why the backend cannot run here, with the remedy; None where it can. Must be cheap."""

    def version(self, settings: Settings) -> str:
        """What it runs on, for ``--parallel-doctor``."""

    def max_workers(self) -> int | None:
        """The most workers it can have; None for no limit."""

    def start(self, keeper: KeeperClient, workers: int, settings: Settings) -> WorkerGroup:
        """Start workers. Raises StartFailed with what their launcher said."""


class RunnerBackend:
    """Base of backends whose workers live in, or are owned by, one runner."""

    name = ""

    def missing(self, settings: Settings) -> str | None:
        """Nothing beyond the standard library is needed unless a subclass says so."""
        return None

    def version(self, settings: Settings) -> str:
        """The Python that the workers run on."""
        return f"Python {sys.version.split()[0]}"

    def max_workers(self) -> int | None:
        """No limit."""
        return None

    def host(self) -> Host:
        """What the runner is to host."""
        raise NotImplementedError(f"backend {self.name!r} does not say what its runner hosts")

    def start(self, keeper: KeeperClient, workers: int, settings: Settings) -> WorkerGroup:
        """Fork a runner and have it open its host."""

        def watch(root: int, members: Sequence[Worker]) -> Supervision:
            return self.watch(keeper, root, members, settings)

        return RunnerGroup(self.name, keeper, self.host(), workers, settings, watch)

    def watch(self, keeper: KeeperClient, root: int, members: Sequence[Worker], settings: Settings) -> Supervision:
        """What looks after a run: by default, whether anything in the runner's tree can still move."""
        return Supervision(keeper, root, members)
