"""Exchanges of messages that are timed where they happen: what runs on the workers of each backend.

All of them have the same arguments and give the same: samples of seconds, by the message's size in bytes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from multiprocessing.pool import Pool
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.implementation import implementation

if TYPE_CHECKING:
    from mpi4py import MPI

Samples = dict[int, list[float]]
"""Seconds, by size in bytes; one sample for each round."""
Repeats = Mapping[int, int]
"""How many exchanges of a size make one sample: all sizes that there are."""

SEED = 1


def in_turn(repeats: Repeats, rounds: int) -> Iterator[int]:
    """All sizes in every round, in random order, so that drift hits all alike; the same order on every rank."""
    order = random.Random(SEED)
    for _ in range(rounds):
        yield from order.sample(sorted(repeats), len(repeats))


def sample(repeats: Repeats, rounds: int, timed: Callable[[bytes, int], float]) -> Samples:
    """Time every size in every round, after each was tried once.

    Args:
        repeats: the sizes, and how often.
        rounds: samples of each size.
        timed: given a message and how often, gives the seconds of one exchange.
    """
    messages = {size: bytes(size) for size in repeats}
    for message in messages.values():
        timed(message, 1)
    found: Samples = {size: [] for size in repeats}
    for size in in_turn(repeats, rounds):
        found[size].append(timed(messages[size], repeats[size]))
    return found


def echo(message: bytes) -> bytes:
    """Give a message back."""
    return message


def swallow(message: bytes) -> None:
    """Take a message."""


@implementation("mpi")
def mpi_messages(comm: MPI.Intracomm, repeats: Repeats, rounds: int) -> Samples:
    """Ping-pong of ranks 0 and 1 with Send and Recv: seconds of one way."""

    def timed(message: bytes, times: int) -> float:
        buffer = bytearray(message)
        comm.Barrier()
        began_s = time.perf_counter()
        for _ in range(times):
            if comm.rank == 0:
                comm.Send(buffer, 1)
                comm.Recv(buffer, 1)
            elif comm.rank == 1:
                comm.Recv(buffer, 0)
                comm.Send(buffer, 0)
        return (time.perf_counter() - began_s) / (2 * times)

    return sample(repeats, rounds, timed)


@implementation("mpi")
def mpi_broadcasts(comm: MPI.Intracomm, repeats: Repeats, rounds: int) -> Samples:
    """Bcast from each rank in turn: seconds of one, none of which can begin before the one before has arrived."""

    def timed(message: bytes, times: int) -> float:
        buffer = bytearray(message)
        comm.Barrier()
        began_s = time.perf_counter()
        for turn in range(times):
            comm.Bcast(buffer, turn % comm.size)
        last_s = comm.allreduce(time.perf_counter() - began_s, max_of(comm))
        return float(last_s) / times

    return sample(repeats, rounds, timed)


@implementation("mpi")
def mpi_requests(comm: MPI.Intracomm, repeats: Repeats, rounds: int) -> Samples:
    """Requests that wait for the master, each answered with a message: seconds of the master for one.

    A task's message is sent and its result received; both are pickled, as idle workers' requests mostly are.
    """

    def timed(message: bytes, times: int) -> float:
        if comm.rank == 1:
            asked = [comm.isend(None, 0) for _ in range(times)]
            answers = [comm.irecv(len(message) + 1024, 0) for _ in range(times)]
            comm.Barrier()  # all requests are on their way: the master need not wait for any
            for request in (*asked, *answers):
                request.wait()
            return 0.0
        comm.Barrier()
        began_s = time.perf_counter()
        if comm.rank == 0:
            for _ in range(times):
                comm.recv(source=1)
                comm.send(message, 1)
        return (time.perf_counter() - began_s) / times

    return sample(repeats, rounds, timed)


def max_of(comm: MPI.Intracomm) -> MPI.Op:
    """The operation that finds the largest of all ranks' values."""
    from mpi4py import MPI

    return MPI.MAX


@implementation("processes")
def pool_messages(pool: Pool, repeats: Repeats, rounds: int) -> Samples:
    """A task that gives its message back: half of the seconds that it takes there and back."""
    return sample(repeats, rounds, lambda message, times: there_and_back(lambda: pool.apply(echo, (message,)), times))


