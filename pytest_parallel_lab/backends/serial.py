"""No parallelism: the implementation is called as it is, in a runner, on one worker."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from pytest_parallel_lab.backends.base import RunnerBackend
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.timeline import COMPUTE, Section


class SerialHost(Host):
    """Calls functions without a handle."""

    _notes = False

    def open(self, workers: int, settings: Settings, directory: str) -> None:
        """Start nothing."""
        self._notes = settings.spans

    def section(self, start_s: float, end_s: float) -> Section | None:
        """It computes all the time."""
        return Section(1, start_s, end_s, gaps=COMPUTE) if self._notes else None

    def bind(
        self, function: Callable[..., Any], handle: object, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Callable[[], Any]:
        """Bind the function to its own arguments only."""
        return functools.partial(function, *args, **kwargs)

    def executor(self, handle: object) -> Executor:
        """One thread, so that tasks run one after the other in the order they came."""
        return ThreadPoolExecutor(1)


class SerialBackend(RunnerBackend):
    """``serial``: one worker, no handle."""

    name = "serial"

    def host(self) -> Host:
        """Host of plain calls."""
        return SerialHost()

    def max_workers(self) -> int:
        """One."""
        return 1
