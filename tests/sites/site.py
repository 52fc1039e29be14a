"""A site as a test sees it: its user's environment, and a hand on its nodes."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.sites.node import SiteError
from tests.sites.server import DAEMONS_PATH, Job

ROOT = Path(__file__).parents[2]
LIMIT_S = 40.0
GONE_LIMIT_S = 5.0
CANCELLED = ("COMPLETING", "dr", "dt")  # in the words of Slurm and Grid Engine

# What each needs: programs, and the Debian packages that have them.
NEEDS = {
    "slurm": (
        ["munged", "slurmctld", "slurmd", "srun", "salloc", "sbatch"],
        ["munge", "slurmctld", "slurmd", "slurm-client"],
    ),
    "gridengine": (
        ["sge_qmaster", "sge_execd", "qsub", "qconf", "ip"],
        ["gridengine-master", "gridengine-exec", "gridengine-client", "iproute2"],
    ),
    "hosts": (["sshd", "ssh", "ssh-keygen", "ip"], ["openssh-server", "openssh-client", "iproute2"]),
}

NAMESPACES = ["unshare", "--uts", "--ipc", "--pid", "--net", "--mount", "--mount-proc", "--kill-child", "--"]
NETWORK = ["ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1"]


def missing(kind: str) -> str:
    """Say why a site cannot be had on this machine; empty if it can."""
    programs, packages = NEEDS[kind]
    absent = [program for program in programs if shutil.which(program, path=DAEMONS_PATH) is None]
    if absent:
        return f"{kind}: no {', '.join(absent)}; apt-get install {' '.join(packages)}"
    if os.geteuid() != 0:
        return f"{kind}: its daemons and namespaces need root"
    probe = [*NAMESPACES, *(["true"] if kind == "slurm" else NETWORK)]
    tried = subprocess.run(probe, capture_output=True, text=True, env={"PATH": DAEMONS_PATH}, timeout=LIMIT_S)
    return f"{kind}: no namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


class Site:
    """A site that is up, in a process of its own that ends with this one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 closed in `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sites.up", kind, "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is ours; the site goes when we have gone
        )
        self._undo: list[tuple[str, ...]] = []
        facts = self._read()
        self.directory = Path(facts["directory"])
        self.environment: dict[str, str] = facts["environment"]
        self.nodes: list[str] = facts["nodes"]

    def command(self, *command: str) -> list[str]:
        """The argument list that runs a command as a user of the site."""
        return [str(self.directory / "run"), *command]

    def run(self, *command: str, limit_s: float = 30.0, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as a user of the site."""
        return subprocess.run(self.command(*command), capture_output=True, text=True, timeout=limit_s, **more)

    def queue(self) -> list[Job]:
        """The jobs of all users, waiting ones included; on hosts, processes on the nodes."""
        return [Job(*job) for job in self._ask("queue")]

    def drain(self) -> None:
        """Cancel all jobs."""
        self._ask("drain")

    def down(self, node: str) -> None:
        """Cut a node's power."""
        self._ask("down", node)
        self._undo.append(("restore", node))

    def restore(self, node: str) -> None:
        """Boot a node again."""
        self._ask("restore", node)

    def cut(self, node: str) -> None:
        """Pull a node's network cable."""
        self._ask("cut", node)
        self._undo.append(("mend", node))

    def mend(self, node: str) -> None:
        """Put a node's network cable back."""
        self._ask("mend", node)

    def hide(self, node: str, path: str | Path) -> None:
        """Make a directory empty on one node."""
        self._ask("hide", node, str(path))
        self._undo.append(("show", node, str(path)))

    def show(self, node: str, path: str | Path) -> None:
        """Undo `hide`."""
        self._ask("show", node, str(path))
        self._undo.remove(("show", node, str(path)))

    def leftovers(self) -> list[str]:
        """Wait a while for an empty queue and shared memory, return and remove what is left; undo what was done.

        A job that was cancelled and whose node is dead ends when its scheduler says so, or when the node is back.
        """
        left = self._left_at_limit(without=CANCELLED)
        while self._undo:
            self._ask(*self._undo.pop())
        if left or self._left_at_limit():
            self.drain()
            self._ask("clear_shared_memory")
        return left

    def _left_at_limit(self, without: tuple[str, ...] = ()) -> list[str]:
        deadline = time.monotonic() + GONE_LIMIT_S
        while True:
            jobs = [str(job) for job in self.queue() if job.state not in without]
            left = [*jobs, *self._ask("shared_memory")]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)

    def close(self) -> None:
        """Take the site down, and wait until it is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            status = self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        said = self._said()
        self._process.stdout.close()
        self._errors.close()
        if status:
            raise SiteError(f"{self.kind} did not end well, exit status {status}: {said}")

    def _ask(self, *words: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{' '.join(words)}\n".encode())
        answer = self._read()
        if "error" in answer:
            raise SiteError(answer["error"])
        return answer["done"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        deadline = time.monotonic() + LIMIT_S
        text = b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            read = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            if not read:
                self._process.kill()
                self._process.wait()
                why = "ended" if ready else f"said nothing for {LIMIT_S:g} s"
                raise SiteError(f"{self.kind}: the process that keeps the site {why}. {self._said()}")
            text += read
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().strip()
