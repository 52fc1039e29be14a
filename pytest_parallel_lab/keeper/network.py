"""Channels between hosts: listening on one interface, keys in private files, authentication both ways.

Whoever connects has to prove that it knows the key (HMAC of a challenge), and so have we, before either
side unpickles a byte. What follows is neither encrypted nor signed: a site's network is trusted as far as
MPI itself, which does neither, has to trust it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import stat
import threading
from collections import deque
from collections.abc import Mapping
from multiprocessing.connection import answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.site import find_address

_CONNECT_LIMIT_S = 20.0
_PROOF_LIMIT_S = 20.0  # hosts that start many processes at once are slow to answer
# A host that loses power says nothing: after so many seconds of silence somebody asks, and again, and gives up.
_IDLE_S, _ASK_EVERY_S, _ASK_TIMES = 3, 1, 4
# Of a scheduler or launcher, about the process it started: not to be taken from another host.
_OF_ONE_PROCESS = (
    "PMI", "PMIX", "OMPI_COMM", "OMPI_MCA_orte", "OMPI_MCA_ess", "OMPI_FILE", "PRTE_LAUNCHED", "HYDRA", "HYDI",
    "SLURM", "SLURMD", "SGE", "PE_HOSTFILE", "NSLOTS", "NHOSTS", "NQUEUES", "JOB_", "QUEUE", "TASK_ID", "RESTARTED",
    "SSH_", "XDG_", "DBUS_", "DISPLAY", "HOSTNAME", "TMPDIR", "TMP", "TEMP", "PYTEST_", "PARALLEL_LAB_",
)  # fmt: skip


def travelling(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that means the same on another host."""
    return {name: value for name, value in environ.items() if not name.startswith(_OF_ONE_PROCESS)}


def interfaces() -> dict[str, list[str]]:
    """The IPv4 addresses of this machine, by interface."""
    import psutil

    return {
        name: [a.address for a in addresses if a.family == socket.AF_INET]
        for name, addresses in psutil.net_if_addrs().items()
    }


