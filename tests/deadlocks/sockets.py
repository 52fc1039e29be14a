"""Sockets whose two ends are both in the program, and the connections of multiprocessing."""

from __future__ import annotations

import socket
from multiprocessing.connection import Client, Listener
from threading import Thread
from typing import Any

from tests.deadlocks.corpus import FORK, buggy, fixes, run_all

BIG = bytes(20_000_000)


def receive_all(end: socket.socket, size: int) -> int:
    while size > 0:
        size -= len(end.recv(1 << 16))
    return size


def listen_first(end: socket.socket, message: bytes) -> None:
    receive_all(end, len(message))
    end.sendall(message)


def speak_first(end: socket.socket, message: bytes) -> None:
    end.sendall(message)
    receive_all(end, len(message))


def talk(one: Any, other: Any, message: bytes) -> str:
    left, right = socket.socketpair()
    return run_all(
        FORK.Process(target=one, args=(left, message)),
        FORK.Process(target=other, args=(right, message)),
    )


@buggy(says=("socket.recv",))
def both_listen() -> str:
    """The processes at the two ends of a socket pair both listen first."""
    return talk(listen_first, listen_first, b"hello")


@fixes(both_listen)
def both_listen_fixed() -> str:
    """One of the two speaks first."""
    return talk(listen_first, speak_first, b"hello")


@buggy(says=("socket.sendall",))
def both_send() -> str:
    """The processes at the two ends of a socket pair both send more than it holds."""
    return talk(speak_first, speak_first, BIG)


@fixes(both_send)
def both_send_fixed() -> str:
    """One of the two listens first."""
    return talk(speak_first, listen_first, BIG)


def call(address: tuple[str, int], message: bytes, finish: bool) -> None:
    with socket.create_connection(address) as client:
        client.sendall(message)
        if finish:
            client.shutdown(socket.SHUT_WR)
        client.recv(100)


def serve(message: bytes, finish: bool) -> bytes:
    """Read the request to its end, then answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = FORK.Process(target=call, args=(server.getsockname(), message, finish))
        client.start()
        connection, _ = server.accept()
    request = bytearray()
    while part := connection.recv(100):
        request += part
    connection.sendall(b"answer")
    connection.close()
    client.join()
    return bytes(request)


@buggy(says=("socket.recv",))
def request_never_sent() -> bytes:
    """The server waits for a request and the client for an answer, over TCP."""
    return serve(b"", finish=False)


@fixes(request_never_sent)
def request_never_sent_fixed() -> bytes:
    """The client sends a request."""
    return serve(b"request", finish=True)


@buggy(says=("socket.recv",))
def request_without_an_end() -> bytes:
    """The client waits for the answer without having ended its request."""
    return serve(b"request", finish=False)


@fixes(request_without_an_end)
def request_without_an_end_fixed() -> bytes:
    """The client ends its request, then waits."""
    return serve(b"request", finish=True)


def answer_line(end: socket.socket) -> None:
    with end.makefile("rw") as stream:
        stream.write(stream.readline().upper())


def ask(question: str) -> str:
    left, right = socket.socketpair()
    server = Thread(target=answer_line, args=(right,))
    server.start()
    with left.makefile("rw") as stream:
        stream.write(question)
        stream.flush()
        answer = stream.readline()
    server.join()
    return answer


@buggy(says=("readline",))
def line_without_an_end() -> str:
    """The question lacks its newline, so the thread that answers reads on."""
    return ask("how are you?")


@fixes(line_without_an_end)
def line_without_an_end_fixed() -> str:
    """The question ends with a newline."""
    return ask("how are you?\n")


def dial(address: Any, speak: bool) -> None:
    with Client(address) as connection:
        if speak:
            connection.send("request")
        connection.recv()


def pick_up(speak: bool) -> Any:
    with Listener() as listener:
        client = FORK.Process(target=dial, args=(listener.address, speak))
        client.start()
        connection = listener.accept()
    with connection:
        request = connection.recv()
        connection.send("answer")
    client.join()
    return request


@buggy(says=("Connection.recv",))
def listener_and_client_listen() -> Any:
    """The listener and its client both wait for a message."""
    return pick_up(speak=False)


@fixes(listener_and_client_listen)
def listener_and_client_listen_fixed() -> Any:
    """The client sends its request."""
    return pick_up(speak=True)
