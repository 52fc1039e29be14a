"""A site in a network of its own: a head that it is used from, and nodes behind a bridge."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from abc import abstractmethod
from pathlib import Path

from tests.sites.node import Node
from tests.sites.server import CLOCKS_APART_S, Server

INTERFACE = "eth0"
HEAD_ADDRESS = "10.77.0.1"

# What dead processes have still to send would keep the network of a dead node alive for minutes.
PATIENCE = "echo 1 >/proc/sys/net/ipv4/tcp_orphan_retries"


def card(address: str) -> str:
    """A hardware address for an IP address: one that boots again has that which its neighbours remember."""
    return f"02:00:{':'.join(f'{int(part):02x}' for part in address.split('.'))}"


class Network(Server):
    """See the module.

    All of it is in namespaces without names, so no command can leave one behind: they end with their processes.
    """

    addresses: dict[str, str]  # of the nodes

    def __init__(self) -> None:
        super().__init__()
        self._head: subprocess.Popen[bytes] | None = None

    @property
    def enter(self) -> list[str]:
        assert self._head is not None
        return ["nsenter", f"--target={self._head.pid}", "--net", "--uts", "--mount", "--"]

    @abstractmethod
    def is_ready(self, name: str) -> bool:
        """Whether a node that was started can be used."""

    def start_head(self, mounts: list[str]) -> None:
        """Make the head: a network with a bridge, and names; its processes are the machine's."""
        addresses = {"head": HEAD_ADDRESS, **self.addresses}
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in addresses.items())]
        (self.directory / "etc" / "hosts").write_text("\n".join(lines) + "\n")
        up = self.directory / "etc" / "head_is_up"
        script = [
            "set -e",
            "hostname head",
            PATIENCE,
            self.bind("hosts", "/etc/hosts"),
            *mounts,
            # Its own hardware address: else it has that of a cable, which may go.
            "ip -batch - <<'END'",
            f"link add {INTERFACE} address {card(HEAD_ADDRESS)} type bridge",
            f"addr add {HEAD_ADDRESS}/24 dev {INTERFACE}",
            f"link set {INTERFACE} up",
            "link set lo up",
            "END",
            f"touch {shlex.quote(str(up))}",
            "exec sleep infinity",
        ]
        unshare = ["unshare", "--uts", "--net", "--mount", "--", "bash", "-c", "\n".join(script)]
        self._head = self.daemon("head", *unshare)
        self.wait_until(up.exists, "the head's network is not there")

    def start_nodes(self, mounts: list[str], daemons: dict[str, list[str]]) -> None:
        """Start a node for each daemon, and wait until all can be used."""
        for number, (name, daemon) in enumerate(daemons.items(), start=1):
            preparation = [PATIENCE, f"hostname {name}", self.bind("hosts", "/etc/hosts"), *mounts]
            self.nodes[name] = Node(
                name,
                self.directory,
                preparation=preparation,
                daemon=daemon,
                environment=self.daemons_environment,
                network=True,
                clock_ahead_s=number * CLOCKS_APART_S,
            )
            self.nodes[name].start()
        self._connect(list(daemons))
        self.wait_until(lambda: all(map(self.is_ready, daemons)), "the nodes are not ready")

    def bind(self, name: str, target: str) -> str:
        """The shell command that puts a file of the site's `etc` in the place of one of the machine's."""
        return f"mount --bind {shlex.quote(str(self.directory / 'etc' / name))} {target}"

    def down(self, name: str) -> None:
        if not self.node(name).alive:
            return
        self.cut(name)  # first of all: the dying processes would say good-bye to their peers
        super().down(name)
        # Where no connection is left the kernel has done so already, or is about to.
        self.tried(*self.enter, "ip", "link", "delete", f"v{name}")

    def restore(self, name: str) -> None:
        node = self.node(name)
        if node.alive:
            self.mend(name)
        else:
            node.start()
            self._connect([name])
        self.wait_until(lambda: self.is_ready(name), f"{name} is not ready again")

    def cut(self, name: str) -> None:
        if self.node(name).alive:
            self.on_head("ip", "link", "set", f"v{name}", "down")

    def mend(self, name: str) -> None:
        if self.node(name).alive:
            self.on_head("ip", "link", "set", f"v{name}", "up")

    def kill_users(self) -> None:
        for pid in self._processes_on_head():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def on_head(self, *command: str, text: str = "") -> str:
        """Run a command on the head and return what it printed."""
        return self.command(*self.enter, *command, text=text)

    def _connect(self, names: list[str]) -> None:
        """Lay a cable from the head's bridge to each node, and start their daemons."""
        cables = []
        for name in names:
            peer = f"peer name {INTERFACE} address {card(self.addresses[name])} netns {self.nodes[name].pid}"
            cables.append(f"link add v{name} type veth {peer}")
            cables.append(f"link set v{name} master {INTERFACE} up")
        self.on_head("ip", "-batch", "-", text="\n".join(cables) + "\n")
        for name in names:
            address = f"addr add {self.addresses[name]}/24 dev {INTERFACE}"
            lines = [address, f"link set {INTERFACE} up", "link set lo up"]
            enter = ["nsenter", f"--target={self.nodes[name].pid}", "--net", "ip", "-batch", "-"]
            self.command(*enter, text="\n".join(lines) + "\n")
            self.nodes[name].go()

    def _processes_on_head(self) -> list[int]:
        """The processes in the head's network, aside from the one that keeps it."""
        if self._head is None or self._head.poll() is not None:
            return []
        network = Path(f"/proc/{self._head.pid}/ns/net").readlink()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "ns" / "net").readlink() == network:
                    found.append(int(process.name))
            except OSError:  # it ended
                continue
        return [pid for pid in found if pid != self._head.pid]
