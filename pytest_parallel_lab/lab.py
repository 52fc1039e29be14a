"""The lab: warm workers of every backend, leased to one test (or script) at a time.

Usable without pytest::

    with Lab() as lab:
        print(lab.run(row_blocks, a, b, workers=2))
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.backends.base import Backend, WorkerGroup
from pytest_parallel_lab.backends.builtin import builtin_backends
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.lease import Key, Lease
from pytest_parallel_lab.model.errors import BackendMissing, BadSetting, KeeperLost
from pytest_parallel_lab.model.greedy_dual import GreedyDual
from pytest_parallel_lab.model.implementation import backend_of, implementation_of
from pytest_parallel_lab.model.outcome import Outcome
from pytest_parallel_lab.model.settings import Settings, parse_names, parse_workers

if TYPE_CHECKING:
    from pytest_parallel_lab.backends.chaos import Harm
    from pytest_parallel_lab.backends.local_pools import LocalPools
    from pytest_parallel_lab.model.exploration import Exploration
    from pytest_parallel_lab.model.write_sets import WriteSets

_WARM_GROUPS = 16  # beyond these, those are stopped that are soon started again and have not been used for long


class Lab:
    """Starts, keeps warm, leases and stops workers. The keeper starts with the first of them."""

    def __init__(self, settings: Settings | None = None, backends: Iterable[Backend] | None = None) -> None:
        """Make a lab that has started nothing yet.

        Args:
            settings: how workers are started.
            backends: the backends to choose from; those that come with the package by default.
        """
        self.settings = settings or Settings()
        self.backends = {b.name: b for b in (builtin_backends() if backends is None else backends)}
        self.say: Callable[[str], None] | None = None  # shows how a wait in a queue goes; "" ends that
        self._found: set[str] = set()
        self._keeper: KeeperClient | None = None
        self._idle: GreedyDual[Key, WorkerGroup] = GreedyDual(_WARM_GROUPS)
        self._local_pools: LocalPools | None = None

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def keeper(self) -> KeeperClient:
        """The keeper, started at first use, and anew where an interrupted request has ended it."""
        if self._keeper is not None and self._keeper.lost:
            self._forget_keeper()
        if self._keeper is None:
            homes = {type(backend).__module__ for backend in self.backends.values()}
            self._keeper = KeeperClient(sorted(n for n in homes if n.startswith(f"{__package__}.")), self.say)
        return self._keeper

    @property
    def local_pools(self) -> LocalPools:
        """Pools in this very process, made at first use."""
        if self._local_pools is None:
            from pytest_parallel_lab.backends.local_pools import LocalPools

            self._local_pools = LocalPools(lambda: self.keeper)
        return self._local_pools

    def backend(self, name: str) -> Backend:
        """A backend by name.

        Raises:
            BadSetting: there is none of that name.
        """
        return self.backends[parse_names([name], self.backends, "backend", "backend")[0]]

    def missing(self, name: str) -> str | None:
        """Why a backend cannot run here, headed by its name; None where it can.

        Every test asks, so one that was found once is not looked for again.
        """
        if name in self._found:
            return None
        reason = self.backend(name).missing(self.settings)
        if reason is None:
            self._found.add(name)
        return f"{name}: {reason}" if reason else None

    def lease(
        self,
        backend: str,
        workers: int,
        start_method: str | None = None,
        mpi_strict: tuple[str, ...] | None = None,
        *,
        spans: bool = False,
    ) -> Lease:
        """Take workers for one test: warm ones where there are any, else new ones.

        Raises:
            BackendMissing: the backend cannot run here.
            BadSetting: a worker count that the backend cannot have.
            StartFailed: the workers did not come up.
        """
        key = self._key(backend, workers, replace(self._settings(start_method, mpi_strict), spans=spans))
        group = self._idle.pop(key)
        if group is not None and not group.healthy():
            self._stop(group)
            group = None
        return Lease(self, key, group or self._start(key))

    def _settings(self, start_method: str | None, mpi_strict: tuple[str, ...] | None) -> Settings:
        """The lab's settings, with what one test wants otherwise."""
        return replace(
            self.settings,
            start_method=start_method or self.settings.start_method,
            mpi_strict=self.settings.mpi_strict if mpi_strict is None else mpi_strict,
        )

    def _key(self, backend: str, workers: int, settings: Settings) -> Key:
        """What is asked for, checked."""
        (count,) = parse_workers([workers], f"{backend}: workers")
        most = self.backend(backend).max_workers()
        if most is not None and count > most:
            raise BadSetting(f"{backend}: {count} workers asked for, but it has at most {most}")
        if reason := self.missing(backend):
            raise BackendMissing(reason)
        return Key(backend, count, settings, tuple(sys.path))

    def _start(self, key: Key) -> WorkerGroup:
        backend = self.backend(key.backend)
        with self._idle.making(key):
            try:
                return backend.start(self.keeper, key.workers, key.settings)
            except KeeperLost:
                self._forget_keeper()
                return backend.start(self.keeper, key.workers, key.settings)

    def take_back(self, key: Key, group: WorkerGroup) -> str | None:
        """Clean a lease's workers for the next; return what they were left with, if anything."""
        try:
            problem = group.clean() if group.healthy() else group.untold()
        except BaseException:
            self._stop(group)
            raise
        if problem or not group.healthy() or key in self._idle:
            self._stop(group)
            return problem
        for gone in self._idle.put(key, group):
            self._stop(gone)
        return None

    def _stop(self, group: WorkerGroup) -> None:
        try:
            group.close()
        except KeeperLost:
            self._forget_keeper()

    def _forget_keeper(self) -> None:
        """Drop a keeper that is gone, and with it all that it had started."""
        if self._keeper is not None:
            self._keeper.close()
        self._keeper = None
        self._idle.clear()

    def supervise(
        self,
        function: Callable[..., Any],
        *args: Any,
        workers: int = 1,
        backend: str | None = None,
        start_method: str | None = None,
        mpi_strict: tuple[str, ...] | None = None,
        limit_s: float | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """Run a function in a process tree of its own, in which locks know their holders; then kill the tree.

        Args:
            function: a plain function, called in the main thread of a fresh process; or an
                implementation, which gets fresh workers of its backend.
            *args: sent along.
            workers: how many, for an implementation.
            backend: in place of the function's own.
            start_method: of ``multiprocessing``, for the backend's workers.
            mpi_strict: what MPI is to be strict about.
            limit_s: seconds the run may take; None for no limit.
            **kwargs: sent along.

        Raises:
            CannotSend: the function or an argument cannot be sent.
            StartFailed: the workers did not come up.
        """
        __tracebackhide__ = True
        call = pack_call(function, args, kwargs)
        settings = replace(self._settings(start_method, mpi_strict), traces=True)
        with self._fresh(function, backend, workers, settings) as group:
            return group.run(call, limit_s=limit_s)

    def harm(
        self,
        function: Callable[..., Any],
        *args: Any,
        harm: Harm,
        workers: int = 1,
        backend: str | None = None,
        start_method: str | None = None,
        limit_s: float | None = None,
        **kwargs: Any,
    ) -> tuple[Outcome, str]:
        """Run a function on workers of its own, harm one of them, and say what was done.

        The run is left to deal with the harm itself, until it ends, is proved stuck, or the limit passes.

        Raises:
            NotHarmed: the run ended before it could be harmed.
            CannotSend: the function or an argument cannot be sent.
            StartFailed: the workers did not come up.
        """
        __tracebackhide__ = True
        call = pack_call(function, args, kwargs)
        with self._fresh(function, backend, workers, self._settings(start_method, None)) as group:
            return harm.run(group, call, limit_s)

    def explore(
        self,
        function: Callable[..., Any],
        *args: Any,
        workers: int = 1,
        backend: str | None = None,
        start_method: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Exploration:
        """Run a function under many schedules; all about it in ``backends.exploring.explore``."""
        __tracebackhide__ = True
        from pytest_parallel_lab.backends.exploring import explore

        plain = backend is None and implementation_of(function) is None
        name = "serial" if plain else backend_of(function, backend)
        key = self._key(name, workers, self._settings(start_method, None))
        return explore(
            self.keeper, self.backend(name), key.workers, key.settings, function, args, kwargs or {}, **options
        )

    def write_sets(self, task: Callable[..., Any], tasks: Iterable[Any], **options: Any) -> WriteSets:
        """Find which elements of ``out=`` each task writes, run alone; all about it in ``find_write_sets``."""
        __tracebackhide__ = True
        from pytest_parallel_lab.explore.write_sets import find_write_sets

        return find_write_sets(lambda: self._fresh(task, "serial", 1, self.settings), task, tasks, **options)

    @contextlib.contextmanager
    def _fresh(
        self, function: Callable[..., Any], backend: str | None, workers: int, settings: Settings
    ) -> Iterator[WorkerGroup]:
        """Workers for one run only; a plain function gets a process to itself."""
        if backend is None and implementation_of(function) is None:
            backend = "serial"
        group = self._start(self._key(backend_of(function, backend), workers, settings))
        try:
            yield group
        finally:
            self._stop(group)

    def run(
        self, function: Callable[..., Any], *args: Any, workers: int = 1, backend: str | None = None, **kwargs: Any
    ) -> Any:
        """Run one implementation on its own lease and return its result.

        Raises:
            LeftOver: it left something behind in the workers.
            Exception: whatever ``Outcome.result`` raises.
        """
        __tracebackhide__ = True
        lease = self.lease(backend_of(function, backend), workers)
        try:
            return lease.run(function, *args, **kwargs).result()
        finally:
            lease.end()

    def close(self) -> None:
        """Stop all workers and the keeper."""
        if self._local_pools is not None:
            self._local_pools.close()
        with contextlib.suppress(KeeperLost):
            for group in self._idle.clear():
                group.close()
        self._forget_keeper()
