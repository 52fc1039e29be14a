"""The keeper: one small single-threaded process that forks, watches and reaps all others.

It runs no user code and starts no thread, which is what makes forking from it safe. It goes when
pytest goes, however that ends, and takes its whole tree along.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, close_quietly
from pytest_parallel_lab.keeper.leftovers import remove_unmapped
from pytest_parallel_lab.keeper.tree import become_subreaper, is_resource_tracker, kill_below, kill_tree
from pytest_parallel_lab.keeper.watch import procfs
from pytest_parallel_lab.keeper.watch.quiescence import Cast, cast_of, examine
from pytest_parallel_lab.keeper.watch.watching import Watch

# Imported before the first fork, so that every runner has them already.
_PRELOADED = (
    "cloudpickle",
    "numpy",
    "multiprocessing.managers",
    "multiprocessing.pool",
    "concurrent.futures.process",
    "concurrent.futures.thread",
)
_BEQUEST_LIMIT_S = 30.0
_IMPORTS_AFTER_S = 0.3
_ORPHANS_LOOKED_FOR_EVERY_S = 1.0


class Keeper:
    """The keeper's event loop."""

    def __init__(self, control: Channel, pytest_pid: int, directory: str, imports: Sequence[str] = ()) -> None:
        self._control = control
        self._imports = list(imports)  # what runners will want, until it has been imported
        self._directory = directory
        self._pytest_pid = pytest_pid
        self._running: set[int] = set()
        self._statuses: dict[int, int] = {}
        self._waiting: dict[int, float] = {}  # pid -> deadline of the one who asked
        self._adopted: dict[int, int] = {}  # pid -> pidfd
        self._bequeathed = 0
        self._bequests: dict[int, tuple[list[str], dict[str, str], str]] = {}
        self._launched_s: dict[int, float] = {}  # commands not yet tidied up after, by pid
        self._watches: list[Watch] = []
        self._casts: dict[int, Cast] = {}
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve requests until pytest closes the control channel or ends."""
        wake_r, wake_w = socket.socketpair()
        wake_r.setblocking(False)
        wake_w.setblocking(False)
        signal.set_wakeup_fd(wake_w.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._control, selectors.EVENT_READ, "control")
        self._selector.register(wake_r, selectors.EVENT_READ, "child")
        with contextlib.suppress(OSError, AttributeError):  # a forked child of pytest may hold the control socket open
            self._selector.register(os.pidfd_open(self._pytest_pid), selectors.EVENT_READ, "pytest ended")
        while True:
            ready = {key.data for key, _ in self._selector.select(self._patience_s())}
            if self._imports and not ready:
                self._import()  # while nobody asks for anything
            for watch in [w for w in self._watches if w in ready]:
                self._end_watch(watch)  # it closed: the run is over
            if "child" in ready:
                with contextlib.suppress(BlockingIOError):
                    wake_r.recv(4096)
            self._reap()
            if "pytest ended" in ready or os.getppid() != self._pytest_pid:
                return
            if "control" in ready:
                try:
                    self._answer()
                except ChannelClosed:
                    return
            self._answer_waiting()
            for watch in [w for w in self._watches if w.due_s <= time.monotonic()]:
                if not watch.look():
                    self._end_watch(watch)

    def clean_up(self) -> None:
        """Kill everything that is left and remove the session's directory."""
        for pidfd in self._adopted.values():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        kill_below(os.getpid())
        if self._launched_s:
            remove_unmapped(min(self._launched_s.values()))
        for argv, env, directory in self._bequests.values():  # pytest has not come to it
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                if argv:
                    subprocess.run(
                        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_BEQUEST_LIMIT_S
                    )
            shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _patience_s(self) -> float:
        deadlines = [*self._waiting.values(), *(watch.due_s for watch in self._watches)]
        until = min(deadlines, default=float("inf")) - time.monotonic()
        until = min(until, _IMPORTS_AFTER_S) if self._imports else until
        return max(0.0, min(until, _ORPHANS_LOOKED_FOR_EVERY_S if self._running else 60.0))

    def _answer(self) -> None:
        message = self._control.receive()
        try:
            reply = getattr(self, f"_do_{message.kind}")(**message.body)
        except OSError as error:
            reply = {"error": str(error)}
        if reply is not None:
            self._control.send("reply", reply)

    def _import(self) -> None:
        """Import what runners will want: before the first fork, but not before a launcher, which needs none of it."""
        imports, self._imports = self._imports, []
        for module in imports:
            importlib.import_module(module)

    def _do_fork(self, fd: int) -> dict[str, Any]:
        """Fork a runner that serves the socket handed over."""
        self._import()
        keeper_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._forget_in_child()
                from pytest_parallel_lab.keeper.runner import main

                main(fd, keeper_pid)
                status = 0
            finally:
                os._exit(status)
        close_quietly(fd)
        self._running.add(pid)
        return {"pid": pid}

    def _do_preload(self, module: str) -> dict[str, Any]:
        """Import a module of ours, so that runners forked from now on have it already."""
        importlib.import_module(module)
        return {}

    def _forget_in_child(self) -> None:
        signal.set_wakeup_fd(-1)
        for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for key in list(self._selector.get_map().values()):
            if key.data == "pytest ended":
                close_quietly(key.fd)
        for watch in self._watches:
            watch.channel.close()
        self._selector.close()
        self._control.close()
        for pidfd in self._adopted.values():
            close_quietly(pidfd)

    def _do_launch(self, argv: list[str], env: dict[str, str], cwd: str, output: str) -> dict[str, Any]:
        """Start a command; what it prints goes to a file."""
        with open(output, "ab") as file:
            process = subprocess.Popen(
                argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        process.returncode = 0  # reaped below with all others, not by subprocess
        self._running.add(process.pid)
        self._launched_s[process.pid] = time.time()
        return {"pid": process.pid}

    def _do_kill(self, pid: int) -> dict[str, Any]:
        """Kill one of our processes with all below it; the answer comes when it is gone."""
        if pid in self._running:
            kill_tree(pid)
            while pid in self._running:
                self._reap()
                time.sleep(0.001)
            self._reap()
        if pid in self._launched_s:
            remove_unmapped(self._launched_s.pop(pid))
        return {"status": self._statuses.pop(pid, None)}

    def _do_wait(self, pid: int, limit_s: float) -> None:
        """Answer with a process's exit status once it has ended, or None at the limit."""
        self._waiting[pid] = time.monotonic() + limit_s

    def _do_adopt(self, pid: int) -> dict[str, Any]:
        """Take over a process of pytest's: it is killed when pytest ends without having stopped it."""
        with contextlib.suppress(AttributeError, ProcessLookupError):
            self._adopted[pid] = os.pidfd_open(pid)
        return {}

    def _do_release(self, pid: int) -> dict[str, Any]:
        close_quietly(self._adopted.pop(pid, -1))
        return {}

    def _do_cast(self, pid: int, engines: list[int]) -> dict[str, Any]:
        """Remember who only serves in a cluster that is idle now."""
        self._casts[pid] = cast_of(pid, engines)
        return {}

    def _do_watch(self, pid: int, fd: int) -> dict[str, Any]:
        """Watch a tree until the socket handed over closes; say there when nothing in it can move."""
        watch = Watch(pid, self._directory, Channel(socket.socket(fileno=fd)), self._casts.get(pid))
        self._selector.register(watch.channel, selectors.EVENT_READ, watch)
        self._watches.append(watch)
        return {}

    def _do_examine(self, pid: int) -> dict[str, Any]:
        """Tell what every thread of a tree does now; with proof, if there is one."""
        return {"state": examine(pid, self._directory, self._casts.get(pid))}

    def _do_bequeath(self, argv: list[str], env: dict[str, str], directory: str) -> dict[str, Any]:
        """Remember a command to run, and a directory to remove, when pytest ends without having done so."""
        self._bequeathed += 1
        self._bequests[self._bequeathed] = (argv, env, directory)
        return {"number": self._bequeathed}

    def _do_renounce(self, number: int) -> dict[str, Any]:
        self._bequests.pop(number, None)
        return {}

    def _end_watch(self, watch: Watch) -> None:
        self._selector.unregister(watch.channel)
        self._watches.remove(watch)
        watch.channel.close()

    def _answer_waiting(self) -> None:
        for pid, deadline in list(self._waiting.items()):
            if pid in self._statuses or pid not in self._running or time.monotonic() > deadline:
                del self._waiting[pid]
                self._control.send("reply", {"status": self._statuses.get(pid)})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                break
            if pid in self._running:
                self._running.discard(pid)
                self._statuses[pid] = os.waitstatus_to_exitcode(status)
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        """Kill what was re-parented to us: its own runner or launcher is dead."""
        with contextlib.suppress(FileNotFoundError, psutil.Error):
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for pid in map(int, children):
                if pid not in self._running and not is_resource_tracker(psutil.Process(pid)):
                    kill_tree(pid)


def main(control_fd: int, pytest_pid: int, directory: str, imports: Sequence[str] = ()) -> None:
    """Be the keeper, and import some modules for the runners."""
    become_subreaper()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: None)  # pytest's end is our only end; not SIG_IGN, which children inherit
    control = Channel(socket.socket(fileno=control_fd))
    keeper = Keeper(control, pytest_pid, directory, (*_PRELOADED, *imports))
    control.send("ready", {"version": sys.version, "cannot_watch": procfs.missing()})
    try:
        keeper.serve()
    finally:
        keeper.clean_up()
