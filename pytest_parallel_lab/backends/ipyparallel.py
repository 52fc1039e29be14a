"""Engines of a real ipyparallel cluster; implementations get a DirectView over all of them.

One runner owns one cluster and one client. Between tests the controller and the engines are
stopped by SIGSTOP: their heartbeats are the only thing that would use the processor.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import logging
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from pytest_parallel_lab.backends.base import RunnerBackend, WorkerGroup
from pytest_parallel_lab.backends.mpi.engines import EngineWatch, trace_engine
from pytest_parallel_lab.backends.mpi.launchers import mpi_environment
from pytest_parallel_lab.backends.supervision import Supervision
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.keeper.output import capture_engine
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.timeline import COMPUTE, Section, Span


class IpyparallelHost(Host):
    """Owns a cluster and a client connected to it."""

    role = "engine"

    def __init__(self, missed_beats: int = 100) -> None:
        """Make a host.

        Args:
            missed_beats: after so many, of 0.1 s each, an engine is taken for dead.
        """
        self._missed_beats = missed_beats
        self._cluster: Any = None
        self._client: Any = None
        self._engines: dict[int, psutil.Process] = {}  # pid -> process
        self._engine_ids: dict[int, int] = {}  # engine id -> pid
        self._stopped: list[psutil.Process] = []
        self._done: _Kept | None = None
        self._cwd = os.getcwd()

    def open(self, workers: int, settings: Settings, directory: str) -> Any:
        """Start controller and engines and connect.

        The settings below take a start from 7 s to under 2 s: no delay between controller and
        engines, no nanny process per engine, and a heartbeat, which registration waits for, of
        0.1 s instead of 3 s. 100 of these may be missed: an engine that died is noticed after 10 s.
        """
        profile = Path(directory, f"ipyparallel-{os.getpid()}")
        os.environ["IPYTHONDIR"] = str(profile)
        if settings.engines == "mpi":
            os.environ.update(mpi_environment())
        import ipyparallel as ipp
        from traitlets import TraitError
        from traitlets.config import Config

        config = Config()
        config.Cluster.delay = 0
        config.Cluster.engine_timeout = int(settings.start_limit_s)
        config.LocalEngineSetLauncher.delay = 0
        config.EngineLauncher.engine_args = ["--IPEngine.enable_nanny=False", "--IPEngine.log_level=30"]
        try:
            self._cluster = ipp.Cluster(
                config=config,
                n=workers,
                engines=settings.engines,
                load_profile=False,
                profile_dir=str(profile),
                **self._places(),
                log_level=logging.WARNING,
                controller_args=[
                    "--HeartMonitor.period=100",
                    f"--HeartMonitor.max_heartmonitor_misses={self._missed_beats}",
                ],
            )
        except TraitError as error:
            known = ", ".join(
                sorted(e.name for e in importlib.metadata.entry_points(group="ipyparallel.engine_launchers"))
            )
            raise BadSetting(f"--parallel-engines: no launcher {settings.engines!r} (known: {known})") from error
        self._client = self._connect(settings, workers)
        view = self._client[:]
        view.use_cloudpickle()
        self._capture(view, settings, directory)
        self._engine_ids = dict(zip(view.targets, view.apply_sync(os.getpid)))
        ours = {p.pid: p for p in psutil.Process().children(recursive=True)}
        self._engines = {pid: ours[pid] for pid in self._engine_ids.values() if pid in ours}
        if settings.spans:
            self._client.metadata = self._done = _Kept(ipp.client.client.Metadata)
        return view

    def _connect(self, settings: Settings, workers: int) -> Any:
        """Start controller and engines; a client that sees all engines."""
        with _python_path(sys.path):
            return self._cluster.start_and_connect_sync()

    def _capture(self, view: Any, settings: Settings, directory: str) -> None:
        """Have the engines' output kept, and what they do in MPI noted."""
        view.apply_sync(capture_engine, directory)
        if settings.engines == "mpi":
            view.apply_sync(trace_engine, directory)

    def _places(self) -> dict[str, str]:
        """Where the controller listens; on this machine only, unless told."""
        return {}

    def bind(
        self, function: Callable[..., Any], handle: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Callable[[], Any]:
        """Wake the cluster, and bind the function to the view."""
        self._wake()
        if os.getcwd() != self._cwd:
            self._cwd = os.getcwd()
            handle.apply_sync(os.chdir, self._cwd)
        return functools.partial(function, handle, *args, **kwargs)

    def executor(self, handle: Any) -> Executor:
        """The engines as ipyparallel's own load-balanced executor."""
        self._wake()
        executor: Executor = self._client.executor()
        return executor

    def connection(self) -> dict[str, Any]:
        """What another client needs to connect."""
        self._wake()
        info: dict[str, Any] = self._cluster.controller.get_connection_info()["client"]
        return info

    def pids(self) -> list[int]:
        """The pids of the engines on this machine, by engine id."""
        return [pid for pid in self._engine_ids.values() if pid in self._engines]

    def exit_status(self, pid: int) -> int | None:
        """An engine's exit code, or minus the signal.

        ipyparallel waits for its engines in threads: we look before such a thread has reaped the
        engine, or else at what it got.
        """
        try:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return None
            return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        except ChildProcessError:
            sets = self._cluster.engines.values()
            launchers = [one for engines in sets for one in getattr(engines, "launchers", {}).values()]
            status = next((getattr(one.process, "_exitcode", None) for one in launchers if one.pid == pid), None)
            return status if isinstance(status, int) else None

    def section(self, start_s: float, end_s: float) -> Section | None:
        """When the engines had tasks, as they themselves have told the client."""
        if self._done is None:
            return None
        clock_s = time.time() - time.perf_counter()  # theirs is the time of day
        places = {engine: place for place, engine in enumerate(self._engine_ids)}
        spans = []
        for task in self._done.take():
            if task["completed"] is None or task["engine_id"] not in places:
                continue
            began_s, done_s = (_moment_s(task[m]) - clock_s for m in ("started", "completed"))
            if done_s > start_s:
                spans.append(Span(places[task["engine_id"]], began_s, done_s, COMPUTE))
        outstanding = len(self._client.outstanding)
        return Section(len(places), start_s, end_s, tuple(spans), outstanding=outstanding)

    def clean(self) -> str | None:
        """Clear the engines' namespaces, forget results, and put the cluster to sleep."""
        if self._client.outstanding and not self._client.wait(timeout=0.1):
            return f"{len(self._client.outstanding)} tasks were still out on the engines"
        if len(self._client.ids) != len(self._engine_ids):
            return f"{len(self._engine_ids) - len(self._client.ids)} of {len(self._engine_ids)} engines are gone"
        self._client[:].clear(block=True)
        self._client.purge_local_results("all")
        self._sleep()
        return None

    def close(self) -> None:
        """Stop engines and controller."""
        self._wake()
        if self._client is not None:
            self._client.close()
        if self._cluster is not None:
            self._cluster.stop_cluster_sync()

    def _sleep(self) -> None:
        self._stopped = psutil.Process().children(recursive=True)
        for process in self._stopped:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGSTOP)

    def _wake(self) -> None:
        for process in reversed(self._stopped):
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
        self._stopped = []


