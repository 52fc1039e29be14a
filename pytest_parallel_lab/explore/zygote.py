"""The zygote: a fresh interpreter that has loaded what is explored, and forks one process for every run."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import pickle
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

from pytest_parallel_lab.explore.endings import flatten, pack_error
from pytest_parallel_lab.explore.inside import opcodes, streams
from pytest_parallel_lab.explore.inside.install import take_turns_here
from pytest_parallel_lab.explore.inside.turns import Rules, enter
from pytest_parallel_lab.explore.protocol import MINOR
from pytest_parallel_lab.keeper import output
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed
from pytest_parallel_lab.keeper.host import bind_workers, environment, load_call, pack_result, report_raised, users_part
from pytest_parallel_lab.keeper.runner import keep_temporary_files_in
from pytest_parallel_lab.keeper.tree import die_with_parent


class Zygote:
    """Serves one channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._call: Callable[[], Any] = lambda: None

    def serve(self) -> None:
        """Serve messages until the channel closes."""
        with contextlib.suppress(ChannelClosed):
            while True:
                message = self._channel.receive()
                getattr(self, f"_on_{message.kind}")(message)

    def _on_open(self, message: Any) -> None:
        body = message.body
        try:
            environment(body["sys_path"], body["environ"], body["cwd"])
            # Runs are killed at their end, and so never come to remove what they have made there.
            os.environ["TMPDIR"] = tempfile.tempdir = keep_temporary_files_in(body["directory"])
            host, workers, settings, call = message.parcel.load()
            function, args, kwargs = load_call(call)
            kwargs = bind_workers(function, kwargs, workers)

            def bound() -> Any:
                handle = host.open(workers, settings, body["directory"])
                return host.bind(function, handle, args, kwargs)()

            self._call = bound if host is not None else functools.partial(function, *args, **kwargs)
            resource_tracker.ensure_running()
            _prepare(function)
            gc.collect()
            gc.freeze()  # what is there now is not looked through, and so not copied, in every run
        except BaseException as error:
            report_raised(self._channel, error)
            return
        self._channel.send("opened")

    def _on_fork(self, message: Any) -> None:
        rules = Rules(**message.body)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                die_with_parent(parent)
                self._channel.close()
                self._carry_out(rules)
            finally:
                os._exit(1)
        self._channel.send("forked", {"pid": pid})

    def _on_reap(self, message: Any) -> None:
        _, status = os.waitpid(message.body["pid"], 0)
        self._channel.send("reaped", {"status": os.waitstatus_to_exitcode(status)})

    def _carry_out(self, rules: Rules) -> None:
        streams.begin(rules.seed)
        actor = enter("main", rules)
        actor.point("starts", tier=MINOR)
        try:
            with opcodes.traced(rules):
                value = self._call()
            ending: tuple[Any, ...] = ("returned", flatten(pack_result(value)))
        except BaseException as error:
            sys.settrace(None)
            ending = _raised(error)
        actor.result(pickle.dumps(ending))
        while True:  # the others must not see us end: the run is over, and will be killed
            signal.pause()


def _prepare(function: Callable[..., Any]) -> None:
    """Do once what every run would do again: look for points in the function's module."""
    if "numpy" in sys.modules:
        importlib.import_module("numpy.random")  # numpy itself loads it at first use: too late to seed it

    module = sys.modules.get(getattr(function, "__module__", ""))
    opcodes.prepare([function, *vars(module).values()] if module else [function])


def _raised(error: BaseException) -> tuple[str, str, str, str, bytes]:
    text = "".join(traceback.format_exception(type(error), error, users_part(error)))
    return "raised", type(error).__name__, str(error), text, pack_error(error)


def main(fd: int, directory: str, imports: tuple[str, ...]) -> None:
    """Be a zygote on the socket ``fd``, that imports some modules while nobody waits for it."""
    die_with_parent(os.getppid())
    sys.modules["__main__"] = ModuleType("__main__")
    output.capture(directory)
    take_turns_here()
    for name in imports:
        importlib.import_module(name)
    Zygote(Channel(socket.socket(fileno=fd), private=True)).serve()
