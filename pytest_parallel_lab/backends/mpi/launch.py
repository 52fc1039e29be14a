"""Starting ranks: one run of a launcher, and the connections that its processes make back to us."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_parallel_lab.backends.collect import ready
from pytest_parallel_lab.backends.mpi.post import HerePost, Post
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.keeper.client import KeeperClient, python_command
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.outcome import Died
from pytest_parallel_lab.model.settings import Settings

_LOOK_EVERY_S = 0.02
_FAR_LOOK_EVERY_S = 0.2  # each look at a launcher in a job is a message there and back
_FAR_LAST_WORDS_S = 1.0
_LAST_WORDS_S = 0.3


def post_of(keeper: KeeperClient, settings: Settings) -> Post:
    """Where ranks are to be started. May wait in a queue.

    Raises:
        StartFailed: the site has no room, or cannot be reached.
    """
    if settings.site is None:
        return HerePost(keeper, settings)
    from pytest_parallel_lab.backends.sites.post import site_post

    return site_post(keeper, settings)


class Launch:
    """One run of the launcher, and the authenticated connections its processes make to us."""

    def __init__(
        self,
        keeper: KeeperClient,
        settings: Settings,
        ranks: int,
        module: str,
        arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the launcher.

        Args:
            keeper: starts it, or whoever does so elsewhere, and kills it whole.
            settings: its command template, the site, and how long ranks may take to come up.
            ranks: how many.
            module: every rank is to call its ``main``.
            arguments: of that program.
            env: environment variables to add.

        Raises:
            StartFailed: there is no such program.
        """
        self._settings = settings
        self.ranks = ranks
        self.post = post_of(keeper, settings)
        self._starter = self.post.starter
        name = secrets.token_hex(4)
        self._output = self.post.output(name)
        self.directory = Path(keeper.directory, f"mpi-{name}")
        self.directory.mkdir()
        self._accepted: list[Channel] = []
        self._door = self.post.open(self.directory, ranks)
        argv = self.post.command(ranks)
        try:
            environ = {**self.post.environment(self._door, self.directory), **(env or {})}
            command = python_command(module, self.post.call(self._door))
            self.pid = self._starter.launch([*argv, *command, *arguments], environ, os.getcwd(), self._output)
        except OSError as error:
            self._door.close()
            raise StartFailed(f"{self.post.heading}: the launcher {argv[0]!r} cannot be started: {error}") from error

    def printed(self) -> str:
        """What the launcher printed, and its processes before they captured their output."""
        return self._starter.read(self._output)

    def accept(self, take: Callable[[Channel, Message], None], done: Callable[[], bool]) -> None:
        """Take in connections with their first message until ``done``.

        Raises:
            StartFailed: the launcher ended, or the limit passed, before.
        """
        deadline = time.monotonic() + self._settings.start_limit_s
        patience_s = _LOOK_EVERY_S if self.post.site is None else _FAR_LOOK_EVERY_S
        silent: list[Channel] = []  # connected, but yet to say who they are: MPI_Init needs all others first
        guards: list[Channel] = []  # they have more to say only where their rank ends
        ended_s: float | None = None
        while not done():
            readable = ready([self._door, *silent, *guards], patience_s)
            if told := [guard for guard in guards if guard in readable]:
                raise StartFailed(self._why_not_all(told[0]))
            if self._door in readable and (channel := self._door.take()) is not None:
                self._accepted.append(channel)
                silent.append(channel)
            for channel in [c for c in silent if c in readable]:
                silent.remove(channel)
                with contextlib.suppress(ChannelClosed):  # it died: the missing one will be noticed
                    message = channel.receive()
                    take(channel, message)
                    guards += [channel] if message.kind == "guard" else []
            if not readable:
                # Once it has ended, once more round for what it left in the queue; from afar that may take a while.
                wait_s = 0.0 if self.post.site is None else _FAR_LAST_WORDS_S
                if time.monotonic() > (deadline if ended_s is None else min(deadline, ended_s + wait_s)):
                    raise StartFailed(self._why_not(ended_s is not None))
                if ended_s is None and not self.running():
                    ended_s = time.monotonic()
        if self.post.site is not None:
            self._door.close()  # all are in: nothing listens on a network for longer than it must

    def running(self) -> bool:
        """Whether the launcher still runs."""
        self.status = self._starter.wait(self.pid, 0.0)
        return self.status is None

    def _why_not(self, ended: bool) -> str:
        command = self.post.shown(self.ranks)
        if ended:
            why = f"{command!r} {_ended(self.status)} before {self.ranks} ranks had come up. Is it an MPI launcher?"
        else:
            why = f"{command!r} did not bring up {self.ranks} ranks within {self._settings.start_limit_s:g} s."
        return f"{self.post.heading}: {why} It printed:\n{self.printed() or '(nothing)'}\n{self.post.says()}"

    def _why_not_all(self, guard: Channel) -> str:
        """Why one of the ranks ended before all had come up, as its guard tells."""
        status = None
        with contextlib.suppress(ChannelClosed):
            status = guard.receive().body["status"]
        time.sleep(_LAST_WORDS_S)  # what it printed goes through the launcher
        return (
            f"{self.post.heading}: a rank {_ended(status)} before all {self.ranks} had come up. "
            f"They printed:\n{self.printed() or '(nothing)'}"
        )

    def close(self, *, limit_s: float) -> None:
        """Close all connections, wait for the launcher to end, kill it at the limit, and tidy up."""
        for channel in self._accepted:
            channel.close()
        self._door.close()
        if limit_s:
            self._starter.wait(self.pid, limit_s)
        self._starter.kill(self.pid)
        shutil.rmtree(self.directory, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._output)


def _ended(status: int | None) -> str:
    return f"ended with exit status {status}" if status is not None and status >= 0 else Died(status).reason
