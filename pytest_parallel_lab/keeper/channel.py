"""Messages between pytest, keeper, runners and ranks over a connected stream socket.

A message is a kind, a small body of plain values, and at most one parcel: a pickled object whose
large buffers travel beside it (pickle protocol 5, PEP 574). Over a Unix socket they travel as one
segment of shared memory, written once however many workers it is sent to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_parallel_lab.keeper.memory import AVAILABLE, Segment

_HEADER = struct.Struct("!IQI?")  # bytes of the envelope, bytes of the pickle, buffers, shared?
_SIZE = struct.Struct("!Q")
_ALIGNMENT_BYTES = 64
SHARED_FROM_BYTES = 1 << 18
_OUT_OF_BAND_FROM_BYTES = 1 << 12
# What the kernel says when the other end, its host or the way there is gone.
_GONE = (errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)


class ChannelClosed(EOFError):
    """The other end is gone."""


class Parcel:
    """A pickled object whose large buffers are kept apart."""

    def __init__(self, head: bytes, buffers: Sequence[memoryview], segment: Segment | None = None) -> None:
        self.head = head
        self.buffers = buffers
        self._segment = segment

    @classmethod
    def of(cls, value: object, dumps: Callable[..., bytes] = pickle.dumps) -> Parcel:
        """Pickle a value, by any function with the signature of ``pickle.dumps``."""
        buffers: list[memoryview] = []

        def keep_apart(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < _OUT_OF_BAND_FROM_BYTES:
                return True
            buffers.append(raw)
            return False

        head = dumps(value, protocol=5, buffer_callback=keep_apart)
        return cls(head, buffers)

    def load(self) -> Any:
        """Unpickle the value; large arrays in it are views of the parcel's buffers."""
        return pickle.loads(self.head, buffers=self.buffers)

    @property
    def size_bytes(self) -> int:
        """Bytes of the buffers kept apart."""
        return sum(b.nbytes for b in self.buffers)

    def detach(self) -> None:
        """Copy the buffers, so that the memory of the pickled value may be freed."""
        if AVAILABLE and self.size_bytes >= SHARED_FROM_BYTES:
            segment = self.segment()
            offsets, _ = _layout([b.nbytes for b in self.buffers])
            self.buffers = [segment.view[o : o + b.nbytes] for o, b in zip(offsets, self.buffers)]
        else:
            self.buffers = [memoryview(bytes(b)) for b in self.buffers]

    def segment(self) -> Segment:
        """The buffers in shared memory; written at the first call."""
        if self._segment is None:
            offsets, size_bytes = _layout([b.nbytes for b in self.buffers])
            self._segment = Segment.create(size_bytes)
            for offset, buffer in zip(offsets, self.buffers):
                self._segment.view[offset : offset + buffer.nbytes] = buffer
        return self._segment


@dataclass(frozen=True)
class Message:
    """One message as received."""

    kind: str
    body: dict[str, Any] = field(default_factory=dict)
    parcel: Parcel | None = None


