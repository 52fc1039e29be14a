"""Three hosts with sshd, in a network of their own."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
from pathlib import Path

import psutil

from tests.sites.network import HEAD_ADDRESS, Network
from tests.sites.node import SiteError
from tests.sites.server import Job

SSHD_PATH = "/usr/sbin/sshd"
SSHD = """
Port 22
ListenAddress {address}
HostKey {directory}/etc/host_key
AuthorizedKeysFile {directory}/etc/user_key.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
MaxStartups 100
MaxSessions 100
PrintMotd no
"""

SSH = """
Host head node1 node2 node3 10.77.0.*
  User root
  IdentityFile {directory}/etc/user_key
  IdentitiesOnly yes
  StrictHostKeyChecking yes
  UserKnownHostsFile {directory}/known_hosts
  LogLevel ERROR
  BatchMode yes
  ConnectTimeout 5
"""

# In sshd's eyes a locked account may not log in with a key either, and root is locked in some images.
SHADOW = "root:*:19000:0:99999:7:::\n"

PORT_22_LISTENS = (":0016", "0A")  # as in /proc/net/tcp


class Hosts(Network):
    """See the module."""

    kind = "hosts"
    addresses = {"node1": "10.77.0.11", "node2": "10.77.0.12", "node3": "10.77.0.13"}  # noqa: RUF012

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def bring_up(self) -> None:
        self._write_files()
        ssh = self.bind("ssh_config.d", "/etc/ssh/ssh_config.d")
        self.start_head([ssh])
        run = ["mount -t tmpfs tmpfs /run", "mkdir /run/sshd /run/lock"]
        etc = self.directory / "etc"
        daemons = {name: [SSHD_PATH, "-D", "-e", "-f", f"{etc}/sshd_{name}"] for name in self.addresses}
        self.start_nodes([ssh, self.bind("shadow", "/etc/shadow"), *run], daemons)
        self.write_scripts()

    def is_ready(self, name: str) -> bool:
        node = self.node(name)
        if not node.alive:
            raise SiteError(f"{name} ended: {node.log.read_text().strip()}")
        for line in Path(f"/proc/{node.pid}/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if (local[-5:], state) == PORT_22_LISTENS:
                return True
        return False

    def queue(self) -> list[Job]:
        """The processes on the nodes, but for sshd's own."""
        jobs = []
        for name, node in self.nodes.items():
            below = psutil.Process(node.pid).children(recursive=True) if node.alive else []
            for process in below:
                with contextlib.suppress(psutil.Error):
                    if process.exe() != SSHD_PATH and process.status() != psutil.STATUS_ZOMBIE:
                        command = shlex.join(process.cmdline())
                        jobs.append(Job(str(process.pid), command, process.status(), name))
        return jobs

    def drain(self) -> None:
        for job in self.queue():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(job.number), signal.SIGKILL)

    def _write_files(self) -> None:
        etc = self.directory / "etc"
        (etc / "ssh_config.d").mkdir()
        for key in ("host_key", "user_key"):
            self.command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(etc / key))
        key = (etc / "host_key.pub").read_text()
        known = [f"{name},{address} {key}" for name, address in {"head": HEAD_ADDRESS, **self.addresses}.items()]
        (self.directory / "known_hosts").write_text("".join(known))
        (self.directory / "hosts").write_text("".join(f"{name}\n" for name in self.addresses))
        (etc / "shadow").write_text(SHADOW)
        (etc / "shadow").chmod(0o640)
        for path in (self.directory / "ssh_config", etc / "ssh_config.d" / "site.conf"):
            path.write_text(SSH.format(directory=self.directory))
        for name, address in self.addresses.items():
            (etc / f"sshd_{name}").write_text(SSHD.format(directory=self.directory, address=address))
