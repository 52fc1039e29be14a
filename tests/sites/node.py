"""One node of a site: processes with a name, a process tree and file systems of their own, in namespaces."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import psutil

START_LIMIT_S = 20.0

# Ends what it starts when the process that started it ends, however that comes about.
WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"]


class SiteError(Exception):
    """A site did not come up, or cannot do what it was told."""


class Node:
    """A node: the first process of its own process namespace, and all below it.

    Whatever a daemon does on a node (sessions of their own, double forks), it dies with the node: the kernel kills
    a process namespace whole when its first process ends, and that one ends with the process that made the node.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        preparation: list[str],
        daemon: list[str],
        environment: dict[str, str],
        network: bool = False,
        clock_ahead_s: int = 0,
    ) -> None:
        self.name = name
        self.environment = environment
        self.preparation = preparation
        self.daemon = daemon
        self.network = network
        self.clock_ahead_s = clock_ahead_s
        self.pid = 0
        self.log = directory / "log" / f"{name}.log"
        self._unshare: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether the node is powered on."""
        return self._unshare is not None and self._unshare.poll() is None

    def start(self) -> None:
        """Make the namespaces; the node then waits for `go`."""
        script = [
            "set -e",
            "mount -t tmpfs -o mode=1777 tmpfs /dev/shm",
            *self.preparation,
            "read -r _go",  # what is done from outside comes between: its network cable
            f"{shlex.join(self.daemon)} &",
            "wait $!",  # bash reaps meanwhile what was orphaned on this node
        ]
        kinds = ["--uts", "--ipc", "--pid", "--mount", "--mount-proc", *(["--net"] if self.network else [])]
        if os.path.exists("/proc/self/ns/time"):
            # Monotonic clocks of real hosts have nothing to do with each other.
            kinds += ["--time", f"--monotonic={self.clock_ahead_s}", f"--boottime={self.clock_ahead_s}"]
        shell = ["bash", "-c", "\n".join(script)]
        with self.log.open("ab") as output:
            self._unshare = subprocess.Popen(
                [*WITH_PARENT, "unshare", *kinds, "--kill-child", "--", *shell],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self.environment,
                cwd="/",
                start_new_session=True,
            )
        self.pid = self._first_process()

    def go(self) -> None:
        """Start the daemon."""
        assert self._unshare is not None
        assert self._unshare.stdin is not None
        self._unshare.stdin.write(b"go\n")
        self._unshare.stdin.close()

    def kill(self) -> None:
        """Kill everything on it at once."""
        if self._unshare is None:
            return
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        self._unshare.wait()
        if self._unshare.stdin is not None:
            self._unshare.stdin.close()

    def hide(self, path: str) -> None:
        """Mount an empty directory over a path, on this node only."""
        self.run("mount", "-t", "tmpfs", "tmpfs", path)

    def show(self, path: str) -> None:
        """Undo `hide`, even while a process is in there."""
        self.run("umount", "--lazy", path)

    def run(self, *command: str) -> str:
        """Run a command of the machine in the node's network, names and mounts."""
        places = ["--uts", "--pid", "--mount", *(["--net"] if self.network else [])]
        enter = ["nsenter", f"--target={self.pid}", *places, "--"]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, timeout=START_LIMIT_S)
        if done.returncode:
            raise SiteError(f"{self.name}: {shlex.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def _first_process(self) -> int:
        assert self._unshare is not None
        deadline = time.monotonic() + START_LIMIT_S
        while self._unshare.poll() is None and time.monotonic() < deadline:
            for child in psutil.Process(self._unshare.pid).children():
                return child.pid
            time.sleep(0.005)
        raise SiteError(f"node {self.name} did not start: {self.log.read_text().strip() or 'nothing was said'}")
