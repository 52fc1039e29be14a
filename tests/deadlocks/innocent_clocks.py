"""Programs that look stuck until a signal, a timer, a time limit or the end of a slow coroutine comes."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import os
import select
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.synchronize import Lock as ProcessLock

from tests.deadlocks.corpus import FORK, innocent, run_all

LONG = 0.8  # seconds; a deadlock is proved in less than half of it


def send_later(number: signal.Signals) -> subprocess.Popen[bytes]:
    """Let a shell send this process the signal after a while."""
    return subprocess.Popen(["sh", "-c", f"sleep {LONG}; kill -{int(number)} {os.getpid()}"])


# Signals and timers


@innocent
def timer_thread_sets_the_event() -> bool:
    """The main thread waits for an event which a timer sets."""
    ready = threading.Event()
    threading.Timer(LONG, ready.set).start()
    return ready.wait()


@innocent
def alarm_handler_sets_the_event() -> bool:
    """The main thread waits for an event which the handler of an interval timer sets."""
    ready = threading.Event()
    signal.signal(signal.SIGALRM, lambda *_: ready.set())
    signal.setitimer(signal.ITIMER_REAL, LONG)
    return ready.wait()


@innocent
def pause_until_the_alarm() -> str:
    """The main thread pauses until its alarm."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.alarm(1)
    signal.pause()
    return "done"


def set_by_signal(number: signal.Signals) -> bool:
    ready = threading.Event()
    signal.signal(number, lambda *_: ready.set())
    with send_later(number):
        return ready.wait()


@innocent
def user_signal_sets_the_event() -> bool:
    """The main thread waits for an event which the handler of SIGUSR1 sets."""
    return set_by_signal(signal.SIGUSR1)


@innocent
def termination_sets_the_event() -> bool:
    """The main thread waits for an event which the handler of SIGTERM sets."""
    return set_by_signal(signal.SIGTERM)


@innocent
def awaited_signal() -> int:
    """The main thread waits for a signal which a shell sends after a while."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    with send_later(signal.SIGUSR1):
        return signal.sigwait({signal.SIGUSR1})


@innocent
def handler_interrupts_a_read() -> str:
    """The main thread reads its own pipe until the handler of a signal writes into it."""
    reader, writer = os.pipe()
    signal.signal(signal.SIGUSR1, lambda *_: os.write(writer, b"!"))
    with send_later(signal.SIGUSR1):
        return os.read(reader, 1).decode()


def deadlock_after(prepare: Callable[[], object], lock: ProcessLock) -> None:
    prepare()
    with lock, lock:
        pass


def alarm_without_a_handler() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, LONG)


@innocent
def child_killed_by_its_alarm() -> int | None:
    """The parent joins a child that takes a lock twice, until its own alarm kills it."""
    child = FORK.Process(target=deadlock_after, args=(alarm_without_a_handler, FORK.Lock()))
    run_all(child)
    return child.exitcode


def watchdog() -> None:
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(LONG, exit=True, file=os.fdopen(os.dup(nowhere.fileno()), "w", closefd=False))


@innocent
def child_ended_by_its_watchdog() -> int | None:
    """The parent joins a child that takes a lock twice, until its own watchdog ends it."""
    child = FORK.Process(target=deadlock_after, args=(watchdog, FORK.Lock()))
    run_all(child)
    return child.exitcode


@innocent
def timer_of_the_kernel() -> int:
    """The main thread reads a file descriptor of a timer."""
    libc = ctypes.CDLL(None, use_errno=True)
    timer: int = libc.timerfd_create(1, 0)
    seconds, fraction = divmod(LONG, 1)
    libc.timerfd_settime(timer, 0, struct.pack("4l", 0, 0, int(seconds), int(fraction * 1e9)), None)
    (ticks,) = struct.unpack("Q", os.read(timer, 8))
    os.close(timer)
    return int(ticks)


# Time limits


@innocent
def select_with_a_limit() -> int:
    """The main thread selects, with a time limit, on a socket to which nobody writes."""
    left, right = socket.socketpair()
    with selectors.DefaultSelector() as selector, left, right:
        selector.register(left, selectors.EVENT_READ)
        return len(selector.select(LONG))


@innocent
def poll_with_a_limit() -> int:
    """The main thread polls, with a time limit, a pipe of its own."""
    reader, _writer = os.pipe()
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    return len(poller.poll(LONG * 1000))


@innocent
def socket_with_a_limit() -> str:
    """The kernel ends, after a time limit, a recv to which nobody answers."""
    left, right = socket.socketpair()
    limit = struct.pack("ll", 1, 500_000)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    with left, right, suppress(BlockingIOError):
        left.recv(1)
    return "done"


@innocent
def join_with_a_limit() -> str:
    """The parent gives up joining a child that would wait for ever, and kills it."""
    child = FORK.Process(target=FORK.Event().wait)
    child.start()
    child.join(LONG)
    child.kill()
    child.join()
    return "done"


@innocent
def other_program_with_a_limit() -> int:
    """The parent gives up waiting for a program that reads for ever, and kills it."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as program:
        with suppress(subprocess.TimeoutExpired):
            program.wait(LONG)
        program.kill()
        return program.wait()


# Event loops


@innocent
def coroutine_sleeps() -> None:
    """A coroutine sleeps."""
    asyncio.run(asyncio.sleep(LONG))


async def resolved_later() -> str:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()
    loop.call_later(LONG, future.set_result, "done")
    return await future


@innocent
def future_resolved_later() -> str:
    """A coroutine awaits a future which the loop resolves after a while."""
    return asyncio.run(resolved_later())


async def run_sleep() -> int:
    program = await asyncio.create_subprocess_exec("sleep", str(LONG))
    return await program.wait()


@innocent
def coroutine_waits_for_a_program() -> int:
    """A coroutine waits for another program that sleeps."""
    return asyncio.run(run_sleep())


async def give_up() -> str:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), LONG)
    return "done"


@innocent
def coroutine_gives_up() -> str:
    """A coroutine awaits, with a time limit, a future that nobody resolves."""
    return asyncio.run(give_up())


def resolve_late(loop: asyncio.AbstractEventLoop, future: asyncio.Future[str]) -> None:
    time.sleep(LONG)
    loop.call_soon_threadsafe(future.set_result, "done")


async def resolved_by_a_thread() -> str:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()
    threading.Thread(target=resolve_late, args=(loop, future)).start()
    return await future


@innocent
def thread_resolves_the_future() -> str:
    """A coroutine awaits a future which a slow thread resolves."""
    return asyncio.run(resolved_by_a_thread())