@implementation("processes")
def pool_broadcasts(pool: Pool, repeats: Repeats, rounds: int, *, workers: int) -> Samples:
    """A task with the same message for every worker."""

    def to_all(message: bytes) -> object:
        return pool.map(swallow, [message] * workers, chunksize=1)

    return sample(repeats, rounds, lambda message, times: elapsed(lambda: to_all(message), times))


@implementation("processes")
def pool_requests(pool: Pool, repeats: Repeats, rounds: int) -> Samples:
    """Tasks that do nothing with their message: processor seconds of the master for one."""

    def many(message: bytes, times: int) -> None:
        for _ in pool.imap_unordered(swallow, [message] * times):
            pass

    return sample(repeats, rounds, lambda message, times: processor_time(many, message, times))


@implementation("executor")
def executor_messages(pool: Executor, repeats: Repeats, rounds: int) -> Samples:
    """As ``pool_messages``."""
    return sample(
        repeats, rounds, lambda message, times: there_and_back(lambda: pool.submit(echo, message).result(), times)
    )


@implementation("executor")
def executor_broadcasts(pool: Executor, repeats: Repeats, rounds: int, *, workers: int) -> Samples:
    """As ``pool_broadcasts``."""

    def to_all(message: bytes) -> object:
        return [*pool.map(swallow, [message] * workers)]

    return sample(repeats, rounds, lambda message, times: elapsed(lambda: to_all(message), times))


@implementation("executor")
def executor_requests(pool: Executor, repeats: Repeats, rounds: int) -> Samples:
    """As ``pool_requests``."""

    def many(message: bytes, times: int) -> None:
        for _ in pool.map(swallow, [message] * times):
            pass

    return sample(repeats, rounds, lambda message, times: processor_time(many, message, times))


@implementation("ipyparallel")
def view_messages(view: Any, repeats: Repeats, rounds: int) -> Samples:
    """As ``pool_messages``, with the engine of lowest number."""
    engine = view.client[view.targets[0]]
    return sample(
        repeats, rounds, lambda message, times: there_and_back(lambda: engine.apply_sync(echo, message), times)
    )


@implementation("ipyparallel")
def view_broadcasts(view: Any, repeats: Repeats, rounds: int) -> Samples:
    """A push to all engines."""

    def to_all(message: bytes) -> object:
        return view.push({"message": message}, block=True)

    return sample(repeats, rounds, lambda message, times: elapsed(lambda: to_all(message), times))


@implementation("ipyparallel")
def view_requests(view: Any, repeats: Repeats, rounds: int) -> Samples:
    """As ``pool_requests``, through the scheduler, whose own time on another core is not in it."""
    balanced = view.client.load_balanced_view(targets=view.targets)

    def many(message: bytes, times: int) -> None:
        balanced.map_sync(swallow, [message] * times, chunksize=1)

    return sample(repeats, rounds, lambda message, times: processor_time(many, message, times))


def elapsed(exchange: Callable[[], object], times: int) -> float:
    """Seconds of one exchange."""
    began_s = time.perf_counter()
    for _ in range(times):
        exchange()
    return (time.perf_counter() - began_s) / times


def there_and_back(exchange: Callable[[], object], times: int) -> float:
    """Seconds of one way."""
    return elapsed(exchange, times) / 2


def processor_time(many: Callable[[bytes, int], None], message: bytes, times: int) -> float:
    """Processor seconds of this process, all of its threads, for one of many tasks.

    A pool's master is threads that share the interpreter's lock: what they compute together is what one task costs
    it, and unlike elapsed time it has no waiting for workers in it.
    """
    began_s = time.process_time()
    many(message, times)
    return (time.process_time() - began_s) / times


EXCHANGES: dict[str, tuple[Callable[..., Samples], Callable[..., Samples], Callable[..., Samples]]] = {
    "threads": (executor_messages, executor_broadcasts, executor_requests),
    "processes": (pool_messages, pool_broadcasts, pool_requests),
    "executor": (executor_messages, executor_broadcasts, executor_requests),
    "ipyparallel": (view_messages, view_broadcasts, view_requests),
    "mpi": (mpi_messages, mpi_broadcasts, mpi_requests),
}
"""By backend: what measures messages, broadcasts and requests."""


def repeats_of(sizes: Sequence[int], most: int = 20) -> dict[int, int]:
    """How many exchanges of each size make a sample: fewer of those that take long anyway."""
    return {size: max(1, min(most, most * 16384 // max(size, 1))) for size in sizes}
