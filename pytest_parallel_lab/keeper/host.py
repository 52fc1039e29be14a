"""What a runner hosts: the contract between a runner and the backend whose workers it owns."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from types import GeneratorType
from typing import Any

from pytest_parallel_lab.keeper import blas
from pytest_parallel_lab.keeper.channel import Channel, Parcel
from pytest_parallel_lab.keeper.shipping import pack_value
from pytest_parallel_lab.model.errors import CannotSend, ParallelError
from pytest_parallel_lab.model.implementation import wants_workers
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.timeline import Section

_PACKAGE = __name__.partition(".")[0]


class Host:
    """The part of a backend that lives in a runner and owns its live workers.

    Subclass it for a backend of your own: ``open`` is all that is needed. It is pickled on its
    way to the runner, so keep what cannot be pickled out of it until ``open``.
    """

    role = "worker"

    def open(self, workers: int, settings: Settings, directory: str) -> object:
        """Start the workers and return the native handle that implementations get first.

        Args:
            workers: how many.
            settings: how.
            directory: private to the session; ``output.capture`` puts a process's output there.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to start its workers")

    def bind(
        self, function: Callable[..., Any], handle: object, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Callable[[], Any]:
        """Bind an implementation to its handle, which comes first, and its arguments."""
        return functools.partial(function, handle, *args, **kwargs)

    def executor(self, handle: Any) -> Executor:
        """The workers as a ``concurrent.futures`` executor, for ``parallel_pool``."""
        if isinstance(handle, Executor):
            return handle
        raise ParallelError(f"{type(self).__name__} has no executor; implement Host.executor for parallel_pool")

    def pids(self) -> list[int]:
        """The worker processes, in order; none where the workers live in the runner itself."""
        return []

    def exit_status(self, pid: int) -> int | None:
        """A dead worker's exit code, or minus the signal; None where it is not known (yet)."""
        return None

    def clean(self) -> str | None:
        """Make the workers as new for the next test; say what prevents it, if anything does."""
        return None

    def section(self, start_s: float, end_s: float) -> Section | None:
        """What the workers did in between; None where they do not note it, or were not to (``Settings.spans``)."""
        return None

    def close(self) -> None:
        """Stop the workers."""


def workers_of(role: str, pids: Sequence[int]) -> list[Worker]:
    """Name worker processes in order."""
    return [Worker(role, i, len(pids), pid, socket.gethostname()) for i, pid in enumerate(pids)]


class Facts:
    """What a process's sections run with; looked up once, after user code has loaded its libraries."""

    def __init__(self) -> None:
        self._known: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        """The facts, for an outcome."""
        if self._known is None:
            self._known = {"blas_threads_per_worker": blas.threads()}
        return self._known


def execute(
    channel: Channel,
    load: Callable[[], Callable[[], Any]],
    *,
    facts: Facts,
    start_together: Callable[[], None] = lambda: None,
    announce: bool = False,
    section: Callable[[float, float], Section | None] = lambda start_s, end_s: None,
) -> None:
    """Load a call, time it and report over the channel: ``returned`` or ``raised``.

    Args:
        channel: where the report goes.
        load: gives the call, bound to all it needs; not timed.
        facts: what to tell beside the result.
        start_together: waits for the other workers, right before the clock starts.
        announce: say that the section has begun: ``began``.
        section: asked, right after it, what the workers did between its start and its end.
    """
    try:
        call = load()
        start_together()
        if announce:
            channel.send("began")
        started_s = time.perf_counter()
        value = call()
        generator = value if inspect.isgenerator(value) and _is_generator_function(call) else None
        if generator is not None:
            value = _yielded(generator)
        ended_s = time.perf_counter()
        body = {"elapsed_s": ended_s - started_s, "facts": facts(), "section": section(started_s, ended_s)}
        parcel = pack_result(value)
        if generator is not None:
            parcel.detach()  # from memory that the generator is about to free
            del value
            _finish(generator)
        channel.send("returned", body, parcel)
    except BaseException as error:
        report_raised(channel, error)


def _yielded(generator: GeneratorType[Any, Any, Any]) -> Any:
    try:
        return next(generator)
    except StopIteration:
        raise ParallelError(f"the generator {generator.gi_code.co_name} ended without yielding a result") from None


def _finish(generator: GeneratorType[Any, Any, Any]) -> None:
    for _ in generator:
        raise ParallelError(f"the generator {generator.gi_code.co_name} yielded a second time; yield the result once")


def _is_generator_function(call: Callable[[], Any]) -> bool:
    """Whether the implementation itself is a generator, and does not just return one."""
    return inspect.isgeneratorfunction(call.func if isinstance(call, functools.partial) else call)


def pack_result(value: object) -> Parcel:
    """Pack what a function returned. Raises CannotSend where it cannot be pickled."""
    try:
        return pack_value(value)
    except Exception as error:
        raise CannotSend(
            f"the result ({type(value).__name__}) cannot be sent back: {error}. Return plain data, such as arrays"
        ) from error


def report_raised(
    channel: Channel, error: BaseException, kind: str = "raised", body: Mapping[str, Any] | None = None
) -> None:
    """Report an exception: its text always, the exception itself where it can travel."""
    tb = users_part(error)
    if tb is None and isinstance(error, ParallelError):  # ours: the text says it all
        text = f"{type(error).__name__}: {error}"
    else:
        text = "".join(traceback.format_exception(type(error), error, tb))
    parcel = None
    with contextlib.suppress(Exception):
        if not type(error).__module__.startswith("mpi4py"):  # rebuilding one of these would start MPI over there
            parcel = pack_value(error)
            parcel.load()  # an exception that cannot be rebuilt would only fail over there
    channel.send(kind, {**(body or {}), "type_name": type(error).__name__, "traceback": text}, parcel)


def users_part(error: BaseException) -> Any:
    """The traceback without our own frames at its top."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        tb = tb.tb_next
    return tb


def load_call(parcel: Parcel) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Unpack a call in the worker.

    Raises:
        CannotSend: it cannot be loaded here, most often as a module cannot be imported.
    """
    try:
        function, args, kwargs = parcel.load()
    except Exception as error:
        raise CannotSend(
            f"the call could not be loaded in the worker: {type(error).__name__}: {error}. A worker imports a "
            "function's module by its name: is that module on sys.path, and does importing it have no side effects?"
        ) from error
    return function, args, kwargs


def bind_workers(function: Callable[..., Any], kwargs: dict[str, Any], workers: int) -> dict[str, Any]:
    """Add ``workers`` to the arguments of a function that asks for it."""
    if wants_workers(function) and "workers" not in kwargs:
        return {**kwargs, "workers": workers}
    return kwargs


def call_packed(head: bytes, buffers: Sequence[Any]) -> Any:
    """Run a packed task inside a worker of any executor."""
    function, args, kwargs = load_call(Parcel(head, [memoryview(b) for b in buffers]))
    return function(*args, **kwargs)


def environment(sys_path: Sequence[str], environ: Mapping[str, str], cwd: str) -> None:
    """Take over pytest's import path, environment and working directory."""
    sys.path[:] = sys_path
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
