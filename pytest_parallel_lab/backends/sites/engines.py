"""ipyparallel on a site: the controller here, on the interface that the site names; its engines there.

ipyparallel's own security stays on: all messages are signed with a key that only its connection file has.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_parallel_lab.backends.collect import gather
from pytest_parallel_lab.backends.ipyparallel import IpyparallelHost
from pytest_parallel_lab.backends.mpi.launch import Launch
from pytest_parallel_lab.backends.mpi.witness import AwayWitness
from pytest_parallel_lab.backends.runner_group import RunnerGroup
from pytest_parallel_lab.backends.sites.engine import settle
from pytest_parallel_lab.backends.sites.post import site_post
from pytest_parallel_lab.backends.supervision import Supervision
from pytest_parallel_lab.keeper.channel import Channel, Message, Parcel
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.keeper.network import write_private
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.outcome import Outcome, Served, Worker, WorkerReport
from pytest_parallel_lab.model.settings import Settings

_STOP_LIMIT_S = 3.0
_LAUNCHERS = ("local", "mpi")


class SiteHost(IpyparallelHost):
    """Owns a controller and a client; the engines come from the site."""

    def __init__(self, address: str, file: str) -> None:
        """Make a host.

        Args:
            address: of this machine, where the controller is to listen, and nowhere else.
            file: where engines look for what they need to connect.
        """
        super().__init__()
        self._address = address
        self._file = file

    def _places(self) -> dict[str, str]:
        return {"controller_ip": self._address, "controller_location": self._address}

    def _connect(self, settings: Settings, workers: int) -> Any:
        self._cluster.start_controller_sync()
        client = self._cluster.connect_client_sync()
        found = Path(self._cluster.controller.connection_files["engine"]).read_text()
        write_private(Path(f"{self._file}.new"), found)
        os.rename(f"{self._file}.new", self._file)  # engines find all of it, or nothing
        client.wait_for_engines(workers, timeout=settings.start_limit_s)
        os.unlink(self._file)
        return client

    def _capture(self, view: Any, settings: Settings, directory: str) -> None:
        view.apply_sync(settle, list(sys.path))

    def _sleep(self) -> None:
        """Stay awake: engines take a controller that is stopped for one that is gone."""


class SiteCluster(RunnerGroup):
    """A runner with controller and client here, and engines on the site."""

    def __init__(self, keeper: KeeperClient, workers: int, settings: Settings) -> None:
        """Start engines there and a controller here. May wait in a queue.

        Raises:
            StartFailed: engines or controller did not come up.
        """
        if settings.engines not in _LAUNCHERS:
            raise BadSetting(
                f"--parallel-engines={settings.engines}: on a site its own launcher starts engines; give local, "
                "or mpi for engines that are ranks of one MPI program"
            )
        post = site_post(keeper, settings)
        self._file = post.directory / f"engines-{secrets.token_hex(4)}.json"
        as_ranks = ["--mpi"] if settings.engines == "mpi" else []
        arguments = [str(self._file), str(settings.start_limit_s), *as_ranks]
        self._launch = Launch(keeper, settings, workers, "pytest_parallel_lab.backends.sites.engine", arguments)
        self._guards: dict[str, Channel] = {}
        self._deputies: dict[int, Channel] = {}  # by the engine's id
        try:
            self._launch.accept(self._take, lambda: len(self._guards) == workers == len(self._deputies))
            self._witness = AwayWitness(self._deputies)
            self._elsewhere = [Worker("engine", i, workers, 0, post.heading) for i in range(workers)]
            host = SiteHost(post.address, str(self._file))
            super().__init__("ipyparallel", keeper, host, workers, settings, lambda *a: Supervision(keeper, *a))
        except BaseException:
            self._launch.close(limit_s=_STOP_LIMIT_S)
            self._file.unlink(missing_ok=True)
            raise

    def _take(self, channel: Channel, message: Message) -> None:
        if message.kind == "guard":
            self._guards[message.body["name"]] = channel
            return
        place = message.body["place"]
        self._deputies[len(self._deputies) if place is None else place] = channel

    def run(self, call: Parcel, **options: Any) -> Outcome:
        """Carry out one packed call, and fetch what the engines have printed meanwhile."""
        outcome = super().run(call, **options)
        texts = self._witness.output(self._elsewhere)
        printed = tuple(WorkerReport(w, Served(), texts[w.index]) for w in self._elsewhere if texts.get(w.index))
        return replace(outcome, reports=outcome.reports + printed)

    def victims(self) -> Sequence[Worker]:
        """The engines."""
        return self._elsewhere

    def signal(self, worker: Worker, number: int) -> None:
        """Send an engine a signal, wherever it is."""
        self._witness.signal(worker, number)

    def printed(self) -> list[tuple[str, str]]:
        """What the runner and the engines have printed since they were last asked."""
        texts = self._witness.output(self._elsewhere)
        return [*super().printed(), *((w.label, texts[w.index]) for w in self._elsewhere if texts.get(w.index))]

    def healthy(self) -> bool:
        """Whether the runner lives, and all engines."""
        gone: list[int] = []
        gather(list(self._guards.values()), lambda index, _: gone.append(index), limit_s=0.0)
        self._broken = self._broken or bool(gone)
        return super().healthy()

    def close(self) -> None:
        """Stop the runner, then the engines."""
        for worker in self._elsewhere:  # they would wait for a controller that is gone
            with contextlib.suppress(ProcessLookupError):
                self._witness.signal(worker, signal.SIGKILL)
        super().close()
        self._launch.close(limit_s=_STOP_LIMIT_S)
