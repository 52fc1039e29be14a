"""A runner: a process, forked by the keeper, that owns workers and carries out runs on them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from types import ModuleType
from typing import Any

from pytest_parallel_lab.keeper import output
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message, Parcel
from pytest_parallel_lab.keeper.host import (
    Facts,
    Host,
    bind_workers,
    call_packed,
    environment,
    execute,
    load_call,
    report_raised,
    workers_of,
)
from pytest_parallel_lab.keeper.shipping import pack_value
from pytest_parallel_lab.keeper.started import Started
from pytest_parallel_lab.keeper.tree import become_subreaper, die_with_parent
from pytest_parallel_lab.model.timeline import Section

_STATUS_LIMIT_S = 0.3
_SETTLE_S = 0.02


class Runner:
    """Serves one channel: opens a host, then runs what it is sent until the channel closes."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._host = Host()
        self._handle: object = None
        self._executor: Executor | None = None
        self._workers = 0
        self._watches = False
        self._notes = False
        self._facts = Facts()

    def serve(self) -> None:
        """Serve messages until pytest closes the channel."""
        while True:
            try:
                message = self._channel.receive()
            except ChannelClosed:
                break
            getattr(self, f"_on_{message.kind}")(message)
            del message  # frees the arguments' shared memory before the next wait
            sys.stdout.flush()
        self._host.close()

    def _on_open(self, message: Message) -> None:
        body = message.body
        output.capture(body["directory"], traces=body["settings"].traces)
        keep_temporary_files_in(body["directory"])
        try:
            environment(body["sys_path"], body["environ"], body["cwd"])
            assert message.parcel is not None
            self._host = message.parcel.load()
            self._workers = body["workers"]
            self._notes = body["settings"].spans
            self._handle = self._host.open(self._workers, body["settings"], body["directory"])
            pids = self._host.pids()
            self._watches = bool(pids) and hasattr(os, "pidfd_open")
            if self._watches:
                threading.Thread(target=self._watch, args=(pids,), daemon=True, name="exit-watch").start()
        except BaseException as error:
            report_raised(self._channel, error)
            return
        self._channel.send("opened", {"workers": workers_of(self._host.role, pids)})

    def _on_run(self, message: Message) -> None:
        def load() -> Callable[[], Any]:
            os.chdir(message.body["cwd"])
            assert message.parcel is not None
            function, args, kwargs = load_call(message.parcel)
            return self._host.bind(function, self._handle, args, bind_workers(function, kwargs, self._workers))

        execute(self._channel, load, facts=self._facts, announce=message.body["announce"], section=self._section())

    def _section(self) -> Callable[[float, float], Section | None]:
        """Asks the host what its workers did, and looks what the call has left running."""
        if not self._notes:
            return lambda start_s, end_s: None
        started = Started()

        def ask(start_s: float, end_s: float) -> Section | None:
            section = self._host.section(start_s, end_s)
            return section and replace(section, left_running=started.still_running())

        return ask

    def _on_task(self, message: Message) -> None:
        """Hand a task of ``parallel_pool`` to the workers; the answer follows when it is done."""
        task_id = message.body["id"]
        assert message.parcel is not None

        def done(future: Future[Any]) -> None:
            try:
                self._channel.send("task_returned", {"id": task_id}, pack_value(future.result()))
            except ChannelClosed:
                pass
            except BaseException as error:
                self._report_task(task_id, error)

        try:
            if self._executor is None:
                self._executor = self._host.executor(self._handle)
            parcel: Parcel = message.parcel
            self._executor.submit(call_packed, parcel.head, [bytes(b) for b in parcel.buffers]).add_done_callback(done)
        except BaseException as error:
            self._report_task(task_id, error)

    def _report_task(self, task_id: int, error: BaseException) -> None:
        if not (isinstance(error, BrokenExecutor) and self._watches):  # the watch tells who died, and how
            report_raised(self._channel, error, "task_raised", {"id": task_id})

    def _on_clean(self, message: Message) -> None:
        try:
            problem = self._host.clean()
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        self._channel.send("cleaned", {"problem": problem})

    def _watch(self, pids: list[int]) -> None:
        """Report every worker process that ends, at once. The kernel wakes us; nothing polls."""
        poll = select.poll()
        by_fd = {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                by_fd[fd] = pid
                poll.register(fd, select.POLLIN)
        self._report_deaths(set(pids) - set(by_fd.values()))
        while by_fd:
            poll.poll()
            # An executor sees the first one's pipe close, and ends the others, before the kernel
            # calls the first one ended: look again when that has settled.
            time.sleep(_SETTLE_S)
            ended = [fd for fd, _ in poll.poll()]
            for fd in ended:
                poll.unregister(fd)
                os.close(fd)
            self._report_deaths({by_fd.pop(fd) for fd in ended})

    def _report_deaths(self, pids: Iterable[int]) -> None:
        """Tell of deaths noticed together; of those that an executor ended for the first one's sake, last."""
        statuses = {pid: self._status_of(pid) for pid in pids}
        for pid, status in sorted(statuses.items(), key=lambda item: item[1] == -signal.SIGTERM):
            with contextlib.suppress(ChannelClosed, OSError):  # the runner itself is on its way out
                self._channel.send("died", {"pid": pid, "status": status})

    def _status_of(self, pid: int) -> int | None:
        deadline = time.monotonic() + _STATUS_LIMIT_S
        status = self._host.exit_status(pid)
        while status is None and time.monotonic() < deadline:  # its owner has yet to reap it
            time.sleep(0.002)
            status = self._host.exit_status(pid)
        return status


def keep_temporary_files_in(directory: str) -> str:
    """Have ``multiprocessing`` put its sockets into the session's directory: killed processes leave them behind."""
    place = os.path.join(directory, f"pymp-{os.getpid()}")
    shutil.rmtree(place, ignore_errors=True)  # of a process that had the same pid
    os.mkdir(place)
    multiprocessing.current_process()._config["tempdir"] = place  # type: ignore[attr-defined]
    return place


def main(fd: int, keeper_pid: int) -> None:
    """Be a runner on the socket ``fd``; called right after the fork."""
    os.setsid()
    die_with_parent(keeper_pid)
    become_subreaper()
    # The keeper is not the user's program: spawned children must not import it as theirs.
    sys.modules["__main__"] = ModuleType("__main__")
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # else every runner would repeat the keeper's legacy stream
    Runner(Channel(socket.socket(fileno=fd))).serve()
