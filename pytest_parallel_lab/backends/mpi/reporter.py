"""A thread in every rank that tells what the rank is doing while the main thread is inside MPI."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pytest_parallel_lab.backends.mpi.tracer import REPORTER
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed
from pytest_parallel_lab.model.mpi_waits import RankState


def report(channel: Channel, state: Callable[[], RankState]) -> None:
    """Answer questions on a channel, from a thread of its own, until the channel closes."""

    def answer() -> None:
        while True:
            try:
                channel.receive()
                channel.send("state", {"state": state()})
            except ChannelClosed:
                return
            except RuntimeError:  # a table grew while it was copied: they ask again
                channel.send("state", {"state": None})

    threading.Thread(target=answer, daemon=True, name=REPORTER).start()
