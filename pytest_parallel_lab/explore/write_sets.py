"""Finding what each task of a parallel computation writes: every task runs alone, and the array is compared."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Union

from pytest_parallel_lab.keeper import memory
from pytest_parallel_lab.keeper.channel import Parcel
from pytest_parallel_lab.keeper.host import users_part
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.model.errors import BadSetting, CannotSend, ParallelError
from pytest_parallel_lab.model.implementation import name_of
from pytest_parallel_lab.model.outcome import Died, Outcome, Raised, Returned, Worker, WorkerReport
from pytest_parallel_lab.model.settings import parse_names
from pytest_parallel_lab.model.write_sets import HOLES, SENTINELS, WriteSets, changed, parts_of, told

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pytest_parallel_lab.backends.base import WorkerGroup

Fate = Union[Returned, Raised, Died]


def find_write_sets(
    fresh: Callable[[], AbstractContextManager[WorkerGroup]],
    task: Callable[..., Any],
    tasks: Iterable[Any],
    *,
    out: npt.NDArray[Any],
    holes: str = "fail",
    limit_s: float | None = None,
    show: Callable[[Outcome], None] = lambda _: None,
) -> WriteSets:
    """Find which elements of an array each task writes, and make sure that each is written by one task.

    Every task runs twice, alone in a fresh process, on an array whose bytes are all 0xAA the first
    time and all 0x55 the second. An element is written if it differs afterwards, either time. So a
    task may read what it has written before, but one that decides by what it finds in ``out`` where
    to write must be given that as an argument of its own; there is no way to say with which content
    to start. What is written back as it was found is not seen, and neither are reads.

    Args:
        fresh: gives one worker to itself, without a handle.
        task: called as ``task(out, *args)``.
        tasks: the ``args`` of each; what is not a tuple is one argument.
        out: of the shape, type and order of the array that tasks share; its content is neither read
            nor changed.
        holes: ``fail`` where no task writes some element, or ``allow`` that.
        limit_s: seconds that all of it may take; None for no limit.
        show: is given the outcome of the run before anything is raised.

    Raises:
        WritesOverlap: two tasks write the same elements.
        WritesMissing: no task writes some element.
        BadSetting: no tasks, or an array that tasks cannot share.
        WorkerDied: a task's process ended in the middle.
        Deadlock: a task hangs, proved.
        TimedOut: the limit passed.
        CannotSend: the task or an argument cannot be sent.
        Exception: what a task raised.
    """
    __tracebackhide__ = True
    name = name_of(task)
    arguments = _check(name, task, tasks, out)
    may_have_holes = parse_names([holes], HOLES, f"write_sets({name}): holes", "choice") == ("allow",)
    call = _pack(task, arguments, out)
    with fresh() as group:
        outcome = group.run(call, limit_s=limit_s)
    show(outcome)
    found = outcome.result()
    texts = [told(args) for args in arguments]
    if isinstance(found, _Failure):
        raise_failure(found, f"write_sets: {name} with {texts[found.index]}", len(arguments))
    sets = WriteSets(name, texts, [part for part, _, _ in parts_of(out.dtype)], found)
    sets.check(holes=may_have_holes)
    return sets


def raise_failure(failure: _Failure, who: str, tasks: int) -> None:
    """Raise what became of a task that did not return."""
    __tracebackhide__ = True
    worker = Worker("task", failure.index, tasks, failure.pid, socket.gethostname())
    where = f"{who}, alone, each byte of out 0x{failure.sentinel:X}"
    Outcome(where, 1, (WorkerReport(worker, failure.fate),), shared_memory=memory.space()).result()


@dataclass(frozen=True)
class _Failure:
    """A task that did not return."""

    index: int
    sentinel: int
    pid: int
    fate: Fate


def _check(name: str, task: object, tasks: Iterable[Any], out: Any) -> list[tuple[Any, ...]]:
    """Refuse what cannot be measured; return the arguments of each task."""
    import numpy as np

    problem = ""
    if not callable(task):
        raise BadSetting(f"write_sets: {task!r} is not a function; the first argument is called as task(out, *args)")
    arguments = [entry if isinstance(entry, tuple) else (entry,) for entry in tasks]
    if not arguments:
        problem = "no tasks; give the arguments of at least one, such as [(0, 8), (8, 16)]"
    elif not isinstance(out, np.ndarray):
        problem = f"out must be a NumPy array that gives the shape and dtype to write to, not {type(out).__name__}"
    elif out.dtype.hasobject or out.dtype.kind == "T":
        problem = f"out has dtype {out.dtype}: Python objects cannot be shared between processes"
    elif out.ndim == 0 or out.nbytes == 0:
        problem = f"out has shape {out.shape} and dtype {out.dtype}: there is no element to divide among tasks"
    elif not (out.flags.c_contiguous or out.flags.f_contiguous):
        problem = (
            f"out is not contiguous (shape {out.shape}, strides {out.strides} bytes). Only its shape and dtype "
            "count, so give np.empty(shape, dtype), and take the slice inside the task"
        )
    if problem:
        raise BadSetting(f"write_sets({name}): {problem}")
    return arguments


def _pack(task: Callable[..., Any], arguments: list[tuple[Any, ...]], out: npt.NDArray[Any]) -> Parcel:
    order = "C" if out.flags.c_contiguous else "F"
    counts = [len(args) for args in arguments]
    flat = [value for args in arguments for value in args]  # each a part of the call, so each is looked at
    try:
        return pack_call(_run_all, (task, out.shape, out.dtype, order, counts, *flat), {})
    except CannotSend:
        for args in arguments:
            pack_call(task, args, {})  # blames the part by the name that its user knows
        raise


def _run_all(
    task: Callable[..., Any],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    order: str,
    counts: list[int],
    *flat: Any,
) -> list[npt.NDArray[np.bool_]] | _Failure:
    """Run every task alone with each sentinel; called in the runner, which has loaded the task once for all."""
    import numpy as np

    values = iter(flat)
    found = []
    for index, count in enumerate(counts):
        args = tuple(next(values) for _ in range(count))
        masks = []
        for sentinel in SENTINELS:
            # New memory each time: what a process that a task has left behind still writes harms nobody. It is a
            # SharedArray's, so that tasks can pass it on to processes of their own.
            out = memory.SharedArray.empty(shape if order == "C" else shape[::-1], dtype).array
            out.reshape(-1).view(np.uint8)[:] = sentinel
            out = out if order == "C" else out.T
            pid, fate = _run_alone(task, args, out, f"task {index} {told(args)}")
            if not isinstance(fate, Returned):
                return _Failure(index, sentinel, pid, fate)
            masks.append(changed(out, sentinel))
        found.append(masks[0] | masks[1])
    return found


def _run_alone(task: Callable[..., Any], args: tuple[Any, ...], out: npt.NDArray[Any], name: str) -> tuple[int, Fate]:
    """Run a task in a process of its own, to its very end; its pid and what became of it."""
    fork = multiprocessing.get_context("fork")
    # A file, not a pipe: nobody has to read it for the process to end, and no child of a task that
    # has died can keep it open.
    with tempfile.TemporaryFile() as report:
        process = fork.Process(target=_call, args=(task, args, out, report), name=name)
        process.start()
        process.join()
        pid, status = process.pid or 0, process.exitcode
        process.close()
        report.seek(0)
        written = report.read()
    return pid, pickle.loads(written) if written else Died(status)


def _call(task: Callable[..., Any], args: tuple[Any, ...], out: npt.NDArray[Any], report: IO[bytes]) -> None:
    shape, dtype, fate = out.shape, out.dtype, b""
    try:
        task(out, *args)
        if (out.shape, out.dtype) != (shape, dtype):
            raise ParallelError(
                f"the task has made out, of shape {shape} and dtype {dtype}, one of shape {out.shape} and dtype "
                f"{out.dtype}; a task may write to out, but not reshape it for the others. Take a view of it"
            )
        fate = pickle.dumps(Returned(None, 0.0))
    except BaseException as error:
        fate = _pack_raised(error)
    report.write(fate)
    report.flush()


def _pack_raised(error: BaseException) -> bytes:
    """Pickle an exception; only its text where it cannot be rebuilt from a pickle."""
    import cloudpickle

    tb = users_part(error)
    text = "".join(traceback.format_exception(type(error), error, tb)) if tb else f"{type(error).__name__}: {error}"
    name = type(error).__name__
    with contextlib.suppress(Exception):
        data: bytes = cloudpickle.dumps(Raised(name, text, error))
        pickle.loads(data)
        return data
    return pickle.dumps(Raised(name, text))
