"""What every site has: a directory, daemons, nodes, and an end after which nothing of it is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pytest_parallel_lab.keeper.tree import become_subreaper, kill_below
from tests.sites.node import START_LIMIT_S, WITH_PARENT, Node, SiteError

CLOCKS_APART_S = 1000
PREFIX = "parallel-site-"
PATH_LIMIT = 107 - len("/spool-n1/n1_4294967295.4294967295")  # the longest name of a socket, slurmstepd's
DAEMONS_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class Job(NamedTuple):
    """A job of a scheduler; where there is none, a process of a user on a node."""

    number: str
    name: str
    state: str
    nodes: str


class Server(ABC):
    """Brings a site up, does things to its nodes, takes it down; lives in a process of its own."""

    kind: str

    def __init__(self) -> None:
        become_subreaper()  # so that what daemons start is found, whatever it does
        remove_directories_of_the_dead()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{self.kind}-"))
        if len(str(self.directory)) > PATH_LIMIT:
            self.directory.rmdir()
            raise SiteError(f"{self.directory}: a site's sockets need a shorter path than this; set TMPDIR to one")
        self.directory.chmod(0o755)
        self._lock = hold_lock(self.directory)
        self.nodes: dict[str, Node] = {}
        self._daemons: list[subprocess.Popen[bytes]] = []
        for name in ("log", "etc"):
            (self.directory / name).mkdir()

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The variables that a user of the site needs."""

    @property
    def enter(self) -> list[str]:
        """What is put before a command to run it where users of the site are."""
        return []

    @abstractmethod
    def bring_up(self) -> None:
        """Start everything and wait until it can be used."""

    @abstractmethod
    def restore(self, name: str) -> None:
        """Boot a node again that is down."""

    @abstractmethod
    def queue(self) -> list[Job]:
        """What users have on the site now, waiting jobs included."""

    @abstractmethod
    def drain(self) -> None:
        """Cancel what users left, and wait for its end."""

    def down(self, name: str) -> None:
        """Cut the power of a node."""
        self.node(name).kill()

    def cut(self, name: str) -> None:
        """Pull the network cable of a node."""
        raise SiteError(f"the nodes of {self.kind} have no network of their own; take it down instead: down {name}")

    mend = cut

    def hide(self, name: str, path: str) -> None:
        """Make a directory empty on one node, until that boots again."""
        self.node(name).hide(path)

    def show(self, name: str, path: str) -> None:
        """Undo `hide`."""
        self.node(name).show(path)

    def shared_memory(self) -> list[str]:
        """The files in `/dev/shm` of every node."""
        files = []
        for name, node in self.nodes.items():
            if node.alive:
                files += [f"{name}:/dev/shm/{path.name}" for path in self._shared_memory_of(node).iterdir()]
        return files

    def clear_shared_memory(self) -> None:
        """Remove them."""
        for node in self.nodes.values():
            for path in self._shared_memory_of(node).iterdir() if node.alive else ():
                path.unlink()

    @staticmethod
    def _shared_memory_of(node: Node) -> Path:
        return Path(f"/proc/{node.pid}/root/dev/shm")

    def is_drained(self) -> bool:
        """Whether the queue is empty."""
        return not self.queue()

    def node(self, name: str) -> Node:
        """The node of that name."""
        if name not in self.nodes:
            raise SiteError(f"no node {name!r} on {self.kind}; there are {', '.join(self.nodes)}")
        return self.nodes[name]

    def write_scripts(self) -> None:
        """Write `environment.sh`, and `run` that runs a command as a user of the site."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()]
        (self.directory / "environment.sh").write_text("\n".join(exports) + "\n")
        place = f'{shlex.join(self.enter)} env -C "$PWD" ' if self.enter else ""
        script = self.directory / "run"
        script.write_text(f'#!/bin/sh\n. {self.directory}/environment.sh\nexec {place}"$@"\n')
        script.chmod(0o755)

    def daemon(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a daemon in the foreground, which ends with this process."""
        with (self.directory / "log" / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                [*WITH_PARENT, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.daemons_environment,
                cwd=self.directory,
                start_new_session=True,
            )
        self._daemons.append(started)
        return started

    def command(self, *command: str, text: str = "") -> str:
        """Run a command of the site's own and return what it printed.

        Raises:
            SiteError: It failed.
        """
        done = self.tried(*command, text=text)
        if done.returncode:
            raise SiteError(f"{shlex.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def tried(self, *command: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        return subprocess.run(
            command, env=self.daemons_environment, input=text, capture_output=True, text=True, timeout=START_LIMIT_S
        )

    @property
    def daemons_environment(self) -> dict[str, str]:
        """What daemons and commands get: little of what the tests' own process has, since jobs inherit it."""
        return {"PATH": DAEMONS_PATH, "HOME": os.environ.get("HOME", "/"), **self.environment}

    def wait_until(self, ready: Callable[[], bool], what: str, limit_s: float = START_LIMIT_S) -> None:
        """Wait until something holds; what the logs say is in the error if it does not."""
        deadline = time.monotonic() + limit_s
        while not ready():
            ended = [str(d.args) for d in self._daemons if d.poll() is not None]
            if ended or time.monotonic() > deadline:
                why = f"ended: {ended[0]}" if ended else f"not after {limit_s:g} s"
                raise SiteError(f"{self.kind}: {what}: {why}\n{self._logs()}")
            time.sleep(0.02)

    def take_down(self) -> None:
        """Leave nothing: no job, process, namespace, mount, socket or file."""
        try:
            self.drain()
        finally:
            for node in self.nodes.values():
                node.kill()
            self.kill_users()
            for daemon in reversed(self._daemons):
                daemon.kill()
                daemon.wait()
            kill_below(os.getpid())
            shutil.rmtree(self.directory, ignore_errors=True)
            os.close(self._lock)

    def kill_users(self) -> None:  # noqa: B027 where users are outside of the site, it has none to kill
        """Kill what users run inside of the site, its nodes aside."""

    def _logs(self) -> str:
        parts = []
        for log in sorted((self.directory / "log").iterdir()):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            parts.append("\n".join([f"--- {log.name}", *lines]))
        return "\n".join(parts)


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens at; all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def hold_lock(directory: Path) -> int:
    """Lock a site's directory for as long as this process lives."""
    lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def remove_directories_of_the_dead() -> None:
    """Remove what sites left whose process was killed: nobody holds the lock of their directory."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        with contextlib.suppress(OSError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
