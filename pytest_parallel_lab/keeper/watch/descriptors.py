"""What is behind a descriptor, and whether anybody outside the tree can reach it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_parallel_lab.keeper.watch import procfs, sockets

_ACCESS = 0o3
_READS, _WRITES = 0, 1
_PIDFD_GETFD = 438  # the same number on every machine
_TIMEVAL = struct.Struct("@ll")


class Reachable(Exception):
    """Time, or somebody outside the tree, can end a wait; the text says how."""


@dataclass(frozen=True)
class End:
    """What a wait on a descriptor is for: in words, by a name of its own, and where the tree has it open."""

    what: str
    key: str
    through: tuple[tuple[int, int], ...] = ()


class Descriptors:
    """What the processes of a tree have open, looked up once for one moment."""

    def __init__(self, inside: Iterable[int]) -> None:
        self._inside = set(inside)
        self._open: dict[int, dict[int, str]] = {}
        self._holders: dict[str, list[tuple[int, int]]] = {}
        for pid in sorted(self._inside):
            with contextlib.suppress(OSError):
                self._open[pid] = procfs.descriptors(pid)
            for fd, name in self._open.get(pid, {}).items():
                self._holders.setdefault(name, []).append((pid, fd))
        self._sockets: sockets.SocketTable | None = None
        self._outside: set[str] | None = None

    def end(self, pid: int, fd: int, *, writes: bool = False) -> End:
        """What a thread waits for that reads, writes or polls a descriptor.

        Raises:
            Reachable: it can end without the tree's doing.
        """
        name = self._open.get(pid, {}).get(fd)
        if name is None:
            raise Reachable(f"descriptor {fd} is not known")
        if name.startswith("pipe:"):
            return self._pipe(name, writes=writes)
        if name.startswith("socket:"):
            return self._socket(pid, fd, name)
        if name.startswith("pidfd:") or name == "anon_inode:[pidfd]":
            return self._pidfd(pid, fd)
        if name == "anon_inode:[eventfd]":
            return self._eventfd(pid, fd)
        if name == "anon_inode:[timerfd]":
            return self._timerfd(pid, fd)
        if name == "anon_inode:[eventpoll]":
            return self.polled(pid, self._polled_by(pid, fd))
        raise Reachable(f"anybody may use {name}")

    def polled(self, pid: int, fds: Iterable[int]) -> End:
        """What a thread waits for that polls several descriptors. Raises Reachable as ``end``."""
        ends = [self.end(pid, fd) for fd in fds]
        whats = ", ".join(sorted({end.what for end in ends})) or "nothing at all"
        return End(
            whats, "+".join(sorted({end.key for end in ends})), tuple(pair for end in ends for pair in end.through)
        )

    def listener(self, pid: int, fd: int) -> End:
        """What a thread waits for that accepts connections. Raises Reachable as ``end``."""
        name = self._open.get(pid, {}).get(fd, "")
        if not name.startswith("socket:") or _inode(name) not in self._table(pid).private:
            raise Reachable("anybody may connect to the socket that it accepts connections on")
        self._keep_inside(name)
        return End("a connection", name)

    def link(self, pid: int, fd: int) -> str:
        """The kernel's name of what is behind a descriptor."""
        return self._open.get(pid, {}).get(fd, "?")

    def _pipe(self, name: str, *, writes: bool) -> End:
        self._keep_inside(name)
        through = tuple(
            (pid, fd)
            for pid, fd in self._holders[name]
            if self._access(pid, fd) not in ({_READS} if not writes else {_WRITES})
        )
        return End("a pipe that is full" if writes else "a pipe", name, through)

    def _access(self, pid: int, fd: int) -> int:
        with contextlib.suppress(OSError, KeyError):
            return int(procfs.descriptor_info(pid, fd)["flags"][0], 8) & _ACCESS
        return -1

    def _socket(self, pid: int, fd: int, name: str) -> End:
        table = self._table(pid)
        inode = _inode(name)
        if inode in table.listening:
            return self.listener(pid, fd)
        peer = table.peers.get(inode, 0)
        other = f"socket:[{peer}]"
        if not peer or other not in self._holders:
            raise Reachable("the other end of its socket is not in the tree")
        self._keep_inside(name, other)
        if _receive_limit_s(pid, fd):
            raise Reachable("its socket has a time limit")
        return End("a socket", name, tuple(self._holders[other]))

    def _pidfd(self, pid: int, fd: int) -> End:
        target = int(self._field(pid, fd, "Pid"))
        if target not in self._inside:
            raise Reachable(f"process {target} is not in the tree")
        return End(f"the end of process {target}", f"process:{target}", ((target, -1),))

    def _eventfd(self, pid: int, fd: int) -> End:
        number = self._field(pid, fd, "eventfd-id")
        for other in self._others():
            with contextlib.suppress(OSError):
                for theirs, name in procfs.descriptors(other).items():
                    if name == "anon_inode:[eventfd]" and number in procfs.descriptor_info(other, theirs)["eventfd-id"]:
                        raise Reachable("its eventfd is open outside the tree")
        return End("an eventfd", f"eventfd:{number}")

    def _timerfd(self, pid: int, fd: int) -> End:
        if any(int(number) for number in re.findall(r"\d+", self._field(pid, fd, "it_value"))):
            raise Reachable("a timer will wake it")
        return End("a timer that is not set", f"timerfd:{pid}:{fd}")

    def _polled_by(self, pid: int, fd: int) -> list[int]:
        try:
            return [int(line.split()[0]) for line in procfs.descriptor_info(pid, fd).get("tfd", [])]
        except OSError as error:
            raise Reachable("what it polls cannot be read") from error

    def _field(self, pid: int, fd: int, name: str) -> str:
        try:
            return procfs.descriptor_info(pid, fd)[name][0]
        except (OSError, KeyError) as error:
            raise Reachable(f"the kernel does not tell about descriptor {fd}") from error

    def _table(self, pid: int) -> sockets.SocketTable:
        if self._sockets is None:
            self._sockets = sockets.table(pid)
        return self._sockets

    def _keep_inside(self, *names: str) -> None:
        """Make sure that nobody outside has any of these open."""
        if self._outside is None:
            self._outside = set()
            for pid in self._others():
                with contextlib.suppress(OSError):  # another user's: it could only have it from one of ours
                    self._outside.update(procfs.descriptors(pid).values())
        for name in names:
            if name in self._outside:
                raise Reachable(f"its {name.partition(':')[0]} is open outside the tree as well")

    def _others(self) -> list[int]:
        return [pid for pid in procfs.all_pids() if pid not in self._inside]


def _inode(name: str) -> int:
    return int(name.partition("[")[2].rstrip("]"))


def _receive_limit_s(pid: int, fd: int) -> float:
    """The SO_RCVTIMEO or SO_SNDTIMEO of another process's socket; 0 without one."""
    with contextlib.suppress(OSError, AttributeError):
        pidfd = os.pidfd_open(pid)
        try:
            ours = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, pidfd, fd, 0)
        finally:
            os.close(pidfd)
        if ours >= 0:
            with socket.socket(fileno=ours) as copy:
                limits: list[float] = []
                for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                    seconds, micros = _TIMEVAL.unpack(copy.getsockopt(socket.SOL_SOCKET, option, _TIMEVAL.size))
                    limits.append(seconds + micros / 1e6)
                return max(limits)
    return 0.0
