"""A warm rank: waits on a socket of its own, so that it uses no processor and reports for itself."""

from __future__ import annotations

import functools
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.backends.mpi.deputy import Away, guard_away
from pytest_parallel_lab.backends.mpi.guard import guard
from pytest_parallel_lab.backends.mpi.post import connect_back, forget_key
from pytest_parallel_lab.backends.mpi.reporter import report
from pytest_parallel_lab.backends.mpi.tracer import Tracer
from pytest_parallel_lab.backends.mpi.tracing import Tracing
from pytest_parallel_lab.keeper import output
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.keeper.host import Facts, bind_workers, call_packed, execute, load_call, report_raised
from pytest_parallel_lab.keeper.shipping import pack_value
from pytest_parallel_lab.model.timeline import COMPUTE, Section


class Rank:
    """One rank of a group; gives every test a fresh communicator."""

    def __init__(self, channel: Channel, reporter: Channel, away: Away | None = None) -> None:
        from mpi4py import MPI

        self._channel = channel
        self._away = away
        self._world = MPI.COMM_WORLD
        self._tracer = Tracer(MPI.COMM_WORLD.rank)
        self._tracing = Tracing(MPI, self._tracer)
        self._facts = Facts()
        self._mpi = MPI
        self._control = MPI.COMM_WORLD.Dup()  # ours alone: never dirty
        self._use(MPI.COMM_WORLD.Dup())
        channel.send(
            "rank",
            {
                "rank": MPI.COMM_WORLD.rank,
                "size": MPI.COMM_WORLD.size,
                "pid": os.getpid(),
                "name": away.name if away else str(os.getpid()),
                "host": socket.gethostname(),
                "library": " ".join(MPI.Get_library_version().splitlines()[0].strip("\0").split()),
            },
        )
        reporter.send("reporter", {"rank": MPI.COMM_WORLD.rank})
        report(reporter, self._tracer.state)
        self._tracing.install()

    def _use(self, comm: Any) -> None:
        """Take a fresh communicator for the next test."""
        self._comm = comm
        self._traced = self._tracing.communicator(comm, "comm")

    def serve(self) -> None:
        """Serve messages until the channel closes, then leave MPI with all others."""
        while True:
            try:
                message = self._channel.receive()
            except ChannelClosed:
                break
            getattr(self, f"_on_{message.kind}")(message)
            del message
            sys.stdout.flush()
        self._mpi.Finalize()

    def _on_open(self, message: Message) -> None:
        output.capture(self._away.directory if self._away else message.body["directory"])
        sys.path[:] = message.body["sys_path"]
        self._channel.send("opened")

    def _on_run(self, message: Message) -> None:
        def load() -> Callable[[], Any]:
            os.chdir(message.body["cwd"])
            assert message.parcel is not None
            function, args, kwargs = load_call(message.parcel)
            kwargs = bind_workers(function, kwargs, self._comm.size)
            comm = self._comm if message.body["timed"] else self._traced
            return functools.partial(function, comm, *args, **kwargs)

        strict = message.body["strict"]
        self._tracer.synchronous_sends = "sends" in strict
        self._tracer.synchronised_collectives = "collectives" in strict
        self._tracer.on = not message.body["timed"]
        self._tracer.reset()
        self._tracer.spans = [] if message.body["spans"] else None
        execute(
            self._channel,
            load,
            facts=self._facts,
            start_together=self._control.Barrier,
            announce=message.body["announce"],
            section=self._section,
        )
        self._tracer.finished = True
        self._tracer.on = self._tracer.synchronous_sends = self._tracer.synchronised_collectives = False

    def _section(self, start_s: float, end_s: float) -> Section | None:
        """When this rank was inside MPI; else it computed."""
        spans = self._tracer.spans
        return None if spans is None else Section(self._comm.size, start_s, end_s, tuple(spans), gaps=COMPUTE)

    def _on_task(self, message: Message) -> None:
        body = {"id": message.body["id"]}
        assert message.parcel is not None
        try:
            value = call_packed(message.parcel.head, message.parcel.buffers)
            self._channel.send("task_returned", body, pack_value(value))
        except BaseException as error:
            report_raised(self._channel, error, "task_raised", body)

    def _on_clean(self, message: Message) -> None:
        if self._traced == self._mpi.COMM_NULL:  # the test has freed it: it is the same handle
            self._comm = self._traced
        found, clean = self._left_over(message.body["token"])
        if clean:
            if self._comm != self._mpi.COMM_NULL:
                self._comm.Free()
            self._use(self._control.Dup())
        self._channel.send("cleaned", {"problem": found, "clean": clean})

    def _left_over(self, token: bytes) -> tuple[str | None, bool]:
        """Find what a test left in flight: messages by a probe, collectives by a sentinel.

        A fresh Dup alone is not enough: MPICH reuses the context of a freed communicator, and
        hands what was left in it to the next one.

        Returns:
            What this rank found, and whether all is clean as far as it knows.
        """
        self._control.Barrier()  # what was sent before it has arrived by now
        used = [("the test's communicator", self._comm), ("MPI.COMM_WORLD", self._world)]
        used = [(name, comm) for name, comm in used if comm != self._mpi.COMM_NULL]
        found = next((text for name, comm in used if (text := self._pending(name, comm))), None)
        dirty = bytearray([found is not None])
        self._control.Allreduce(self._mpi.IN_PLACE, dirty, self._mpi.BOR)
        if dirty[0]:
            return found, False
        found = next((text for name, comm in used if (text := self._stale(name, comm, token))), None)
        return found, found is None

    def _pending(self, name: str, comm: Any) -> str | None:
        status = self._mpi.Status()
        if not comm.Iprobe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG, status):
            return None
        return (
            f"a message on {name} that nobody received: from rank {status.source} to rank {comm.rank}, "
            f"tag {status.tag}, {status.Get_count(self._mpi.BYTE)} bytes"
        )

    def _stale(self, name: str, comm: Any, token: bytes) -> str | None:
        """Broadcast from every rank, and gather, a value that no earlier call can have sent."""
        problem = (
            f"a collective on {name} that not all ranks took part in: rank {comm.rank} got data of an earlier call"
        )
        expected = bytearray(token)
        try:
            for root in range(comm.size):
                got = bytearray(expected) if comm.rank == root else bytearray(len(expected))
                comm.Bcast(got, root)
                if got != expected:
                    return problem
            together = bytearray(len(expected) * comm.size) if comm.rank == 0 else None
            comm.Gather(expected, together, 0)
        except self._mpi.Exception as error:
            return f"{problem} ({error.Get_error_string().splitlines()[0]})"
        return problem if together is not None and together != expected * comm.size else None


def main(address: str = "", key_file: str = "") -> None:
    """Be a guard and its rank.

    Args:
        address: on a site: where to connect back to.
        key_file: on a site: the key for that.
    """
    if address:
        guard_away(address, key_file, _be_rank_away)
    guard(_be_rank)


def _be_rank() -> None:
    channel, reporter = connect_back(), connect_back()
    forget_key()
    Rank(channel, reporter).serve()


def _be_rank_away(away: Away) -> None:
    (channel, _), (reporter, _) = away.home.connect(), away.home.connect()
    away.home.forget()
    Rank(channel, reporter, away).serve()
