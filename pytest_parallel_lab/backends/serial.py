"""No parallelism: the implementation is called as it is, in a runner, on one worker."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from pytest_parallel_lab.backends.base import RunnerBackend
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.model.settings import Settings


class SerialHost(Host):
    """Calls functions without a handle."""

    def open(self, workers: int, settings: Settings, directory: str) -> None:
        """Start nothing."""

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
