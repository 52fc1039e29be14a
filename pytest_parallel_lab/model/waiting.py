"""What the threads of a process tree wait for, as the kernel sees it."""

from __future__ import annotations

from dataclasses import dataclass

RUNNING = "running"  # it computes, or is about to
OPEN = "open"  # it waits, but time or somebody outside the tree can end that
BLOCKED = "blocked"  # it waits without a limit for what only the tree itself can bring


@dataclass(frozen=True)
class KernelWait:
    """One thread's wait in the kernel.

    Attributes:
        operation: the system call, such as ``futex`` or ``read``.
        what: what is waited for, in words.
        key: names the same thing in every process: a semaphore, a pipe, a socket.
        address: of the futex, in the process's own memory; 0 without one.
        fd: the descriptor that is read, written or accepted on; -1 without one.
        ended_by: processes of the tree that could end the wait.
        ended_through: where those have it open: pairs of pid and descriptor.
    """

    operation: str
    what: str
    key: str = ""
    address: int = 0
    fd: int = -1
    ended_by: tuple[int, ...] = ()
    ended_through: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class ThreadState:
    """One thread: ``RUNNING``, ``OPEN`` (and why), or ``BLOCKED`` (and in what)."""

    tid: int
    condition: str
    why: str = ""
    wait: KernelWait | None = None


@dataclass(frozen=True)
class ProcessState:
    """One process of the tree.

    Attributes:
        pid: its pid.
        parent: its parent's.
        command: its command line, cut short.
        tells: whether it answers our signal with its stacks.
        ended: whether it is a zombie, its exit status yet to be read; ``threads`` is then empty.
        exit_status: a zombie's exit code, or minus the signal that ended it.
        threads: its threads, the main thread first.
    """

    pid: int
    parent: int
    command: str
    tells: bool
    threads: tuple[ThreadState, ...] = ()
    ended: bool = False
    exit_status: int | None = None


@dataclass(frozen=True)
class TreeState:
    """A whole tree at one moment, its root first.

    Attributes:
        processes: in the order they were started.
        watched_s: seconds between the two looks that found nothing moved; None without proof.
    """

    processes: tuple[ProcessState, ...]
    watched_s: float | None = None

    @property
    def quiescent(self) -> bool:
        """Whether it is proved that nothing in the tree can move any more."""
        return self.watched_s is not None

    def movers(self) -> list[tuple[ProcessState, ThreadState]]:
        """The threads that can still move, or be moved from outside."""
        return [(p, t) for p in self.processes for t in p.threads if t.condition != BLOCKED]
