"""What one thread waits for, and whether only the tree itself can end that."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import struct
from collections.abc import Container, Mapping, Sequence

from pytest_parallel_lab.keeper.agent import contract
from pytest_parallel_lab.keeper.watch import procfs
from pytest_parallel_lab.keeper.watch.descriptors import Descriptors, End, Reachable
from pytest_parallel_lab.keeper.watch.procfs import ThreadSample
from pytest_parallel_lab.keeper.watch.syscalls import name_of
from pytest_parallel_lab.model.waiting import BLOCKED, OPEN, RUNNING, KernelWait, ThreadState

_FUTEX_WAITS = {0, 6, 9, 11, 13}  # WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2 (linux/futex.h)
_FUTEX_COMMAND = 0x7F
_FUTEX_PRIVATE = 0x80
_LOCK_COMMANDS = {7, 38}  # F_SETLKW, F_OFD_SETLKW (asm-generic/fcntl.h)
_POLLED = struct.Struct("=ihh")
# Where the time limit of a call is among its arguments: a pointer, null without one, or milliseconds.
_LIMIT_POINTERS = {"futex": 3, "ppoll": 2, "select": 4, "pselect6": 4, "epoll_pwait2": 3}
_LIMIT_NUMBERS = {"poll": 2, "epoll_wait": 3, "epoll_pwait": 3}
_FOR_SIGNALS = {"pause", "rt_sigsuspend", "rt_sigtimedwait"}
_SLEEPS = {"nanosleep", "clock_nanosleep"}
# Signals that no program waits for: faults, Ctrl-C, a child's end, and those that libc keeps to itself.
_NOT_AWAITED = {
    signal.SIGINT, signal.SIGCHLD, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT,
    signal.SIGTRAP, signal.SIGSYS, signal.SIGPIPE, signal.SIGXFSZ, 32, 33,
}  # fmt: skip
_ALL_FATAL = {
    signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGTERM, signal.SIGXCPU, signal.SIGVTALRM, signal.SIGPROF,
}  # fmt: skip
_FATAL = _ALL_FATAL | {signal.SIGIO, signal.SIGUSR1, signal.SIGUSR2}


def may_last(sample: ThreadSample) -> bool:
    """Whether a thread sleeps in a call without a time limit: cheap, and enough to rule most threads out."""
    if sample.state != "S" or not sample.call:
        return False
    name, args = name_of(sample.call[0]), sample.call[1:7]
    if name in _LIMIT_POINTERS:
        return not args[_LIMIT_POINTERS[name]]
    if name in _LIMIT_NUMBERS:
        return _signed(args[_LIMIT_NUMBERS[name]]) < 0
    return name not in _SLEEPS


class Tree:
    """All that is known of a tree at one moment; judges its threads."""

    def __init__(
        self,
        pids: Sequence[int],
        samples: Mapping[tuple[int, int], ThreadSample],
        directory: str,
        engines: Container[int] = (),
    ) -> None:
        """Take in a tree.

        Args:
            pids: all processes of the tree.
            samples: every thread's sample, by pid and tid.
            directory: where processes note that they have set an interval timer.
            engines: processes whose SIGTERM is how their launcher stops them.
        """
        self._engines = engines
        self.pids = list(pids)
        self._samples = samples
        self._directory = directory
        self._descriptors = Descriptors(pids)
        self._children: dict[int, list[int]] = {}
        for pid in pids:
            with contextlib.suppress(OSError):
                self._children.setdefault(procfs.parent_and_exit(pid)[0], []).append(pid)

    def judge(self, pid: int, tid: int) -> ThreadState:
        """Say whether a thread runs, can be woken from outside, or is blocked for what only the tree can bring."""
        sample = self._samples[pid, tid]
        if sample.state == "T" or sample.state == "t":
            return ThreadState(tid, OPEN, "is stopped by a signal, and can be continued by one")
        if sample.state != "S" or not sample.call:
            return ThreadState(tid, RUNNING, "runs")
        try:
            wait = self._wait(pid, sample)
            if tid == pid:
                self._check_signals(pid)
        except Reachable as reason:
            return ThreadState(tid, OPEN, str(reason))
        except OSError as error:
            return ThreadState(tid, OPEN, f"cannot be looked at ({error.strerror})")
        return ThreadState(tid, BLOCKED, wait=wait)

    def _wait(self, pid: int, sample: ThreadSample) -> KernelWait:
        name = name_of(sample.call[0])
        args = sample.call[1:7]
        if name in _FOR_SIGNALS:
            raise Reachable("waits for a signal")
        if name in _SLEEPS:
            raise Reachable("sleeps")
        if not may_last(sample):
            raise Reachable("waits with a time limit")
        waits = getattr(self, f"_in_{name}", None)
        if waits is None:
            raise Reachable(f"is in {name}, which is not known to wait for the tree")
        wait: KernelWait = waits(pid, args)
        return wait

    def _check_signals(self, pid: int) -> None:
        awaited = procfs.signals_caught(pid) - _NOT_AWAITED - {contract.SIGNAL}
        if pid in self._engines:
            awaited.discard(signal.SIGTERM)
        if awaited >= _ALL_FATAL:  # as programs do that remove their temporary files
            awaited -= _FATAL
        if awaited:
            names = ", ".join(_signal_name(number) for number in sorted(awaited))
            raise Reachable(f"has a handler for {names}")
        if procfs.has_timers(pid) or os.path.exists(contract.timer_note(self._directory, pid)):
            raise Reachable("has a timer")

    def _in_futex(self, pid: int, args: Sequence[int]) -> KernelWait:
        address, operation = args[:2]
        if operation & _FUTEX_COMMAND not in _FUTEX_WAITS:
            raise Reachable("is in a futex call that does not wait")
        place = "" if operation & _FUTEX_PRIVATE else procfs.shared_place(pid, address)
        if not place:
            return KernelWait("futex", "a lock", f"{pid}:{address:x}", address)
        device, inode = place.rsplit(":", 2)[0], place.split(":")[2]
        for other in procfs.all_pids():
            if other not in self.pids and procfs.maps_shared(other, device, inode):
                raise Reachable("waits in memory that is shared with a process outside the tree")
        return KernelWait("futex", "a semaphore", f"shared:{place}", address)

    def _in_wait4(self, pid: int, args: Sequence[int]) -> KernelWait:
        return self._child(pid, "wait4", _signed(args[0]))

    def _in_waitid(self, pid: int, args: Sequence[int]) -> KernelWait:
        every = args[0] != 1  # P_PID
        return self._child(pid, "waitid", -1 if every else _signed(args[1]))

    def _child(self, pid: int, name: str, child: int) -> KernelWait:
        children = [c for c in self._children.get(pid, []) if child <= 0 or c == child]
        what = f"the end of process {child}" if child > 0 else "the end of a child"
        return KernelWait(name, what, f"children:{pid}:{child}", ended_by=tuple(children))

    def _on_end(self, name: str, end: End, fd: int = -1) -> KernelWait:
        pids = tuple(dict.fromkeys(pid for pid, _ in end.through))
        through = tuple(pair for pair in end.through if pair[1] >= 0)
        return KernelWait(name, end.what, end.key, fd=fd, ended_by=pids, ended_through=through)

    def _in_read(self, pid: int, args: Sequence[int]) -> KernelWait:
        return self._on_end("read", self._descriptors.end(pid, args[0]), args[0])

    _in_readv = _in_recvfrom = _in_recvmsg = _in_read

    def _in_write(self, pid: int, args: Sequence[int]) -> KernelWait:
        return self._on_end("write", self._descriptors.end(pid, args[0], writes=True), args[0])

    _in_writev = _in_sendto = _in_sendmsg = _in_write

    def _in_accept(self, pid: int, args: Sequence[int]) -> KernelWait:
        return self._on_end("accept", self._descriptors.listener(pid, args[0]), args[0])

    _in_accept4 = _in_accept

    def _in_poll(self, pid: int, args: Sequence[int]) -> KernelWait:
        data = procfs.memory(pid, args[0], args[1] * _POLLED.size)
        fds = [fd for fd, _, _ in _POLLED.iter_unpack(data) if fd >= 0]
        return self._on_end("poll", self._descriptors.polled(pid, fds))

    _in_ppoll = _in_poll

    def _in_select(self, pid: int, args: Sequence[int]) -> KernelWait:
        size_bytes = -(-args[0] // 64) * 8
        sets = [procfs.memory(pid, address, size_bytes) for address in args[1:4] if address]
        fds = {8 * i + bit for data in sets for i, byte in enumerate(data) for bit in range(8) if byte >> bit & 1}
        return self._on_end("select", self._descriptors.polled(pid, sorted(fd for fd in fds if fd < args[0])))

    _in_pselect6 = _in_select

    def _in_epoll_wait(self, pid: int, args: Sequence[int]) -> KernelWait:
        return self._on_end("epoll_wait", self._descriptors.end(pid, args[0]))

    _in_epoll_pwait = _in_epoll_pwait2 = _in_epoll_wait

    def _in_flock(self, pid: int, args: Sequence[int]) -> KernelWait:
        return self._file_lock(pid, args[0])

    def _in_fcntl(self, pid: int, args: Sequence[int]) -> KernelWait:
        if args[1] not in _LOCK_COMMANDS:
            raise Reachable("is in fcntl")
        return self._file_lock(pid, args[0])

    def _file_lock(self, pid: int, fd: int) -> KernelWait:
        """Source: /proc/locks, see proc_locks(5): a waiter's line follows the holder's, marked ``->``."""
        holder = 0
        for line in procfs.read("/proc/locks").splitlines():
            waits = "->" in line
            owner = int(re.split(r"\s+", line.replace("-> ", ""))[4])
            if not waits:
                holder = owner
            elif owner == pid:
                break
        else:
            raise Reachable("waits for a file lock that the kernel does not tell about")
        if holder not in self.pids:
            raise Reachable("waits for a file lock that is held outside the tree")
        path = self._descriptors.link(pid, fd)
        return KernelWait("flock", f"the lock of {path}", f"file:{path}", fd=fd, ended_by=(holder,))


def _signed(value: int) -> int:
    """The C int in a register."""
    return (value & 0xFFFFFFFF) - (1 << 32 if value & 0x80000000 else 0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
