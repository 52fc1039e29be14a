"""Programs that look stuck while somebody sleeps, computes, polls or is stopped, and then end."""

from __future__ import annotations

import hashlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

from tests.deadlocks.corpus import FORK, SPAWN, innocent, run_all

LONG = 0.8  # seconds; a deadlock is proved in less than half of it


def nap(seconds: float = LONG) -> float:
    time.sleep(seconds)
    return seconds


def nap_then(function: Callable[..., Any], *arguments: Any) -> None:
    time.sleep(LONG)
    function(*arguments)


def busy(call: Callable[[int], Any], size: int) -> int:
    """Call once with a size for which one call takes here about as much time of the processor as LONG."""
    begun = time.thread_time()
    for _ in range(3):
        call(size)
    size = int(size * 3 * LONG / (time.thread_time() - begun))
    call(size)
    return size


# Sleep


@innocent
def main_sleeps() -> float:
    """The main thread sleeps."""
    return nap()


@innocent
def child_sleeps() -> str:
    """The parent joins a child that sleeps."""
    return run_all(FORK.Process(target=nap))


@innocent
def spawned_child_sleeps() -> str:
    """The parent joins a spawned child that sleeps."""
    return run_all(SPAWN.Process(target=nap))


@innocent
def forked_child_sleeps() -> int:
    """The parent waits by os.waitpid for a child that sleeps."""
    child = os.fork()
    if not child:
        nap()
        os._exit(0)
    return os.waitpid(child, 0)[1]


@innocent
def thread_sleeps() -> str:
    """The main thread joins a thread that sleeps."""
    return run_all(threading.Thread(target=nap))


@innocent
def task_of_a_pool_sleeps() -> float:
    """The only task of a pool sleeps, and all other workers are idle."""
    with FORK.Pool(3) as pool:
        return pool.apply(nap)


@innocent
def task_of_an_executor_sleeps() -> float:
    """The task of an executor sleeps."""
    with ThreadPoolExecutor() as executor:
        return executor.submit(nap).result()


def nap_in_a_pool(_: int) -> float:
    with ThreadPool(2) as pool:
        return sum(pool.map(nap, [LONG, LONG]))


@innocent
def pools_in_a_pool_sleep() -> float:
    """The tasks of a pool wait for pools of their own, whose tasks sleep."""
    with FORK.Pool(2) as pool:
        return sum(pool.map(nap_in_a_pool, range(2)))


@innocent
def client_of_a_manager_sleeps() -> str:
    """The parent waits for the manager's event; the child sleeps before it sets it."""
    with FORK.Manager() as manager:
        ready = manager.Event()
        child = FORK.Process(target=nap_then, args=(ready.set,))
        child.start()
        ready.wait()
        child.join()
        return "done"


@innocent
def other_program_sleeps() -> int:
    """The parent waits for another program that sleeps."""
    return subprocess.run(["sleep", str(LONG)], check=True).returncode


@innocent
def other_program_sleeps_before_it_prints() -> bytes:
    """The parent reads the output of a shell that sleeps first."""
    return subprocess.check_output(["sh", "-c", f"sleep {LONG}; echo x"])


# Computing


@innocent
def long_call_in_c() -> int:
    """One call into C computes, with the interpreter's lock held."""
    return busy(lambda size: sum(range(size)), 1_000_000)


@innocent
def long_call_without_the_interpreter() -> int:
    """One call into C computes, with the interpreter's lock released."""
    return busy(lambda size: hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", size), 20_000)


@innocent
def child_computes() -> str:
    """The parent joins a child that compresses."""
    return run_all(FORK.Process(target=busy, args=(compress, 1_000_000)))


def compress(size: int) -> bytes:
    return zlib.compress(os.urandom(size), 9)


@innocent
def thread_computes() -> str:
    """The main thread joins a thread that computes."""
    return run_all(threading.Thread(target=busy, args=(count, 1_000_000)))


def count(size: int) -> int:
    return sum(1 for _ in range(size))


@innocent
def other_program_computes() -> int:
    """The parent waits for a Python program that computes."""
    code = f"import time; end = time.monotonic() + {LONG}\nwhile time.monotonic() < end: pass"
    return subprocess.run([sys.executable, "-c", code], check=True).returncode


# Polling


@innocent
def polling() -> int:
    """The parent polls a number which a child sets after a while."""
    number = FORK.Value("i", 0)
    child = FORK.Process(target=nap_then, args=(set_to_seven, number))
    child.start()
    while not number.value:
        time.sleep(0.05)
    child.join()
    return int(number.value)


def set_to_seven(number: Any) -> None:
    number.value = 7


@innocent
def waiting_in_short_steps() -> int:
    """The main thread waits for a condition in short steps, then gives up."""
    condition, end, steps = threading.Condition(), time.monotonic() + LONG, 0
    while time.monotonic() < end:
        with condition:
            condition.wait(0.2)
        steps += 1
    return steps


@innocent
def asking_in_short_steps() -> int:
    """The main thread asks an empty queue in short steps, then gives up."""
    items: queue.Queue[int] = queue.Queue()
    end, steps = time.monotonic() + LONG, 0
    while time.monotonic() < end:
        try:
            return items.get(timeout=0.2)
        except queue.Empty:
            steps += 1
    return steps


# Stopped


@innocent
def child_stopped_for_a_while() -> str:
    """The parent joins a child that is stopped until another one continues it."""
    child = FORK.Process(target=stop_oneself)
    child.start()
    os.waitid(os.P_PID, child.pid or 0, os.WSTOPPED | os.WNOWAIT)
    waker = FORK.Process(target=nap_then, args=(os.kill, child.pid, signal.SIGCONT))
    waker.start()
    child.join()
    waker.join()
    return "done"


def stop_oneself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