def address_towards(host: str) -> str:
    """The address of this machine from which packets to a host start; nothing is sent.

    Raises:
        OSError: the name is not known, or no way leads there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host, 9))
        return str(sock.getsockname()[0])


def own_address(wanted: str, towards: str, source: str) -> str:
    """The address that workers connect back to: as wanted, else the one that leads to the site.

    Raises:
        BadSetting: this machine has no such interface.
        StartFailed: none was named, and the way to the site is not known.
    """
    if wanted:
        return find_address(wanted, interfaces(), source)
    try:
        return address_towards(towards)
    except OSError as error:
        raise StartFailed(
            f"{source}: cannot tell which address of this machine the site can reach ({towards!r}: {error}); name one "
            f'with interface = "eth0" (here: {", ".join(name for name, has in interfaces().items() if has)})'
        ) from error


def private_directory(wanted: str, name: str) -> Path:
    """A directory that all hosts see and only this user can read; made if need be.

    Raises:
        StartFailed: others can write to it.
    """
    base = Path(wanted).expanduser() if wanted else Path.home() / ".cache" / "pytest-parallel-lab"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = base.stat()
    if state.st_uid != os.getuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StartFailed(f"{base}: keys are to be kept there, but others may write to it; chmod go-w {base}")
    made = base / name
    made.mkdir(mode=0o700)
    return made


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a new file that nobody else can read, at no moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)


def read_key(path: str) -> bytes:
    """Read a key. Raises PermissionError where others could have read it too."""
    with open(path) as file:
        state = os.fstat(file.fileno())
        if state.st_uid != os.getuid() or state.st_mode & 0o077:
            raise PermissionError(f"{path} holds a key, but it is not ours alone (mode {state.st_mode & 0o777:o})")
        return bytes.fromhex(file.read())


class NetworkDoor:
    """Listens on one address, and lets in who knows the key; they learn the environment to take over.

    Strangers, and those who are slow, keep nobody waiting: each connection proves itself in a thread of its own.
    """

    def __init__(self, address: str, ports: tuple[int, int], directory: Path, environ: Mapping[str, str]) -> None:
        """Listen.

        Args:
            address: of this machine; nothing listens on any other.
            ports: first and last to try; (0, 0) for any.
            directory: private, and seen by all hosts: the key is put there.
            environ: what they are to take over.

        Raises:
            StartFailed: no port is free.
        """
        self._key = secrets.token_bytes(32)
        self.key_file = directory / f"key-{secrets.token_hex(4)}"
        self._environ = dict(environ)
        self._listener = _listen(address, ports)
        write_private(self.key_file, self._key.hex())
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        self._came: deque[Channel] = deque()
        self._wake_r, self._wake_w = socket.socketpair()
        self._closed = False
        self._changing = threading.Lock()
        threading.Thread(target=self._serve, daemon=True, name="parallel-door").start()

    def fileno(self) -> int:
        """For select: readable when somebody has come in."""
        return self._wake_r.fileno()

    def take(self) -> Channel | None:
        """Who has come in first."""
        self._wake_r.recv(1)
        return self._came.popleft() if self._came else None

    def close(self) -> None:
        """Listen no more, and remove the key."""
        with self._changing:
            closed, self._closed = self._closed, True
        if not closed:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread out of accept
            self._listener.close()
            self.key_file.unlink(missing_ok=True)
            with self._changing:
                self._wake_r.close()
                self._wake_w.close()
                while self._came:
                    self._came.pop().close()

    def _serve(self) -> None:
        while not self._closed:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._let_in, args=(sock,), daemon=True, name="parallel-door").start()

    def _let_in(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(_PROOF_LIMIT_S)
            channel = Channel(sock)
            deliver_challenge(channel, self._key)  # type: ignore[arg-type]  # what it uses of a Connection
            answer_challenge(channel, self._key)  # type: ignore[arg-type]
            channel.send("welcome", {"environ": self._environ})
            sock.settimeout(None)
            notice_silence(sock)
        except Exception:  # not one of ours, or it died
            sock.close()
            return
        with self._changing:
            if self._closed:
                channel.close()
            else:
                self._came.append(channel)
                self._wake_w.send(b"x")


class Home:
    """In a process on a site: the way back to who had it started."""

    def __init__(self, address: str, key_file: str) -> None:
        """Read the key."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._key = read_key(key_file)

    def forget(self) -> None:
        """Keep the key from user code: it connects no more."""
        self._key = b""

    def connect(self) -> tuple[Channel, dict[str, str]]:
        """Connect and authenticate; the channel, and the environment to take over."""
        sock = socket.create_connection((self._host, self._port), _CONNECT_LIMIT_S)
        sock.settimeout(_PROOF_LIMIT_S)
        channel = Channel(sock)
        try:
            answer_challenge(channel, self._key)  # type: ignore[arg-type]
            deliver_challenge(channel, self._key)  # type: ignore[arg-type]
            environ: dict[str, str] = channel.receive().body["environ"]
        except BaseException:
            channel.close()
            raise
        sock.settimeout(None)
        notice_silence(sock)
        return channel, environ


def notice_silence(sock: socket.socket) -> None:
    """Have the kernel ask whether the other host is still there, and end the connection where it is not."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    settings: dict[str, Any] = {"TCP_KEEPIDLE": _IDLE_S, "TCP_KEEPINTVL": _ASK_EVERY_S, "TCP_KEEPCNT": _ASK_TIMES}
    # Also of what was sent and not acknowledged, which the kernel would send again for a quarter of an hour.
    settings["TCP_USER_TIMEOUT"] = 1000 * (_IDLE_S + _ASK_EVERY_S * _ASK_TIMES)
    for name, value in settings.items():
        with contextlib.suppress(AttributeError):  # not on every system
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_open(channel: Channel) -> bool:
    """Whether a channel on which nothing is said unasked is still connected."""
    try:
        with socket.socket(fileno=os.dup(channel.fileno())) as sock:
            return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except (OSError, ChannelClosed):
        return False


def _listen(address: str, ports: tuple[int, int]) -> socket.socket:
    first, last = ports
    for port in range(first, last + 1):
        try:
            return socket.create_server((address, port), backlog=256)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise StartFailed(f"cannot listen on {address}, port {port}: {error}") from error
    raise StartFailed(f"no port from {first} to {last} is free on {address}; give ports = a wider range")
