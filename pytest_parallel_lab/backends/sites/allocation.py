"""A job that is ours: submitted once, waited for once, and home to all ranks until the session ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pytest_parallel_lab.backends import limit as limits
from pytest_parallel_lab.backends.collect import ready
from pytest_parallel_lab.backends.mpi.launchers import mpi_environment
from pytest_parallel_lab.backends.sites.gridengine import GridEngine
from pytest_parallel_lab.backends.sites.scheduler import ENDED, ENDING, PENDING, Job, Scheduler, ask, said
from pytest_parallel_lab.backends.sites.slurm import Slurm
from pytest_parallel_lab.keeper import network
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed
from pytest_parallel_lab.keeper.client import KeeperClient, python_command
from pytest_parallel_lab.keeper.foreman import FarKeeper
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.site import GRIDENGINE, SLURM, Site

SCHEDULERS: dict[str, Callable[[], Scheduler]] = {SLURM: Slurm, GRIDENGINE: GridEngine}
_LOOK_EVERY_S = 0.5
_LEAVE_LIMIT_S = 3.0  # what a job gets to end by itself when its foreman has been let go
_CANCEL_LIMIT_S = 8.0
_TIDY_S = 5
_LAST_WORDS_LIMIT_S = 6.0  # what a scheduler gets to say why a job is gone
_OUTPUT_CHARACTERS = 2000


class Allocation:
    """One job on a site."""

    def __init__(self, keeper: KeeperClient, site: Site, start_limit_s: float) -> None:
        """Submit it, and wait until its foreman has come in.

        Args:
            keeper: cancels the job, should we end without having done so; its ``say`` shows how the wait goes.
            site: where.
            start_limit_s: what the foreman gets once the job runs.

        Raises:
            StartFailed: the job was refused, waited for too long, or ended.
        """
        self.site = site
        self._keeper = keeper
        self.scheduler = SCHEDULERS[site.kind]()
        self._start_limit_s = start_limit_s
        self._number = ""
        self._name = f"parallel-lab-{secrets.token_hex(4)}"
        self._channel: Channel | None = None
        self.address: str = network.own_address(site.interface, self.scheduler.host(), f"{site.table}: interface")
        self.directory: Path = network.private_directory(site.directory, self._name)
        self._output = self.directory / "job.out"
        environ = {**network.travelling(mpi_environment()), **dict(site.environment)}
        self._door = network.NetworkDoor(self.address, site.ports, self.directory, environ)
        # A job that runs ends by itself, tidily, once we are gone; one that waits has to be cancelled.
        later = ["sh", "-c", f"sleep {_TIDY_S}; exec {shlex.join(self.scheduler.cancel(self._name))}"]
        self._will = keeper.bequeath(later, str(self.directory))
        try:
            with limits.paused():  # the time in the queue is not the test's
                self._submit()
                told = self._wait()
        except BaseException:
            self.close()
            raise
        finally:
            self._door.close()
            keeper.say("")
        self.nodes: tuple[str, ...] = self.scheduler.nodes(told)
        self.hostfile: str = told["hostfile"]
        assert self._channel is not None
        self.far: FarKeeper = FarKeeper(self._channel, told["directory"], site.heading)

    def _submit(self) -> None:
        script = self.directory / "job.sh"
        call = f"main({self._door.address!r}, {str(self._door.key_file)!r})"
        command = shlex.join(python_command("pytest_parallel_lab.keeper.foreman", call))
        network.write_private(script, f"#!/bin/sh\nexec {command}\n", 0o700)
        argv = self.scheduler.submit(self.site, self._name, str(script), str(self._output))
        done = ask(argv)
        words = done.stdout.replace(";", " ").split()
        if done.returncode or not words or not words[0].partition(".")[0].isdigit():
            raise StartFailed(f"{self.site.heading}: {argv[0]} did not take the job. It says: {said(done)}")
        self._number = words[0].partition(".")[0]

    def _wait(self) -> dict[str, str]:
        """Wait in the queue, and then for the foreman; what that tells of the job."""
        began_s = time.monotonic()
        ran_s: float | None = None
        look_s = 0.0
        silent: list[Channel] = []
        while True:
            for one in ready([self._door, *silent], _LOOK_EVERY_S):
                if one is self._door:
                    channel = self._door.take()
                    silent += [channel] if channel is not None else []
                    continue
                silent.remove(one)
                with contextlib.suppress(ChannelClosed):
                    body: dict[str, str] = one.receive().body
                    self._channel = one
                    return body
            now_s = time.monotonic()
            if now_s < look_s:
                continue
            look_s = now_s + _LOOK_EVERY_S
            job = self.look()
            if job.state == ENDED:
                text = "the job ended before its ranks could be started"
                raise StartFailed(f"{self.site.heading}: {text}. {self._told(job)}")
            if job.state == PENDING:
                ran_s = None
                waited_s = now_s - began_s
                self._keeper.say(
                    f"{self.site.heading}: job {self._number} waits in the queue, {waited_s:.0f} s of at most "
                    f"{self.site.queue_limit_s:g} s. {job.says}"
                )
                if waited_s > self.site.queue_limit_s:
                    raise StartFailed(
                        f"{self.site.heading}: job {self._number} waited in the queue for "
                        f"{self.site.queue_limit_s:g} s and was cancelled. "
                        f"{job.says}. Ask for less, or set queue_limit_s in {self.site.table}"
                    )
                continue
            ran_s = now_s if ran_s is None else ran_s
            if now_s - ran_s > self._start_limit_s:
                raise StartFailed(
                    f"{self.site.heading}: job {self._number} runs, but did not connect back to {self._door.address} "
                    f"within {self._start_limit_s:g} s. Can its nodes reach that address, and see {self.directory}? "
                    f"If not, name another interface, or a shared directory, in {self.site.table}. {self._told(job)}"
                )

    def look(self) -> Job:
        """What the scheduler says of the job."""
        return self.scheduler.look(self._number)

    def alive(self) -> bool:
        """Whether ranks can be started in it."""
        return self._channel is not None and self._channel.fileno() >= 0 and network.is_open(self._channel)

    def says(self) -> str:
        """What the scheduler says of it now; where it has ended, once the scheduler has noticed that too."""
        with contextlib.suppress(StartFailed):
            job = self.look()
            deadline = time.monotonic() + _LAST_WORDS_LIMIT_S
            while not self.alive() and job.state != ENDED and time.monotonic() < deadline:
                time.sleep(0.2)
                job = self.look()
            return self._told(job)
        return "The scheduler does not answer."

    def _told(self, job: Job) -> str:
        printed = ""
        with contextlib.suppress(OSError):
            printed = self._output.read_text(errors="replace")[-_OUTPUT_CHARACTERS:].strip()
        return job.says + (f"\nThe job printed:\n{printed}" if printed else "")

    def close(self) -> None:
        """Let the foreman go, and with it the job; cancel the job if it does not end."""
        if self._channel is not None:
            self._channel.close()
        try:
            if self._channel is not None and self._gone_within(_LEAVE_LIMIT_S):
                return
            # By number, and by name where the number was not told in time.
            ask(self.scheduler.cancel(self._number or self._name))
            if self._number and not self._gone_within(_CANCEL_LIMIT_S):
                ask(self.scheduler.cancel(self._number, force=True))
            if self._number and not self._gone_within(_CANCEL_LIMIT_S):
                self._keeper.say(f"{self.site.heading}: job {self._number} is still there. {self.look().says}")
        except (StartFailed, subprocess.SubprocessError) as error:
            self._keeper.say(f"{self.site.heading}: job {self._number or self._name} could not be cancelled: {error}")
        finally:
            self._keeper.renounce(self._will)
            shutil.rmtree(self.directory, ignore_errors=True)

    def _gone_within(self, limit_s: float) -> bool:
        """Whether the job has ended; a Slurm that waits for a dead node will end it without us."""
        over = (ENDED, ENDING) if self.site.kind == SLURM else (ENDED,)
        deadline = time.monotonic() + limit_s
        while self.look().state not in over:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


_allocations: dict[tuple[int, Site], Allocation] = {}
_failures: dict[tuple[int, Site], str] = {}


def allocation_of(keeper: KeeperClient, site: Site, start_limit_s: float) -> Allocation:
    """The session's job on a site: the one there is, else a new one.

    Raises:
        StartFailed: there is none to be had. Nobody waits in vain twice.
    """
    key = (keeper.pid, site)
    if key in _failures:
        raise StartFailed(f"{_failures[key]}\n(It is not tried again in this session.)")
    found = _allocations.get(key)
    if found is not None and found.alive():
        return found
    if found is not None:
        found.close()
        del _allocations[key]
    try:
        made = Allocation(keeper, site, start_limit_s)
    except StartFailed as error:
        _failures[key] = str(error)
        raise
    _allocations[key] = made

    def close() -> None:
        if _allocations.get(key) is made:
            del _allocations[key]
            made.close()

    keeper.at_close.callback(close)
    return made


def inside(site: Site) -> bool:
    """Whether this process runs in a job of the site's scheduler already."""
    if site.kind == SLURM:
        return "SLURM_JOB_ID" in os.environ
    return site.kind == GRIDENGINE and "PE_HOSTFILE" in os.environ and Path(os.environ["PE_HOSTFILE"]).exists()
