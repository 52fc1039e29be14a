"""``Pipe``: one sender and one receiver. It ends when the last one who could send has closed its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection

from cases.processes.fork_join import join_all
from reference.processes import shares, square


def pipe_results(numbers: Sequence[int], workers: int) -> list[int]:
    """Read a pipe for each worker to its end; the parent closes the ends that it does not send to."""
    return _collect(numbers, workers, close_unused=True)


def pipe_without_end(numbers: Sequence[int], workers: int) -> list[int]:
    """Read each pipe to its end. Wrong: the parent holds the other end too, so it waits for itself."""
    return _collect(numbers, workers, close_unused=False)


def _collect(numbers: Sequence[int], workers: int, *, close_unused: bool) -> list[int]:
    found = [0] * len(numbers)
    processes = []
    receivers = []
    unused = []
    for share in shares(numbers, workers):
        receiver, sender = Pipe(duplex=False)
        process = Process(target=_send_squares, args=(sender, share))
        process.start()
        if close_unused:
            sender.close()  # before the next fork, which would hand it on
        unused.append(sender)  # a reference: an end that nobody refers to is closed by itself
        processes.append(process)
        receivers.append(receiver)
    for worker, receiver in enumerate(receivers):
        found[worker::workers] = _read_to_the_end(receiver)
    join_all(processes)
    return found


def _send_squares(sender: Connection, numbers: Sequence[int]) -> None:
    with sender:
        for number in numbers:
            sender.send(square(number))


def _read_to_the_end(receiver: Connection) -> Iterator[int]:
    with receiver:
        while True:
            try:
                yield receiver.recv()
            except EOFError:
                return
