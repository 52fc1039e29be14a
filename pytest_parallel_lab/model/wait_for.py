"""Who waits for whom: the wait-for graph of a tree that is stuck, and the cycle in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_parallel_lab.model.told import HeldLock, Site, ThreadTold, Told
from pytest_parallel_lab.model.waiting import KernelWait, ProcessState, TreeState

Node = tuple[int, int]  # pid, tid
_TRACKER = "multiprocessing.resource_tracker"
_POLLS = ("poll", "select", "epoll_wait")


@dataclass(frozen=True)
class Wait:
    """One wait.

    Attributes:
        who: the waiting process, rank or thread, by its label.
        what: what it waits for; empty where the operation tells all that is known.
        operation: what its code called, such as ``Lock.acquire``.
        at: where.
        held_by: the label of the one who has it, or has to act; empty where nobody can.
        taken_at: where that one took it.
        does: what it does instead, where it does not wait for others.
    """

    who: str
    what: str
    operation: str = ""
    at: Site | None = None
    held_by: str = ""
    taken_at: Site | None = None
    does: str = ""

    def __str__(self) -> str:
        place = f" at {self.at}" if self.at else ""
        doing = f" in {self.operation}" if self.operation else ""
        does = self.does or f"waits{f' for {self.what}' if self.what else ''}"
        text = f"{self.who} {does}{doing}{place}"
        if self.taken_at:
            return f"{text}, held by {self.held_by}, taken at {self.taken_at}"
        return f"{text}, which is up to {self.held_by}" if self.held_by else text


class WaitForGraph:
    """The threads of a tree, each with those that it waits for."""

    def __init__(self, state: TreeState, told: Mapping[int, Told], names: Mapping[int, str] | None = None) -> None:
        """Put together what the kernel saw and what the processes told.

        Args:
            state: what the kernel saw.
            told: what the processes told.
            names: what processes are called, by pid, where it is not their number in the tree.
        """
        self._names = names or {}
        self._told = told
        self._processes = {p.pid: p for p in state.processes}
        self._threads = {(p.pid, t.tid): t for p in state.processes for t in p.threads}
        self._labels = {p.pid: self._label(i, p) for i, p in enumerate(state.processes, 1)}
        # A copy of a lock shows holders that it had at the fork: only the holder itself knows of shared ones.
        self._held = {
            held.lock.key: held
            for one in told.values()
            for held in one.held
            if held.pid == one.pid or not held.lock.key.startswith("shared:")
        }

    def label(self, pid: int) -> str:
        """A process by its number in the run."""
        return self._labels.get(pid, f"process with pid {pid}")

    def waits(self) -> tuple[Wait, ...]:
        """Every wait, in the order of processes and threads; idle helper threads are left out."""
        threads = [self._wait(node) for node in self._threads if self._tells(node)]
        tasks = [
            Wait(f"task {task.name} of {self.label(pid)}", "", task.operation, task.at)
            for pid, told in self._told.items()
            if not self.label(pid).startswith("engine")  # the tasks of its own event loop
            for task in told.tasks
        ]
        return (*threads, *tasks)

    def cycle(self) -> tuple[Wait, ...]:
        """The shortest cycle of waits; empty where there is none."""
        best: list[Node] = []
        for start in self._threads:
            found = self._shortest_back_to(start)
            if found and (not best or self._rank(found) < self._rank(best)):
                best = found
        return tuple(self._wait(node, towards) for node, towards in zip(best, [*best[1:], *best[:1]]))

    def _rank(self, cycle: Sequence[Node]) -> tuple[int, int]:
        """Cycles of locks explain most; then the shorter, the better."""
        plain = sum(1 for node in cycle if self._holder(node) is None)
        return (plain, len(cycle))

    def _shortest_back_to(self, start: Node) -> list[Node]:
        came: dict[Node, Node] = {}
        queue = [start]
        for node in queue:
            for after in self._waits_for(node):
                if after == start:
                    path = [node]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    return path[::-1]
                if after not in came:
                    came[after] = node
                    queue.append(after)
        return []

    def _waits_for(self, node: Node) -> Iterator[Node]:
        """The threads that could end a thread's wait."""
        pid, _ = node
        wait, told = self._threads[node].wait, self._thread_told(node)
        holder = self._holder(node)
        if holder is not None:
            if not self._lost(node, holder) and (holder.pid, holder.tid) in self._threads:
                yield holder.pid, holder.tid
            return
        if told is not None and told.lock is not None:
            return  # a lock that nobody known has
        if told is not None and told.thread is not None:
            if (pid, told.thread) in self._threads:
                yield pid, told.thread
            return
        if told is not None and told.process is not None:
            yield from self._main_of(told.process)
            return
        if wait is None or wait.operation == "futex":
            return
        if not wait.ended_through:
            for other in wait.ended_by:
                yield from self._main_of(other)
            return
        using = [other for end in wait.ended_through for other in self._using(*end) if other != node]
        if using:
            yield from using
            return
        for other in dict.fromkeys(other for other, _ in wait.ended_through):
            if other != pid or (len(wait.ended_by) == 1 and wait.operation not in _POLLS):
                yield from self._main_of(other)

    def _using(self, pid: int, fd: int) -> list[Node]:
        """The threads of a process that work with a descriptor; others may only have inherited it."""
        told = self._told.get(pid)
        using = [tid for tid, t in told.threads.items() if fd in t.descriptors] if told else []
        using += [tid for (other, tid), t in self._threads.items() if other == pid and t.wait and t.wait.fd == fd]
        return [(pid, tid) for tid in dict.fromkeys(using) if (pid, tid) in self._threads]

    def _main_of(self, pid: int) -> Iterator[Node]:
        if (pid, pid) in self._threads:
            yield pid, pid

    def _holder(self, node: Node) -> HeldLock | None:
        told = self._thread_told(node)
        return self._held.get(told.lock.key) if told is not None and told.lock is not None else None

    def _lost(self, node: Node, holder: HeldLock) -> bool:
        """Whether a lock was taken before a fork, by a thread that the fork did not copy."""
        return holder.pid != node[0] and not holder.lock.key.startswith("shared:")

    def _thread_told(self, node: Node) -> ThreadTold | None:
        told = self._told.get(node[0])
        return told.threads.get(node[1]) if told else None

    def _tells(self, node: Node) -> bool:
        """Whether a thread is of the user's doing, or all that we know of its process."""
        told = self._thread_told(node)
        if told is not None:
            return bool(told.operation or told.at)
        if _TRACKER in self._processes[node[0]].command:
            return False
        return node[0] == node[1] and not self._told_of(node[0]).threads

    def _told_of(self, pid: int) -> Told:
        return self._told.get(pid) or Told(pid)

    def _wait(self, node: Node, towards: Node | None = None) -> Wait:
        told, thread = self._thread_told(node), self._threads[node]
        holder = self._holder(node)
        operation, at = (told.operation, told.at) if told else ("", None)
        who = self._who(node)
        if holder is not None:
            assert told is not None
            if self._lost(node, holder):
                owner = f"{self._who((holder.pid, holder.tid))} at the fork, a thread that {who} does not have"
                return Wait(who, str(told.lock), operation, at, owner, holder.taken)
            return Wait(who, str(told.lock), operation, at, self._who((holder.pid, holder.tid)), holder.taken)
        if thread.wait is None:
            return Wait(who, "", operation, at, does=thread.why)
        others = "" if towards is None else self._who(towards)
        return Wait(who, self._what(node, told, thread.wait), operation, at, others)

    def _what(self, node: Node, told: ThreadTold | None, wait: KernelWait) -> str:
        if told is not None and told.lock is not None:
            return f"{told.lock}, which nobody alive is known to hold" if told.lock.kind == "Lock" else str(told.lock)
        if told is not None and told.thread is not None:
            return f"the end of {self._who((node[0], told.thread))}"
        if told is not None and told.process is not None:
            return f"the end of {self.label(told.process)}{self._exit_of(told.process)}"
        if wait.operation.startswith("wait") and len(wait.ended_by) == 1:
            return f"the end of {self.label(wait.ended_by[0])}"
        if told is not None and wait.operation in _POLLS and self._told_of(node[0]).tasks:
            return "what its asyncio tasks await"
        if wait.operation == "futex":
            return "another thread" if wait.key.startswith(str(node[0])) else "a semaphore"
        return wait.what

    def _exit_of(self, pid: int) -> str:
        process = self._processes.get(pid)
        return ", which has ended" if process is not None and process.ended else ""

    def _who(self, node: Node) -> str:
        pid, tid = node
        alone = len(self._processes) == 1
        if pid == tid:
            return "the main thread" if alone else self.label(pid)
        told = self._thread_told(node)
        name = told.name if told else f"{tid}"
        if told is None and node not in self._threads:
            return f"a thread of {self.label(pid)} that is gone"
        return f"thread {name}" if alone else f"thread {name} of {self.label(pid)}"

    def _label(self, number: int, process: ProcessState) -> str:
        if process.pid in self._names:
            return self._names[process.pid]
        told = self._told.get(process.pid)
        name = told.name if told and told.name else process.command.split(" ")[0].rpartition("/")[2]
        if _TRACKER in process.command:
            name = "resource tracker"
        return f"process {number} ({name})"