class _Kept(defaultdict[str, Any]):
    """What a client knows of its tasks; it drops that once it has handed out a result."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__(make)
        self._dropped: list[Any] = []

    def pop(self, key: str, *default: Any) -> Any:
        """Drop a task, but keep it in mind."""
        task = super().pop(key, *default)
        self._dropped.append(task)
        return task

    def take(self) -> list[Mapping[str, Any]]:
        """All tasks so far; those dropped by now are forgotten. The client puts a date of its own between them."""
        tasks, self._dropped = [*self._dropped, *self.values()], []
        return [task for task in tasks if isinstance(task, Mapping)]


def _moment_s(told: str | datetime) -> float:
    """The time of day of a moment that an engine has told, which comes as text now and then."""
    moment = datetime.fromisoformat(told.replace("Z", "+00:00")) if isinstance(told, str) else told
    return moment.timestamp()


@contextlib.contextmanager
def _python_path(entries: Sequence[str]) -> Iterator[None]:
    """Have processes started meanwhile import from the same places as this one."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


class IpyparallelBackend(RunnerBackend):
    """``ipyparallel``: controller and engines, started by a runner."""

    name = "ipyparallel"

    def missing(self, settings: Settings) -> str | None:
        """Ipyparallel must be installed."""
        if importlib.util.find_spec("ipyparallel") is None:
            return "ipyparallel is not installed; pip install 'pytest-parallel-lab[ipyparallel]'"
        if settings.site is not None:
            from pytest_parallel_lab.backends.sites.post import missing

            return missing(settings, settings.site)
        return None

    def version(self, settings: Settings) -> str:
        """The installed ipyparallel and how it starts engines."""
        return f"ipyparallel {importlib.metadata.version('ipyparallel')}, {settings.engines} engines"

    def host(self) -> Host:
        """Host of a cluster."""
        return IpyparallelHost()

    def start(self, keeper: KeeperClient, workers: int, settings: Settings) -> WorkerGroup:
        """Fork a runner for controller and client; on a site, start the engines there."""
        if settings.site is None:
            return super().start(keeper, workers, settings)
        from pytest_parallel_lab.backends.sites.engines import SiteCluster

        return SiteCluster(keeper, workers, settings)

    def watch(self, keeper: KeeperClient, root: int, members: Sequence[Worker], settings: Settings) -> Supervision:
        """Engines under MPI may wait for each other there."""
        if settings.engines == "mpi":
            return EngineWatch(keeper, root, members)
        return super().watch(keeper, root, members, settings)
