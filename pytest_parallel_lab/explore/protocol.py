"""What the threads of an explored run and their controller say to each other.

A thread sends one message and waits for an answer of one byte; "patient", "away", "over" and
"result" are not answered. While a thread waits it may be asked, any number of times, whether it could go on.
"""

from __future__ import annotations

import marshal
import socket
import struct
from typing import Any, NamedTuple

Site = tuple[str, int, str]  # path, line, function

GO = b"G"  # it is your turn
ALONE = b"L"  # and nobody else could have one, until you start or release something
TIMED_OUT = b"T"  # your turn, but what you waited for did not come in time
FREE = b"F"  # go on, and never ask again
READY = b"R"  # could you go on? Answer with YES or NO
YES, NO = b"\1", b"\0"

SYNCHRONISATION, OPCODE, MINOR = range(3)  # kinds of points, the most telling ones first

_LENGTH = struct.Struct("!I")


class Message(NamedTuple):
    """What a thread says.

    Attributes:
        kind: "hello", "point", "patient", "away", "over" or "result".
        op: what it is about to do, in words.
        key: what it waits for: "" for nothing, else it goes on only when it says that it is ready.
        site: where in the user's code.
        tier: SYNCHRONISATION, OPCODE or MINOR.
        ready: whether it could go on now; None where only a try will tell.
        wait_s: the time limit of its wait; below 0 where there is none, as for a point.
        sleeps: whether it would rather let others go first, as in a sleep.
        place: which instruction of its code: a line may have several.
        events: what it did since its last message: (kind, thing, site, name).
        body: anything else: of a "hello" its label, pid and tid; of a "result" its bytes.
    """

    kind: str
    op: str = ""
    key: str = ""
    site: Site | None = None
    tier: int = SYNCHRONISATION
    ready: bool | None = True
    wait_s: float = -1.0
    sleeps: bool = False
    place: int = 0
    events: tuple[tuple[str, str, Site | None, str], ...] = ()
    body: Any = None


def send(sock: socket.socket, message: Message) -> None:
    """Send one message."""
    data = marshal.dumps(tuple(message))
    sock.sendall(_LENGTH.pack(len(data)) + data)


def receive(sock: socket.socket) -> Message | None:
    """Receive one message; None where the other end is gone."""
    head = _exactly(sock, _LENGTH.size)
    data = _exactly(sock, _LENGTH.unpack(head)[0]) if head else b""
    return Message(*marshal.loads(data)) if data else None


def _exactly(sock: socket.socket, size_bytes: int) -> bytes:
    pieces = b""
    while len(pieces) < size_bytes:
        try:
            piece = sock.recv(size_bytes - len(pieces))
        except ConnectionResetError:
            return b""
        if not piece:
            return b""
        pieces += piece
    return pieces
