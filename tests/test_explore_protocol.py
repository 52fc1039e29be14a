"""Messages between the threads of an explored run and their controller."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from pytest_parallel_lab.explore import protocol
from pytest_parallel_lab.explore.protocol import Message, receive, send

Ends = tuple[socket.socket, socket.socket]
SITE = ("/home/ada/bank.py", 12, "deposit")
MESSAGES = {
    "bare": Message("patient"),
    "hello": Message("hello", body=("main.p1.t2", 4711, 4712)),
    "point": Message("point", "acquires Lock", "lock 3", SITE, protocol.OPCODE, False, 2.5, True),
    "retry": Message("point", ready=None),
    "events": Message("over", events=(("writes", "balance", SITE, "the balance"), ("changed", "done", None, ""))),
    "result": Message("result", body=b"\0\1\xff"),
    "text": Message("away", "wartet auf Müller \N{SNOWMAN}"),
}


@pytest.fixture
def ends() -> Iterator[Ends]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_arrives_as_it_was_sent(ends: Ends, name: str) -> None:
    send(ends[0], MESSAGES[name])
    received = receive(ends[1])
    assert received == MESSAGES[name]
    assert isinstance(received, Message)


def test_messages_arrive_one_by_one(ends: Ends) -> None:
    for message in MESSAGES.values():
        send(ends[0], message)
    assert [receive(ends[1]) for _ in MESSAGES] == list(MESSAGES.values())


def test_a_message_may_be_larger_than_what_a_socket_holds(ends: Ends) -> None:
    large = Message("result", body=bytes(range(256)) * 20_000)
    sender = threading.Thread(target=send, args=(ends[0], large))
    sender.start()
    received = receive(ends[1])
    sender.join()
    assert received == large


def test_a_message_may_arrive_in_pieces(ends: Ends) -> None:
    send(ends[0], MESSAGES["point"])
    data = ends[1].recv(4096)

    def send_pieces() -> None:
        for i in range(len(data)):
            ends[0].sendall(data[i : i + 1])

    sender = threading.Thread(target=send_pieces)
    sender.start()
    received = receive(ends[1])
    sender.join()
    assert received == MESSAGES["point"]


@pytest.mark.parametrize("sent", [b"", b"\0\0", struct.pack("!I", 10), struct.pack("!I", 10) + b"abc"])
def test_an_end_that_is_gone_sends_nothing(ends: Ends, sent: bytes) -> None:
    ends[0].sendall(sent)
    ends[0].close()
    assert receive(ends[1]) is None


def test_an_end_that_is_gone_with_messages_unread_sends_nothing(ends: Ends) -> None:
    ends[1].sendall(b"never read")
    ends[0].close()
    assert receive(ends[1]) is None


def test_what_was_sent_before_the_end_arrives(ends: Ends) -> None:
    send(ends[0], Message("over"))
    ends[0].close()
    assert receive(ends[1]) == Message("over")
    assert receive(ends[1]) is None


def test_answers_are_single_bytes_that_differ() -> None:
    answers = {
        protocol.GO,
        protocol.ALONE,
        protocol.TIMED_OUT,
        protocol.FREE,
        protocol.READY,
        protocol.YES,
        protocol.NO,
    }
    assert {len(answer) for answer in answers} == {1}
    assert len(answers) == 7
