"""Messages, parcels and shared memory."""

from __future__ import annotations

import gc
import os
import pickle
import socket
import threading
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import SharedArray
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message, Parcel
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.model.errors import CannotSend, ParallelError


def exchange(parcel: Parcel | None, family: int = socket.AF_UNIX, body: dict[str, Any] | None = None) -> Message:
    """Send one message through a socket pair and receive it."""
    if family == socket.AF_UNIX:
        a, b = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            a = socket.create_connection(server.getsockname())
            b, _ = server.accept()
    sender, receiver = Channel(a), Channel(b)
    thread = threading.Thread(target=sender.send, args=("kind", body, parcel))
    thread.start()
    message = receiver.receive()
    thread.join()
    sender.close()
    receiver.close()
    return message


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
@pytest.mark.parametrize("n", [0, 1, 600, 40_000, 200_000])
def test_arrays_arrive(n: int, family: int) -> None:
    sent = {"a": np.arange(n, dtype=float), "b": "text", "c": np.arange(n)[::-1]}
    message = exchange(Parcel.of(sent), family)
    assert message.parcel is not None
    got = message.parcel.load()
    np.testing.assert_array_equal(got["a"], sent["a"])
    np.testing.assert_array_equal(got["c"], sent["c"])
    assert got["b"] == "text"
    got["a"] += 1  # writable, and nobody else's
    np.testing.assert_array_equal(sent["a"], np.arange(n, dtype=float))


def test_large_buffers_are_written_once_for_any_number_of_workers() -> None:
    parcel = Parcel.of(np.zeros(1 << 17))
    assert parcel.segment() is parcel.segment()
    assert parcel.size_bytes == 1 << 20
    assert len(parcel.head) < 1000


def test_a_body_arrives() -> None:
    message = exchange(None, body={"x": 1})
    assert message == Message("kind", {"x": 1})


def test_shared_memory_goes_with_its_last_user() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        message = exchange(Parcel.of(np.zeros(1 << 17)))
        assert message.parcel is not None
        array = message.parcel.load()
        del message
        assert array.sum() == 0
        del array
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_end_is_told() -> None:
    a, b = socket.socketpair()
    b.close()
    with pytest.raises(ChannelClosed):
        Channel(a).receive()
    with pytest.raises(ChannelClosed, match="'kind'"):
        Channel(a).send("kind")
    a.close()


def double(shared: SharedArray) -> float:
    shared.array[...] *= 2
    return float(shared.array.sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_shared_array_is_one_array_in_all_processes(method: str) -> None:
    shared = SharedArray.of(np.ones((40, 50)))
    with get_context(method).Pool(1) as pool:
        assert pool.apply(double, (shared,)) == 4000
    assert shared.array.sum() == 4000


def test_sharing_what_is_shared_copies_nothing() -> None:
    shared = SharedArray.empty((100, 100))
    part = SharedArray.of(shared.array[10:20, ::2])
    part.array[...] = 5
    assert shared.array.sum() == 5 * 10 * 50
    again = pickle.loads(pickle.dumps(part))
    again.array[...] = 6
    assert shared.array.sum() == 6 * 10 * 50


def test_an_empty_array_can_be_shared() -> None:
    assert pickle.loads(pickle.dumps(SharedArray.of(np.zeros((0, 3))))).array.shape == (0, 3)


def test_a_shared_array_that_is_gone_is_told() -> None:
    shared = SharedArray.empty((10,))
    stale = pickle.dumps(shared)
    del shared
    gc.collect()
    with pytest.raises(ParallelError, match=f"the shared array of process {os.getpid()} is gone"):
        pickle.loads(stale)


def test_an_argument_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(
        CannotSend, match=r"argument 2 of double \(lock\) cannot be sent to a worker: .*Pass plain data"
    ):
        pack_call(double, (1, threading.Lock()), {})
    with pytest.raises(CannotSend, match=r"argument where= of double \(socket\)"), socket.socket() as where:
        pack_call(double, (), {"where": where})


def test_a_function_that_cannot_be_sent_is_named() -> None:
    lock = threading.Lock()

    def guarded() -> None:
        with lock:
            pass

    with pytest.raises(CannotSend, match="the function guarded cannot be sent to a worker"):
        pack_call(guarded, (), {})


def test_a_lambda_can_be_sent() -> None:
    function, args, kwargs = pack_call(lambda x: x + 1, (2,), {}).load()
    assert function(*args, **kwargs) == 3
