"""What a fork copies and what it does not: locks, threads and ends of pipes."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event as ProcessEvent
from subprocess import PIPE, Popen
from threading import Thread

from tests.deadlocks.corpus import FORK, buggy, fixes, run_all


def take(lock: threading.Lock) -> None:
    with lock:
        pass


def hold(lock: threading.Lock, held: threading.Event, forked: threading.Event) -> None:
    with lock:
        held.set()
        forked.wait()


@buggy(says=("Process.join", "Lock.acquire"))
def lock_of_a_thread_that_was_not_copied() -> str:
    """The child was forked while a thread held the lock, and has the lock but not the thread."""
    lock, held, forked = threading.Lock(), threading.Event(), threading.Event()
    holder = Thread(target=hold, args=(lock, held, forked))
    holder.start()
    held.wait()
    child = FORK.Process(target=take, args=(lock,))
    child.start()
    forked.set()
    child.join()
    holder.join()
    return "done"


@fixes(lock_of_a_thread_that_was_not_copied)
def lock_of_a_thread_that_was_not_copied_fixed() -> str:
    """The child is forked after the thread ended."""
    lock, held, forked = threading.Lock(), threading.Event(), threading.Event()
    holder = Thread(target=hold, args=(lock, held, forked))
    holder.start()
    held.wait()
    forked.set()
    holder.join()
    return run_all(FORK.Process(target=take, args=(lock,)))


@buggy(says=("os.waitpid", "Lock.acquire"))
def lock_held_at_the_fork() -> int:
    """The process forks with the lock held; the child takes its copy, which nobody releases."""
    lock = threading.Lock()
    with lock:
        child = os.fork()
        if not child:
            take(lock)
            os._exit(0)
    return os.waitpid(child, 0)[1]


@fixes(lock_held_at_the_fork)
def lock_held_at_the_fork_fixed() -> int:
    """The process forks with the lock released."""
    lock = threading.Lock()
    with lock:
        pass
    child = os.fork()
    if not child:
        take(lock)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def square_in(executor: ThreadPoolExecutor) -> None:
    executor.submit(pow, 3, 2).result()


def square_in_its_own() -> None:
    with ThreadPoolExecutor(1) as executor:
        square_in(executor)


def fork_beside(executor: ThreadPoolExecutor, child: BaseProcess) -> str:
    """Fork while the thread of the executor is busy."""
    lock, held, forked = threading.Lock(), threading.Event(), threading.Event()
    executor.submit(hold, lock, held, forked)
    held.wait()
    child.start()
    forked.set()
    child.join()
    return "done"


@buggy(says=("Process.join", "Future.result"))
def executor_made_before_the_fork() -> str:
    """The child uses the executor of its parent, whose threads were not copied."""
    with ThreadPoolExecutor(1) as executor:
        return fork_beside(executor, FORK.Process(target=square_in, args=(executor,)))


@fixes(executor_made_before_the_fork)
def executor_made_before_the_fork_fixed() -> str:
    """The child makes an executor of its own."""
    with ThreadPoolExecutor(1) as executor:
        return fork_beside(executor, FORK.Process(target=square_in_its_own))


@buggy(says=("os.waitpid", "os.read"))
def both_hold_the_writing_end() -> int:
    """The child reads to the end of a pipe whose writing end it and the parent still hold."""
    reader, _writer = os.pipe()
    child = os.fork()
    if not child:
        os._exit(len(os.read(reader, 10)))
    return os.waitpid(child, 0)[1]


@fixes(both_hold_the_writing_end)
def both_hold_the_writing_end_fixed() -> int:
    """The child and the parent close the writing end."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(writer)
        os._exit(len(os.read(reader, 10)))
    os.close(writer)
    return os.waitpid(child, 0)[1]


@buggy(says=("os.waitpid", "os.read"))
def waitpid_before_write() -> int:
    """The parent waits for the end of a child before it sends what the child waits for."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os._exit(len(os.read(reader, 1)) - 1)
    status = os.waitpid(child, 0)[1]
    os.write(writer, b"!")
    return status


@fixes(waitpid_before_write)
def waitpid_before_write_fixed() -> int:
    """The parent sends, then waits for the end of the child."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os._exit(len(os.read(reader, 1)) - 1)
    os.write(writer, b"!")
    return os.waitpid(child, 0)[1]


def await_end(finished: ProcessEvent) -> None:
    finished.wait()


@buggy(says=("Popen.wait", "Event.wait"))
def worker_that_inherited_the_input() -> str:
    """A worker inherited the input of another program, which therefore never ends."""
    finished = FORK.Event()
    with Popen(["cat"], stdin=PIPE) as program:
        worker = FORK.Process(target=await_end, args=(finished,))
        worker.start()
        assert program.stdin
        program.stdin.close()
        program.wait()
        finished.set()
        worker.join()
    return "done"


@fixes(worker_that_inherited_the_input)
def worker_that_inherited_the_input_fixed() -> str:
    """The worker is forked before the other program is started."""
    finished = FORK.Event()
    worker = FORK.Process(target=await_end, args=(finished,))
    worker.start()
    with Popen(["cat"], stdin=PIPE) as program:
        assert program.stdin
        program.stdin.close()
        program.wait()
    finished.set()
    worker.join()
    return "done"


def relay(reader: int, writer: int) -> int:
    child = os.fork()
    if not child:
        os.write(writer, os.read(reader, 1))
        os._exit(0)
    return child


def ring(first: bytes) -> int:
    a, b = os.pipe(), os.pipe()
    children = [relay(a[0], b[1]), relay(b[0], a[1])]
    if first:
        os.write(a[1], first)
    return sum(os.waitpid(child, 0)[1] for child in children)


@buggy(says=("os.waitpid", "os.read"))
def ring_of_pipes() -> int:
    """Each of two children passes on what it reads from the other, and nobody starts."""
    return ring(b"")


@fixes(ring_of_pipes)
def ring_of_pipes_fixed() -> int:
    """The parent starts the round."""
    return ring(b"!")
