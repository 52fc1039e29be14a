"""A ``concurrent.futures`` executor in pytest's process over workers that live elsewhere."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from pytest_parallel_lab.backends.collect import read_raised, ready
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message, Parcel
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.model.errors import WorkerDied, WorkerRaised
from pytest_parallel_lab.model.outcome import Died, Outcome, Raised, Unfinished, Worker, WorkerReport

_LAST_WORDS_LIMIT_S = 0.2


class RemotePool(Executor):
    """Sends tasks to workers over their channels and completes futures with what comes back.

    Shutting it down leaves the workers warm. A worker's death fails every task still out, as
    ProcessPoolExecutor does, with a WorkerDied that names the worker.
    """

    def __init__(
        self,
        backend: str,
        workers: int,
        channels: Sequence[Channel],
        *,
        tasks_at_once: int | None,
        members: Sequence[Worker],
        watched: Sequence[Channel] = (),
    ) -> None:
        """Use workers that are idle and stay ours until ``shutdown``.

        Args:
            backend: its name, for errors.
            workers: how many there are.
            channels: one per process that takes tasks.
            tasks_at_once: tasks that one channel takes at a time; None for any number.
            members: who the workers are; ``members[i]`` is at the end of ``channels[i]`` where
                there is a channel each.
            watched: channels that take no tasks but tell of deaths.
        """
        self.workers = workers
        self.broken = False
        self._backend = backend
        self._channels = list(channels)
        self._watched = list(watched)
        self._tasks_at_once = tasks_at_once
        self._members = list(members)
        self._waiting: deque[tuple[int, Parcel]] = deque()
        self._futures: dict[int, Future[Any]] = {}
        self._out: list[set[int]] = [set() for _ in channels]
        self._lock = threading.Lock()
        self._next_id = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._wake_r, self._wake_w = socket.socketpair()  # closed by shutdown

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send one task.

        Raises:
            CannotSend: the function or an argument cannot be pickled.
            RuntimeError: the pool has been shut down.
        """
        call = pack_call(fn, args, kwargs)
        future: Future[Any] = Future()
        with self._lock:
            if self._closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._next_id += 1
            self._futures[self._next_id] = future
            self._waiting.append((self._next_id, call))
            if self._thread is None:
                self._thread = threading.Thread(target=self._pump, daemon=True, name="parallel-pool")
                self._thread.start()
        self._wake()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the tasks still out, then leave the workers."""
        with self._lock:
            self._closing = True
            if cancel_futures:
                for task_id, _ in self._waiting:
                    self._futures.pop(task_id).cancel()
                self._waiting.clear()
        self._wake()
        if wait:
            if self._thread is not None:
                self._thread.join()
            self._wake_r.close()
            self._wake_w.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # closed: nobody is asleep
            self._wake_w.send(b"x")

    def abandon(self) -> None:
        """Give up the tasks still out; the workers must then be stopped."""
        with self._lock:
            self._closing = True
            self.broken = self.broken or bool(self._futures)
            self._fail_all(None)
        self.shutdown()

    def _pump(self) -> None:
        while True:
            with self._lock:
                self._send_waiting()
                if self._closing and not self._futures:
                    return
            everyone = [*self._channels, *self._watched]
            for end in ready([*everyone, self._wake_r], None):
                if end is self._wake_r:
                    self._wake_r.recv(4096)
                    continue
                index = everyone.index(end)
                message: Message | None
                try:
                    message = everyone[index].receive()
                except ChannelClosed:
                    message = self._last_words()
                with self._lock:
                    self._take(index, message)
                if self.broken:
                    return

    def _last_words(self) -> Message | None:
        """What a watched channel tells of a death that a closed one only showed."""
        for channel in ready(self._watched, _LAST_WORDS_LIMIT_S):
            with contextlib.suppress(ChannelClosed):
                message: Message = channel.receive()
                return message
        return None

    def _send_waiting(self) -> None:
        for index, channel in enumerate(self._channels):
            while self._waiting and (self._tasks_at_once is None or len(self._out[index]) < self._tasks_at_once):
                task_id, call = self._waiting.popleft()
                if not self._futures[task_id].set_running_or_notify_cancel():
                    del self._futures[task_id]
                    continue
                self._out[index].add(task_id)
                try:
                    channel.send("task", {"id": task_id}, call)
                except ChannelClosed:
                    break  # reading finds it closed and tells why

    def _take(self, index: int, message: Message | None) -> None:
        if message is None or message.kind in ("died", "exited"):
            self._fail_all(self._death(index, message))
            return
        task_id = message.body["id"]
        self._out[index].discard(task_id)
        future = self._futures.pop(task_id, None)
        if future is None:
            return
        if message.kind == "task_returned":
            assert message.parcel is not None
            future.set_result(message.parcel.load())
            return
        raised = read_raised(message)
        worker = self._members[index] if self._tasks_at_once else None
        text = f"### {worker.heading if worker else self._backend} raised {raised.type_name}\n{raised.traceback}"
        cause = WorkerRaised(text, self._outcome(raised))
        error = raised.exception or cause
        if error is not cause:
            error.__cause__ = cause
        future.set_exception(error)

    def _death(self, index: int, message: Message | None) -> WorkerDied:
        status = message.body.get("status") if message else None
        pid = message.body.get("pid") if message else None
        by_pid = [w for w in self._members if w.pid == pid]
        worker = by_pid[0] if by_pid else self._members[index] if index < len(self._members) else None
        died = Died(status)
        who = worker.heading if worker else "the runner"
        return WorkerDied(f"{self._backend}: {who} {died.reason}", self._outcome(died, worker))

    def _outcome(self, fate: Died | Raised | Unfinished, worker: Worker | None = None) -> Outcome:
        reports = (WorkerReport(worker, fate),) if worker else ()
        return Outcome(self._backend, self.workers, reports)

    def _fail_all(self, error: WorkerDied | None) -> None:
        """Fail every task that has not been answered; None cancels them."""
        self.broken = self.broken or error is not None
        self._waiting.clear()
        for future in self._futures.values():
            if error is not None and not future.done():
                if not future.running():
                    future.set_running_or_notify_cancel()
                future.set_exception(error)
            else:
                future.cancel()
        self._futures.clear()
