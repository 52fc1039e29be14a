"""Waiting for what workers report, and for no longer than makes sense once one has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any

from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.model.errors import CannotSend
from pytest_parallel_lab.model.outcome import Fate, Raised, Returned


def ready(waited_for: Sequence[Any], limit_s: float | None) -> list[Any]:
    """Wait until some of these, all with a ``fileno()``, can be read from; return those."""
    return wait(waited_for, limit_s)


def gather(
    channels: Sequence[Channel],
    note: Callable[[int, Message | None], float | None],
    *,
    done: Callable[[], bool] | None = None,
    limit_s: float | None = None,
) -> None:
    """Hand every message to ``note`` until all is told.

    Args:
        channels: where messages come from.
        note: called with the channel's index and the message, or None once that channel has
            closed. A number it returns is the seconds that the others get from now on.
        done: whether all is told; by default after one message from each channel.
        limit_s: seconds to wait at most; None waits for ever.
    """
    still_open = dict(enumerate(channels))
    heard: set[int] = set()
    deadline = None if limit_s is None else time.monotonic() + limit_s
    while still_open and not (done() if done else len(heard) == len(channels)):
        patience_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        readable = ready(list(still_open.values()), patience_s)
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


def read_returned(message: Message) -> Fate:
    """Read a ``returned`` message; a result that this process cannot rebuild counts as a raise."""
    assert message.parcel is not None
    try:
        return Returned(message.parcel.load(), message.body["elapsed_s"])
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
