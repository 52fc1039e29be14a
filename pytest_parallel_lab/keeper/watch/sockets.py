"""Who is at the other end of a socket."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from dataclasses import dataclass, field
from typing import Final

from pytest_parallel_lab.keeper.watch import procfs

# Source: linux/unix_diag.h, linux/sock_diag.h, linux/netlink.h.
_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x1 | 0x300
_ERROR: Final = 2
_DONE: Final = 3
_ALL_STATES: Final = 0xFFFFFFFF
_SHOW_NAME: Final = 0x1
_SHOW_PEER: Final = 0x4
_ATTRIBUTE_NAME: Final = 0
_ATTRIBUTE_PEER: Final = 2
_LISTENING: Final = 10
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBHIIIII")
_SOCKET = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")

# Where multiprocessing puts the listeners that it makes up a name for: nobody else knows of them.
_PRIVATE_LISTENER = re.compile(r"/pymp-[^/]+/listener-[^/]+$")


@dataclass(frozen=True)
class SocketTable:
    """The sockets of one network namespace.

    Attributes:
        peers: the inode at the other end of each connected inode.
        listening: inodes that wait for connections.
        private: listeners of ``multiprocessing`` whose address is random, so known in the tree only.
    """

    peers: dict[int, int] = field(default_factory=dict)
    listening: set[int] = field(default_factory=set)
    private: set[int] = field(default_factory=set)


def table(pid: int) -> SocketTable:
    """The sockets that a process can have: Unix and TCP."""
    found = SocketTable()
    with contextlib.suppress(OSError):
        _add_unix(found)
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            _add_tcp(found, procfs.read(f"/proc/{pid}/net/{name}"))
    return found


def _add_unix(found: SocketTable) -> None:
    """Ask the kernel's sock_diag: /proc/net/unix does not tell who is connected to whom."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ALL_STATES, 0, _SHOW_NAME | _SHOW_PEER, 0, 0)
        netlink.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _REQUEST_DUMP, 1, 0) + request)
        while True:
            data = netlink.recv(1 << 16)
            at = 0
            while at < len(data):
                size, kind, *_ = _HEADER.unpack_from(data, at)
                if kind in (_DONE, _ERROR):
                    return
                _add_one_unix(found, data[at + _HEADER.size : at + size])
                at += (size + 3) & ~3


def _add_one_unix(found: SocketTable, data: bytes) -> None:
    _, _, state, _, inode, _, _ = _SOCKET.unpack_from(data)
    if state == _LISTENING:
        found.listening.add(inode)
    at = _SOCKET.size
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + _ATTRIBUTE.size : at + size]
        if kind == _ATTRIBUTE_PEER:
            found.peers[inode] = struct.unpack("=I", value)[0]
        elif kind == _ATTRIBUTE_NAME and state == _LISTENING:
            name = value.rstrip(b"\0").decode("utf-8", "replace")
            if _PRIVATE_LISTENER.search(name):
                found.private.add(inode)
        at += max((size + 3) & ~3, _ATTRIBUTE.size)


def _add_tcp(found: SocketTable, text: str) -> None:
    by_ends: dict[tuple[str, str], int] = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        local, remote, state, inode = words[1], words[2], int(words[3], 16), int(words[9])
        if state == _LISTENING:
            found.listening.add(inode)
        elif inode:
            by_ends[local, remote] = inode
    for (local, remote), inode in by_ends.items():
        if (remote, local) in by_ends:
            found.peers[inode] = by_ends[remote, local]
