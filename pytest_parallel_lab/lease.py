"""A lease: warm workers, lent to one test at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.backends.base import WorkerGroup
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.model.cores import usable_cores
from pytest_parallel_lab.model.errors import LeftOver
from pytest_parallel_lab.model.outcome import Outcome
from pytest_parallel_lab.model.settings import Settings

if TYPE_CHECKING:
    from pytest_parallel_lab.lab import Lab


@dataclass(frozen=True)
class Key:
    """What makes warm workers fit for a lease."""

    backend: str
    workers: int
    settings: Settings
    sys_path: tuple[str, ...]


class Lease:
    """Workers lent to one test. Not to be used after ``end``."""

    def __init__(self, lab: Lab, key: Key, group: WorkerGroup) -> None:
        self._lab = lab
        self._key = key
        self.group = group

    @property
    def settings(self) -> Settings:
        """How the workers were started."""
        return self._key.settings

    @property
    def oversubscribed(self) -> bool:
        """Whether there are more workers than cores that this process may use."""
        return self._key.workers > usable_cores()

    def run(self, function: Callable[..., Any], *args: Any, timed: bool = False, **kwargs: Any) -> Outcome:
        """Carry out one run.

        Args:
            function: called with what the backend gives first, then with the arguments.
            *args: sent along.
            timed: nothing may disturb the run: whether it is stuck is looked at only at the limit.
            **kwargs: sent along.

        Raises:
            CannotSend: the function or an argument cannot be sent.
        """
        __tracebackhide__ = True
        return self.group.run(pack_call(function, args, kwargs), timed=timed)

    def end(self) -> None:
        """Give the workers back.

        Raises:
            LeftOver: something was left behind in them; they have been replaced.
        """
        __tracebackhide__ = True
        problem = self._lab.take_back(self._key, self.group)
        if problem:
            raise LeftOver(f"{self._key.backend}, {self._key.workers} workers: {problem}")
