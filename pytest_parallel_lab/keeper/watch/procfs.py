"""Reading /proc: which threads there are, and where each is. No judgement here."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from pytest_parallel_lab.keeper.watch.syscalls import KNOWN_MACHINE

_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class ThreadSample:
    """One look at one thread.

    Attributes:
        state: the kernel's letter: ``R`` runs, ``S`` sleeps, ``T`` is stopped, ``Z`` has ended.
        call: number, six arguments, stack pointer and program counter of the system call it is
            in; empty while it runs.
        switches: how often it has left the processor, of its own and not.
    """

    state: str
    call: tuple[int, ...]
    switches: tuple[int, int]


def read(path: str) -> str:
    """A small file's text. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(fd, _CHUNK_BYTES):
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "replace")
    finally:
        os.close(fd)


def threads_of(pid: int) -> list[int]:
    """The thread ids of a process, its main thread first. Raises OSError where it is gone."""
    return sorted(map(int, os.listdir(f"/proc/{pid}/task")), key=lambda tid: (tid != pid, tid))


def tree(root: int) -> list[int]:
    """The pids of a process and all below it, parents before children."""
    pids = [root]
    for pid in pids:
        with contextlib.suppress(OSError):
            for tid in threads_of(pid):
                pids += map(int, read(f"/proc/{pid}/task/{tid}/children").split())
    return pids


def sample(pid: int, tid: int) -> ThreadSample:
    """Look at one thread. Raises OSError where it is gone or may not be looked at."""
    here = f"/proc/{pid}/task/{tid}"
    words = read(f"{here}/syscall").split()
    call: tuple[int, ...] = ()
    if words and words[0] != "running":
        call = (int(words[0]), *(int(word, 16) for word in words[1:]))
    status = read(f"{here}/status")
    state = status[status.index("\nState:") + 8]
    counts = status[status.index("\nvoluntary_ctxt_switches:") :].split()
    return ThreadSample(state, call, (int(counts[1]), int(counts[3])))


def status_field(pid: int, name: str) -> str:
    """One line of a process's status file, such as ``SigCgt``. Raises OSError."""
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    return ""


def signals_caught(pid: int) -> set[int]:
    """The signals that a process handles itself. Raises OSError."""
    mask = int(status_field(pid, "SigCgt") or "0", 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def parent_and_exit(pid: int) -> tuple[int, int]:
    """A process's parent, and its raw exit status where it is a zombie. Raises OSError."""
    words = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(words[1]), int(words[-1])


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only its exit status is left. Raises OSError."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] in "ZX"


def has_ended(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return is_zombie(pid)
    except OSError:
        return True


def command(pid: int) -> str:
    """A process's command line in short; its name where it has none."""
    with contextlib.suppress(OSError):
        words = read(f"/proc/{pid}/cmdline").split("\0")
        line = " ".join(" ".join(words).split())
        return (line if len(line) <= 80 else line[:77] + "...") or read(f"/proc/{pid}/comm").strip()
    return "?"


def memory(pid: int, address: int, size_bytes: int) -> bytes:
    """What is in a process's memory. Raises OSError."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        file.seek(address)
        return file.read(size_bytes)


def shared_place(pid: int, address: int) -> str:
    """Names the shared memory at an address, the same in every process; empty where it is private."""
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            bounds, permissions, offset, device, inode = line.split(None, 5)[:5]
            start, end = (int(part, 16) for part in bounds.split("-"))
            if start <= address < end:
                if permissions[3] != "s":
                    return ""
                return f"{device}:{inode}:{int(offset, 16) + address - start:x}"
    return ""


def maps_shared(pid: int, device: str, inode: str) -> bool:
    """Whether a process has a file mapped."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps") as maps:
        return any(line.split(None, 5)[3:5] == [device, inode] for line in maps)
    return False


def descriptors(pid: int) -> dict[int, str]:
    """What a process has open: the kernel's name of each, such as ``pipe:[123]``. Raises OSError."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


def descriptor_info(pid: int, fd: int) -> dict[str, list[str]]:
    """The fields of a descriptor's fdinfo; a field may stand there more than once. Raises OSError."""
    fields: dict[str, list[str]] = {}
    for line in read(f"/proc/{pid}/fdinfo/{fd}").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), []).append(value.strip())
    return fields


def has_timers(pid: int) -> bool:
    """Whether a process has POSIX timers. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):  # a kernel without the file
        return bool(read(f"/proc/{pid}/timers").strip())
    return False


def all_pids() -> list[int]:
    """Every process there is."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def missing() -> str | None:
    """Why processes cannot be watched here; None where they can."""
    if not os.path.isdir("/proc/self/task"):
        return "there is no /proc"
    for name in ("syscall", "children"):
        try:
            read(f"/proc/self/task/{os.getpid()}/{name}")
        except OSError as error:
            return f"/proc/<pid>/task/<tid>/{name} cannot be read ({error.strerror})"
    if not KNOWN_MACHINE:
        return f"the system calls of {os.uname().machine} are not known"
    return None
