"""Event loops of asyncio, alone and together with threads."""

from __future__ import annotations

import asyncio
import queue
import socket
import sys
import threading
from asyncio.subprocess import PIPE
from concurrent.futures import ThreadPoolExecutor

from tests.deadlocks.corpus import buggy, fixes


async def answer() -> int:
    return 42


# One loop alone


async def await_future(resolve: bool) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    if resolve:
        future.set_result(42)
    return await future


@buggy(says=("Future",))
def future_never_resolved() -> int:
    """A coroutine awaits a future that nobody resolves."""
    return asyncio.run(await_future(False))


@fixes(future_never_resolved)
def future_never_resolved_fixed() -> int:
    """The future is resolved."""
    return asyncio.run(await_future(True))


async def take_twice(again: bool) -> str:
    lock = asyncio.Lock()
    async with lock:
        if again:
            await lock.acquire()
    return "done"


@buggy(says=("Lock.acquire",))
def lock_taken_twice() -> str:
    """A coroutine takes again the lock which it already holds."""
    return asyncio.run(take_twice(True))


@fixes(lock_taken_twice)
def lock_taken_twice_fixed() -> str:
    """The coroutine takes the lock once."""
    return asyncio.run(take_twice(False))


async def take_both(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass


async def two_locks_of(same_order: bool) -> str:
    a, b = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(take_both(a, b), take_both(a, b) if same_order else take_both(b, a))
    return "done"


@buggy(says=("Lock.acquire",))
def two_locks() -> str:
    """Two coroutines take the same two locks in opposite orders."""
    return asyncio.run(two_locks_of(same_order=False))


@fixes(two_locks)
def two_locks_fixed() -> str:
    """Both coroutines take the locks in the same order."""
    return asyncio.run(two_locks_of(same_order=True))


async def get_item(feed: bool) -> str:
    items: asyncio.Queue[str] = asyncio.Queue()
    if feed:
        items.put_nowait("item")
    return await items.get()


@buggy(says=("Queue.get",))
def queue_never_fed() -> str:
    """A coroutine waits for an item of a queue that nobody feeds."""
    return asyncio.run(get_item(False))


@fixes(queue_never_fed)
def queue_never_fed_fixed() -> str:
    """The queue is fed."""
    return asyncio.run(get_item(True))


async def blocking_get(items: queue.Queue[str]) -> str:
    return items.get()


async def get_in_a_thread(items: queue.Queue[str]) -> str:
    return await asyncio.get_running_loop().run_in_executor(None, items.get)


async def put_later(items: queue.Queue[str]) -> None:
    await asyncio.sleep(0)
    items.put("item")


async def feed(blocking: bool) -> str:
    items: queue.Queue[str] = queue.Queue()
    consumer = blocking_get(items) if blocking else get_in_a_thread(items)
    return (await asyncio.gather(consumer, put_later(items)))[0]


@buggy(says=("Queue.get",))
def blocking_call_in_a_coroutine() -> str:
    """A coroutine blocks the loop, which would run the coroutine it waits for."""
    return asyncio.run(feed(blocking=True))


@fixes(blocking_call_in_a_coroutine)
def blocking_call_in_a_coroutine_fixed() -> str:
    """The call blocks a thread of its own."""
    return asyncio.run(feed(blocking=False))


async def print_much(read: bool) -> int:
    code = "print('x' * 10_000_000)"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=PIPE)
    if read:
        await child.communicate()
    return await child.wait()


@buggy(says=("Process.wait",))
def wait_before_read() -> int:
    """A coroutine waits for the end of a child that waits for its output to be read."""
    return asyncio.run(print_much(read=False))


@fixes(wait_before_read)
def wait_before_read_fixed() -> int:
    """The coroutine reads the output, then waits."""
    return asyncio.run(print_much(read=True))


async def speak(end: socket.socket, line: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(sock=end)
    writer.write(line)
    answer = await reader.readline()
    writer.close()
    return answer


async def echo(end: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=end)
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()


async def talk(line: bytes) -> bytes:
    left, right = socket.socketpair()
    return (await asyncio.gather(speak(left, line), echo(right)))[0]


@buggy(says=("readline",))
def both_streams_read() -> bytes:
    """Two coroutines at the two ends of a socket both read first."""
    return asyncio.run(talk(b""))


@fixes(both_streams_read)
def both_streams_read_fixed() -> bytes:
    """One of the two writes first."""
    return asyncio.run(talk(b"hello\n"))


# A loop and threads


def ask(loop: asyncio.AbstractEventLoop) -> int:
    return asyncio.run_coroutine_threadsafe(answer(), loop).result()


async def join_thread() -> str:
    worker = threading.Thread(target=ask, args=(asyncio.get_running_loop(),))
    worker.start()
    worker.join()
    return "done"


async def join_thread_aside() -> str:
    worker = threading.Thread(target=ask, args=(asyncio.get_running_loop(),))
    worker.start()
    await asyncio.get_running_loop().run_in_executor(None, worker.join)
    return "done"


@buggy(says=("Thread.join", "Future.result"))
def loop_joins_the_thread_that_asks_it() -> str:
    """The loop joins a thread which waits for the loop to run a coroutine."""
    return asyncio.run(join_thread())


@fixes(loop_joins_the_thread_that_asks_it)
def loop_joins_the_thread_that_asks_it_fixed() -> str:
    """Another thread joins the thread, and the loop runs on."""
    return asyncio.run(join_thread_aside())


async def block_on_result() -> int:
    with ThreadPoolExecutor() as executor:
        return executor.submit(ask, asyncio.get_running_loop()).result()


async def await_result() -> int:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor() as executor:
        return await loop.run_in_executor(executor, ask, loop)


@buggy(says=("Future.result",))
def loop_blocks_on_the_thread_that_asks_it() -> int:
    """The loop waits for the result of a thread which waits for the loop to run a coroutine."""
    return asyncio.run(block_on_result())


@fixes(loop_blocks_on_the_thread_that_asks_it)
def loop_blocks_on_the_thread_that_asks_it_fixed() -> int:
    """The loop awaits the result of the thread, and runs on."""
    return asyncio.run(await_result())


def run_for_ever(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def ask_a_loop_in_a_thread(started: bool) -> int:
    loop = asyncio.new_event_loop()
    worker = threading.Thread(target=run_for_ever, args=(loop,))
    if started:
        worker.start()
    result = ask(loop)
    loop.call_soon_threadsafe(loop.stop)
    worker.join()
    return result


@buggy(says=("Future.result",))
def loop_never_started() -> int:
    """The main thread waits for a coroutine of a loop that nobody runs."""
    return ask_a_loop_in_a_thread(started=False)


@fixes(loop_never_started)
def loop_never_started_fixed() -> int:
    """A thread runs the loop."""
    return ask_a_loop_in_a_thread(started=True)
