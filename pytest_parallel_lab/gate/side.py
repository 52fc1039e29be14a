"""One side of a gate: a fresh pytest process of one version, which measures when it is told to."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_parallel_lab.gate.checkout import Checkout
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.model.errors import BadSetting, StartFailed

OPTION = "--parallel-gate-side"
_START_LIMIT_S = 120.0
_LOOK_S = 0.2
_STOP_LIMIT_S = 20.0
_SHOWN = 4000  # characters of what a side that failed has printed
_SHOWN_LATER = 400  # once it has come up: what was said before is of no interest
# As the program "pytest" does it: without the current directory on the module path.
_PYTEST = "import sys; del sys.path[0]; import pytest; sys.exit(pytest.main())"


class SideLost(StartFailed):
    """A side ended before its time.

    Attributes:
        side: which.
    """

    def __init__(self, side: str, text: str) -> None:
        super().__init__(text)
        self.side = side


class Side:
    """A pytest process that measures one version."""

    def __init__(
        self,
        name: str,
        checkout: Checkout,
        keeper: KeeperClient,
        words: Sequence[str],
        directory: Path,
        *,
        as_module: bool,
        environment: Mapping[str, str],
    ) -> None:
        """Start it; ``collected`` waits until it is up.

        Args:
            name: "baseline" or "current".
            checkout: the version.
            keeper: starts it, and ends it with the session.
            words: pytest's arguments.
            directory: where it runs, relative to the version's root.
            as_module: whether as with ``python -m pytest``, the current directory on the module path.
            environment: its variables.
        """
        self.name = name
        self._checkout = checkout
        self._keeper = keeper
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=keeper.directory), "side")
        self._output = place.with_suffix(".log")
        address = place.with_suffix(".sock")
        program = ["-m", "pytest"] if as_module else ["-c", _PYTEST]
        own = [f"{OPTION}={address}", f"--rootdir={checkout.root}", f"--basetemp={place.with_suffix('.tmp')}"]
        own += ["-o", f"cache_dir={place.with_suffix('.cache')}"]
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen(1)
        command = [sys.executable, *program, *words, *own]
        self.pid = keeper.launch(command, environment, str(checkout.root / directory), str(self._output))
        self._channel: Channel | None = None

    def collected(self) -> list[str]:
        """Wait until it is up; the ids of its tests.

        Raises:
            SideLost: it does not come up; the text has what it printed.
            BadSetting: it tests the current version in place of the one that is installed for it.
        """
        with self._listener:
            self._channel = self._connected()
        body = self.receive().body
        hiding = self._checkout.hidden_by(body["modules"])
        if hiding:
            raise BadSetting(
                f"--parallel-gate={self._checkout.commit}: the tests do not import that version of {hiding}, but what "
                f"lies in {self._checkout.root}; keep sources where only an installation finds them, as in src"
            )
        nodeids: list[str] = body["nodeids"]
        return nodeids

    def _connected(self) -> Channel:
        limit_s = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < limit_s:
            if select.select([self._listener], [], [], _LOOK_S)[0]:
                connection, _ = self._listener.accept()
                return Channel(connection)
            status = self._keeper.wait(self.pid, 0)
            if status is not None:
                raise self._lost(f"did not come up: pytest ended with {status}")
        raise self._lost(f"did not come up within {_START_LIMIT_S:g} s")

    def send(self, kind: str, **body: Any) -> None:
        """Tell it something.

        Raises:
            SideLost: it is gone.
        """
        try:
            self._connection.send(kind, body)
        except ChannelClosed as error:
            raise self._lost("is gone") from error

    def receive(self) -> Message:
        """Wait for what it says.

        Raises:
            SideLost: it is gone.
        """
        try:
            return self._connection.receive()
        except ChannelClosed as error:
            status = self._keeper.wait(self.pid, 1.0)
            raise self._lost(f"is gone in the middle; its exit status is {status}", shown=_SHOWN_LATER) from error

    def stop(self) -> None:
        """Have it end; ``ended`` waits for that."""
        self._listener.close()
        if self._channel is None:
            self._keeper.kill(self.pid)
            return
        with contextlib.suppress(SideLost):
            self.send("stop")
        self._channel.close()

    def ended(self) -> None:
        """Wait until it has ended, and all that it started."""
        if self._keeper.wait(self.pid, _STOP_LIMIT_S) is None:
            self._keeper.kill(self.pid)

    @property
    def _connection(self) -> Channel:
        assert self._channel is not None, "collected() comes first"
        return self._channel

    def _lost(self, what: str, *, shown: int = _SHOWN) -> SideLost:
        said = self._output.read_text(errors="replace")[-shown:].strip()
        hint = ""
        if OPTION in said and "unrecognized arguments" in said:
            hint = "\nIts pytest-parallel-lab has no gate: choose a later baseline."
        return SideLost(self.name, f"the {self.name} version {what}. It printed:\n{said or '(nothing)'}{hint}")
