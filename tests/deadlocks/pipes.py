"""Pipes between processes, and those of a process to itself."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from tests.deadlocks.corpus import FORK, buggy, fixes, run_all
from tests.deadlocks.queues import BIG


def exchange(end: Connection, message: bytes, listen_first: bool) -> None:
    if listen_first:
        end.recv()
        end.send(message)
    else:
        end.send(message)
        end.recv()


def talk(message: bytes, listens: tuple[bool, bool]) -> str:
    pairs = zip(FORK.Pipe(), listens)
    return run_all(*(FORK.Process(target=exchange, args=(end, message, first)) for end, first in pairs))


@buggy(says=("Connection.recv",))
def both_listen() -> str:
    """The processes at the two ends of a pipe both listen first."""
    return talk(b"hello", listens=(True, True))


@fixes(both_listen)
def both_listen_fixed() -> str:
    """One of the two speaks first."""
    return talk(b"hello", listens=(True, False))


@buggy(says=("Connection.send",))
def both_send() -> str:
    """The processes at the two ends of a pipe both send more than it holds."""
    return talk(BIG, listens=(False, False))


@fixes(both_send)
def both_send_fixed() -> str:
    """One of the two listens first."""
    return talk(BIG, listens=(False, True))


def read_to_the_end(reader: Connection) -> None:
    with suppress(EOFError):
        while True:
            reader.recv()


def close_and_read_to_the_end(reader: Connection, writer: Connection) -> None:
    writer.close()
    read_to_the_end(reader)


@buggy(says=("Connection.recv", "Process.join"))
def reader_that_inherited_the_writer() -> str:
    """The child reads to the end of a pipe whose writing end it has itself inherited."""
    reader, writer = FORK.Pipe(duplex=False)
    child = FORK.Process(target=read_to_the_end, args=(reader,))
    child.start()
    writer.close()
    child.join()
    return "done"


@fixes(reader_that_inherited_the_writer)
def reader_that_inherited_the_writer_fixed() -> str:
    """The child closes the writing end before it reads."""
    reader, writer = FORK.Pipe(duplex=False)
    child = FORK.Process(target=close_and_read_to_the_end, args=(reader, writer))
    child.start()
    writer.close()
    child.join()
    return "done"


@buggy(says=("os.read",))
def end_of_the_own_pipe() -> bytes:
    """A process waits for the end of a pipe which only it could write to."""
    reader, writer = os.pipe()
    os.write(writer, b"all")
    return os.read(reader, 10) + os.read(reader, 10)


@fixes(end_of_the_own_pipe)
def end_of_the_own_pipe_fixed() -> bytes:
    """The process closes the writing end first."""
    reader, writer = os.pipe()
    os.write(writer, b"all")
    os.close(writer)
    return os.read(reader, 10) + os.read(reader, 10)


@buggy(says=("os.write",))
def full_pipe() -> int:
    """A process writes more into its own pipe than the pipe holds, before it reads."""
    reader, writer = os.pipe()
    write_all(writer, BIG)
    return len(os.read(reader, 10))


@fixes(full_pipe)
def full_pipe_fixed() -> int:
    """A thread writes while the process reads."""
    reader, writer = os.pipe()
    pump = threading.Thread(target=write_all, args=(writer, BIG))
    pump.start()
    missing = len(BIG)
    while missing:
        missing -= len(os.read(reader, missing))
    pump.join()
    return missing


def write_all(writer: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(writer, rest) :]
