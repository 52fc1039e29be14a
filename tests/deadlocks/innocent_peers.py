"""Programs that look stuck until a slow holder lets go of its lock or a late peer comes."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Event as ProcessEvent
from multiprocessing.synchronize import Lock as ProcessLock
from typing import Any

from tests.deadlocks.corpus import FORK, innocent, run_all
from tests.deadlocks.innocents import LONG, nap, nap_then

# A lock whose holder is slow, or changes


def nap_with(lock: ProcessLock, held: ProcessEvent) -> None:
    with lock:
        held.set()
        nap()


@innocent
def holder_of_the_lock_sleeps() -> str:
    """The parent waits for a lock whose holder sleeps."""
    lock, held = FORK.Lock(), FORK.Event()
    holder = FORK.Process(target=nap_with, args=(lock, held))
    holder.start()
    held.wait()
    with lock:
        holder.join()
    return "done"


@innocent
def lock_released_by_another_thread() -> str:
    """The main thread waits for the lock which it took itself; another thread releases it."""
    lock = threading.Lock()
    lock.acquire()
    helper = threading.Thread(target=nap_then, args=(lock.release,))
    helper.start()
    lock.acquire()
    helper.join()
    return "done"


@innocent
def lock_released_by_another_process() -> str:
    """The parent waits for the lock which it took itself; a child releases it."""
    lock = FORK.Lock()
    lock.acquire()
    helper = FORK.Process(target=nap_then, args=(lock.release,))
    helper.start()
    lock.acquire()
    helper.join()
    return "done"


@innocent
def holder_of_a_file_lock_sleeps() -> str:
    """The parent waits for the lock of a file which a child holds."""
    with tempfile.NamedTemporaryFile() as file:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            with open(file.name) as again:
                fcntl.flock(again, fcntl.LOCK_EX)
                os.write(writer, b"!")
                nap()
            os._exit(0)
        os.read(reader, 1)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.waitpid(child, 0)
    return "done"


def try_both(first: ProcessLock, second: ProcessLock, met: threading.Barrier, patience: float) -> None:
    with first:
        met.wait()
        if second.acquire(timeout=patience):
            second.release()


@innocent
def opposite_orders_with_patience() -> str:
    """Two processes take two locks in opposite orders, but one of them gives up."""
    a, b, met = FORK.Lock(), FORK.Lock(), FORK.Barrier(2)
    one = FORK.Process(target=try_both, args=(a, b, met, LONG))
    return run_all(one, FORK.Process(target=try_both, args=(b, a, met, 60)))


@innocent
def event_set_by_a_slow_child() -> str:
    """Two processes wait for an event which a third sets after a while."""
    go = FORK.Event()
    setter = FORK.Process(target=nap_then, args=(go.set,))
    return run_all(FORK.Process(target=go.wait), FORK.Process(target=go.wait), setter)


@innocent
def barrier_with_a_late_comer() -> str:
    """Two threads wait at a barrier for a third that comes late."""
    barrier = threading.Barrier(3)
    waiters = [threading.Thread(target=barrier.wait) for _ in range(2)]
    return run_all(*waiters, threading.Thread(target=nap_then, args=(barrier.wait,)))


@innocent
def queue_fed_late() -> str:
    """The parent waits for an item of a slow child."""
    items: Any = FORK.Queue()
    child = FORK.Process(target=nap_then, args=(items.put, "item"))
    child.start()
    item: str = items.get()
    child.join()
    return item


# Late peers


def connect_later(address: tuple[str, int]) -> None:
    time.sleep(LONG)
    socket.create_connection(address).close()


@innocent
def late_client() -> bytes:
    """The server accepts a client that comes late."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = FORK.Process(target=connect_later, args=(server.getsockname(),))
        client.start()
        connection, _ = server.accept()
        client.join()
    with connection:
        return connection.recv(1)


def answer_later(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        time.sleep(LONG)
        connection.sendall(b"answer")


@innocent
def late_answer() -> bytes:
    """The client waits for the answer of a slow server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = FORK.Process(target=answer_later, args=(server,))
        child.start()
        with socket.create_connection(server.getsockname()) as client:
            answer = client.recv(100)
    child.join()
    return answer


@innocent
def daemon_writes_late() -> bytes:
    """The main process reads what a daemon, no longer its descendant, writes after a while."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        if not os.fork():
            time.sleep(LONG)
            os.write(writer, b"!")
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    return os.read(reader, 1)


@innocent
def late_input() -> str:
    """The main thread waits for input from a terminal at which somebody types late."""
    master, slave = pty.openpty()
    child = os.fork()
    if not child:
        time.sleep(LONG)
        os.write(master, b"typed\n")
        os._exit(0)
    with os.fdopen(slave) as sys.stdin:
        line = input()
    os.waitpid(child, 0)
    return line