class Channel:
    """One end of a connected socket that carries messages. Sending is safe from several threads."""

    def __init__(self, sock: socket.socket, *, private: bool = False) -> None:
        """Take over a connected socket.

        Args:
            sock: a stream socket; it then belongs to the channel.
            private: writes into received buffers stay with this process.
        """
        self._sock = sock
        self._private = private
        self._shares = AVAILABLE and sock.family == socket.AF_UNIX
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """For select."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close this end. May be called twice."""
        self._sock.close()

    def send(
        self, kind: str, body: Mapping[str, Any] | None = None, parcel: Parcel | None = None, fd: int | None = None
    ) -> None:
        """Send one message.

        Args:
            kind: what the message is.
            body: plain values.
            parcel: a pickled object.
            fd: a descriptor to hand over (Unix sockets, without a parcel).

        Raises:
            ChannelClosed: the other end is gone.
        """
        envelope = pickle.dumps((kind, dict(body or {}), parcel is not None), protocol=5)
        head = parcel.head if parcel else b""
        buffers: Sequence[memoryview] = parcel.buffers if parcel else ()
        shared = self._shares and parcel is not None and parcel.size_bytes >= SHARED_FROM_BYTES
        sizes = b"".join(_SIZE.pack(b.nbytes) for b in buffers)
        lead = _HEADER.pack(len(envelope), len(head), len(buffers), shared)
        if shared:
            assert parcel is not None
            fd = parcel.segment().fd
        try:
            with self._sending:
                if fd is None:
                    self._sock.sendall(lead + envelope + head + sizes)
                else:
                    sent = socket.send_fds(self._sock, [lead], [fd])
                    self._sock.sendall(lead[sent:] + envelope + head + sizes)
                if not shared:
                    for buffer in buffers:
                        self._sock.sendall(buffer)
        except OSError as error:
            _raise_unless_gone(error)
            raise ChannelClosed(f"the other end closed while {kind!r} was sent") from error

    def receive(self) -> Message:
        """Wait for one message.

        A descriptor handed over arrives as ``body["fd"]``.

        Raises:
            ChannelClosed: the other end is gone.
        """
        lead, fds = self._receive_lead()
        envelope_bytes, head_bytes, n_buffers, shared = _HEADER.unpack(lead)
        kind, body, has_parcel = pickle.loads(self._receive_exactly(envelope_bytes))
        if not has_parcel:
            if fds:
                body["fd"] = fds[0]
            return Message(kind, body)
        head = self._receive_exactly(head_bytes)
        sizes = [_SIZE.unpack(self._receive_exactly(_SIZE.size))[0] for _ in range(n_buffers)]
        if not shared:
            inline = [memoryview(self._receive_exactly(size)) for size in sizes]
            return Message(kind, body, Parcel(bytes(head), inline))
        offsets, size_bytes = _layout(sizes)
        segment = Segment(fds[0], size_bytes, private=self._private)
        buffers = [segment.view[offset : offset + size] for offset, size in zip(offsets, sizes)]
        return Message(kind, body, Parcel(bytes(head), buffers, segment))

    def _receive_lead(self) -> tuple[bytes, list[int]]:
        fds: list[int] = []
        lead = b""
        while len(lead) < _HEADER.size:
            try:
                if self._shares:
                    flags = socket.MSG_CMSG_CLOEXEC
                    piece, found, _, _ = socket.recv_fds(self._sock, _HEADER.size - len(lead), 1, flags)
                    fds += found
                else:
                    piece = self._sock.recv(_HEADER.size - len(lead))
            except OSError as error:
                _raise_unless_gone(error)
                piece = b""
            if not piece:
                raise ChannelClosed("the other end closed")
            lead += piece
        return lead, fds

    def _receive_exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        done = 0
        while done < size:
            try:
                n = self._sock.recv_into(view[done:])
            except OSError as error:
                _raise_unless_gone(error)
                n = 0
            if not n:
                raise ChannelClosed("the other end closed in the middle of a message")
            done += n
        return data

    # The interface of multiprocessing.connection.Connection that its authentication uses.
    def send_bytes(self, data: bytes) -> None:
        """Send raw bytes, for ``multiprocessing.connection.deliver_challenge``."""
        self._sock.sendall(_SIZE.pack(len(data)) + data)

    def recv_bytes(self, maxlength: int = 256) -> bytes:
        """Receive raw bytes, for ``multiprocessing.connection.answer_challenge``."""
        (size,) = _SIZE.unpack(self._receive_exactly(_SIZE.size))
        if size > maxlength:
            raise OSError(f"a message of {size} bytes where at most {maxlength} were expected")
        return bytes(self._receive_exactly(size))


def _raise_unless_gone(error: OSError) -> None:
    if error.errno not in _GONE:
        raise error


def pair() -> tuple[Channel, socket.socket]:
    """Make a connected pair: a channel for this process, and the socket to hand to another."""
    mine, other = socket.socketpair()
    return Channel(mine), other


def close_quietly(fd: int) -> None:
    """Close a descriptor that may be closed already."""
    with contextlib.suppress(OSError):
        os.close(fd)


def _layout(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Aligned offsets of buffers in a segment, and its size."""
    offsets = []
    end = 0
    for size in sizes:
        offsets.append(end)
        end += -(-size // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    return offsets, max(end, 1)
