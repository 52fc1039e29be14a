"""Waiting for what workers report, and for no longer than makes sense once one has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any, Protocol

from pytest_parallel_lab.backends import limit as limits
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.model.errors import CannotSend
from pytest_parallel_lab.model.outcome import Fate, Raised, Returned


def ready(waited_for: Sequence[Any], limit_s: float | None) -> list[Any]:
    """Wait until some of these, all with a ``fileno()``, can be read from; return those."""
    return wait(waited_for, limit_s)


class Watch(Protocol):
    """Something that looks after a run which takes a while.

    Attributes:
        next_s: the moment of its next look, by ``time.monotonic``; None for no more.
        channel: where it is told something, once there is such a channel.
    """

    next_s: float | None
    channel: Channel | None

    def look(self) -> bool:
        """Look, or arrange to be told; whether all is over."""


def gather(
    channels: Sequence[Channel],
    note: Callable[[int, Message | None], float | None],
    *,
    done: Callable[[], bool] | None = None,
    limit_s: float | None = None,
    watch: Watch | None = None,
    heeds_limit: bool = True,
) -> None:
    """Hand every message to ``note`` until all is told.

    Args:
        channels: where messages come from.
        note: called with the channel's index and the message, or None once that channel has
            closed. A number it returns is the seconds that the others get from now on.
        done: whether all is told; by default after one message from each channel.
        limit_s: seconds to wait at most; None waits for ever.
        watch: looks when it is due; messages on its channel are noted under the next index.
        heeds_limit: whether a limit from outside ends this wait too; not where its report is being made.

    Raises:
        LimitPassed: the limit that something outside has set has passed.
    """
    still_open = dict(enumerate(channels))
    heard: set[int] = set()
    deadline = None if limit_s is None else time.monotonic() + limit_s
    limit = limits.current() if heeds_limit else None
    while still_open and not (done() if done else len(heard) == len(channels)):
        look_s = watch.next_s if watch is not None else None
        next_s = min((moment for moment in (deadline, look_s) if moment is not None), default=None)
        patience_s = None if next_s is None else max(0.0, next_s - time.monotonic())
        readable = ready([*still_open.values(), *([limit] if limit else [])], patience_s)
        if limit in readable:
            assert limit is not None
            raise limit.take()
        if watch is not None and look_s is not None and time.monotonic() >= look_s:
            if watch.look():
                return
            if watch.channel is not None:
                still_open[len(channels)] = watch.channel
            continue
        if not readable:
            return
        for index, channel in list(still_open.items()):
            if channel not in readable:
                continue
            message: Message | None
            try:
                message = channel.receive()
            except ChannelClosed:
                message = None
                del still_open[index]
            heard.add(index)
            grace_s = note(index, message)
            if grace_s is not None:
                soon = time.monotonic() + grace_s
                deadline = soon if deadline is None else min(deadline, soon)


def read_returned(message: Message, ahead_s: float = 0.0) -> Fate:
    """Read a ``returned`` message; a result that this process cannot rebuild counts as a raise.

    Args:
        message: as it came.
        ahead_s: what the sender's clock shows more than ours.
    """
    assert message.parcel is not None
    section = message.body.get("section")
    try:
        value = message.parcel.load()
        return Returned(value, message.body["elapsed_s"], section.later(-ahead_s) if section else None)
    except Exception as error:
        text = f"the result cannot be rebuilt here: {type(error).__name__}: {error}. Return plain data, such as arrays"
        return Raised("CannotSend", text, CannotSend(text))


def read_raised(message: Message) -> Raised:
    """Read a ``raised`` message; its exception where this process can rebuild it."""
    exception = None
    if message.parcel is not None:
        try:
            exception = message.parcel.load()
        except Exception:
            exception = None  # its class cannot be imported here: the text tells all
    return Raised(message.body["type_name"], message.body["traceback"], exception)
