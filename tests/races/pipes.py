"""Pipes and queues with several ends: messages in parts, and whose turn it is to stop."""

from __future__ import annotations

from typing import Any

from tests.races.corpus import FORK, buggy, fixes, run_all, together


def send_in_parts(sender: Any, name: str, number: int) -> None:
    sender.send(name)
    sender.send(number)


def send_in_parts_locked(lock: Any, sender: Any, name: str, number: int) -> None:
    with lock:
        send_in_parts(sender, name, number)


def receive_from_two(function: Any, *lock: Any) -> list[tuple[str, str]]:
    receiver, sender = FORK.Pipe(duplex=False)
    workers = [FORK.Process(target=function, args=(*lock, sender, name, n)) for n, name in enumerate(("ann", "bob"))]
    run_all(*workers)
    messages = [(str(receiver.recv()), str(receiver.recv())) for _ in workers]
    receiver.close()
    sender.close()
    return sorted(messages)


@buggy("Race")
def message_in_two_parts() -> list[tuple[str, str]]:
    """The parts of two messages are mixed in the pipe."""
    return receive_from_two(send_in_parts)


@fixes(message_in_two_parts)
def message_in_two_parts_fixed() -> list[tuple[str, str]]:
    """Both parts are sent with a lock held."""
    return receive_from_two(send_in_parts_locked, FORK.Lock())


def receive_pair(receiver: Any, pairs: Any) -> None:
    name = receiver.recv()
    number = receiver.recv()
    pairs.put((name, number))


def receive_pair_locked(lock: Any, receiver: Any, pairs: Any) -> None:
    with lock:
        name = receiver.recv()
        number = receiver.recv()
    pairs.put((name, number))


def send_to_two(function: Any, *lock: Any) -> list[tuple[Any, Any]]:
    receiver, sender = FORK.Pipe(duplex=False)
    pairs: Any = FORK.SimpleQueue()
    for part in ("ann", 1, "bob", 2):
        sender.send(part)
    together(FORK.Process, function, (*lock, receiver, pairs), (*lock, receiver, pairs))
    got = [pairs.get() for _ in range(2)]
    receiver.close()
    sender.close()
    pairs.close()
    return sorted(got, key=str)


@buggy("Race")
def message_shared_by_readers() -> list[tuple[Any, Any]]:
    """Each of two readers may receive one part of either message."""
    return send_to_two(receive_pair)


@fixes(message_shared_by_readers)
def message_shared_by_readers_fixed() -> list[tuple[Any, Any]]:
    """A reader receives both parts with a lock held."""
    return send_to_two(receive_pair_locked, FORK.Lock())


def receive_if_ready(receiver: Any, got: Any) -> None:
    if receiver.poll():
        got.put(receiver.recv())
    else:
        got.put(None)


def receive_if_ready_locked(lock: Any, receiver: Any, got: Any) -> None:
    with lock:
        receive_if_ready(receiver, got)


def one_message_for_two(function: Any, *lock: Any) -> int:
    receiver, sender = FORK.Pipe(duplex=False)
    got: Any = FORK.SimpleQueue()
    sender.send("message")
    together(FORK.Process, function, (*lock, receiver, got), (*lock, receiver, got))
    messages = [got.get() for _ in range(2)]
    receiver.close()
    sender.close()
    got.close()
    return messages.count("message")


@buggy("Deadlock")
def poll_then_receive() -> int:
    """Both readers learn that there is a message, which only one of them will receive."""
    return one_message_for_two(receive_if_ready)


@fixes(poll_then_receive)
def poll_then_receive_fixed() -> int:
    """A reader asks and receives with a lock held."""
    return one_message_for_two(receive_if_ready_locked, FORK.Lock())


def produce(items: Any, first: int) -> None:
    for item in (first, first + 1):
        items.put(item)
    items.put(None)


def collect(ends: int) -> list[int]:
    items: Any = FORK.SimpleQueue()
    producers = [FORK.Process(target=produce, args=(items, first)) for first in (10, 20)]
    for producer in producers:
        producer.start()
    got = []
    while ends:
        item = items.get()
        if item is None:
            ends -= 1
        else:
            got.append(int(item))
    for producer in producers:
        producer.join()
    items.close()
    return sorted(got)


@buggy("Race")
def stopped_by_the_first_of_two() -> list[int]:
    """The consumer stops when the first of two producers has finished."""
    return collect(ends=1)


@fixes(stopped_by_the_first_of_two)
def stopped_by_the_first_of_two_fixed() -> list[int]:
    """The consumer stops when both producers have finished."""
    return collect(ends=2)


def add_in_turns(connection: Any, rounds: int) -> None:
    for _ in range(rounds):
        connection.send(connection.recv() + 1)


def ask(connection: Any, lock: Any, answers: Any, question: int) -> None:
    connection.send(question)
    answers[question] = connection.recv()


def ask_locked(connection: Any, lock: Any, answers: Any, question: int) -> None:
    with lock:
        ask(connection, lock, answers, question)


def asked_by_two(function: Any) -> list[int]:
    here, there = FORK.Pipe()
    answers: Any = FORK.Array("i", 2)
    lock = FORK.Lock()
    server = FORK.Process(target=add_in_turns, args=(there, 2))
    askers = [FORK.Process(target=function, args=(here, lock, answers, question)) for question in range(2)]
    run_all(server, *askers)
    here.close()
    there.close()
    return list(answers)


@buggy("Race")
def answer_to_somebody_else() -> list[int]:
    """Two processes ask over one connection and may each get the answer to the other's question."""
    return asked_by_two(ask)


@fixes(answer_to_somebody_else)
def answer_to_somebody_else_fixed() -> list[int]:
    """A process asks and waits for the answer with a lock held."""
    return asked_by_two(ask_locked)
