"""A communicator that notes what its rank waits for, sends and receives.

mpi4py's classes refuse to be patched, so ours are subclasses: of every kind of intracommunicator, and
of Request. Methods that create communicators give traced ones; what is not traced is noted as such.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from pytest_parallel_lab.backends.mpi.calls import (
    COLLECTIVES,
    CREATING,
    DUPLICATES_FIRST,
    OPAQUE,
    RECEIVES,
    ROOTED,
    SENDS,
    SYNCHRONOUS,
    WAITS_FOR_BOTH,
)
from pytest_parallel_lab.backends.mpi.requests import traced_request
from pytest_parallel_lab.backends.mpi.tracer import Tracer
from pytest_parallel_lab.model.mpi_waits import RECEIVE, SEND, Part


class _Arguments:
    """Finds arguments of an mpi4py method by name, however they were passed."""

    def __init__(self, method: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(method).parameters.values())[1:]
        self._places = {p.name: (i, p.default) for i, p in enumerate(parameters)}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def get(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        place, default = self._places[name]
        return args[place] if place < len(args) else kwargs.get(name, default)

    def put(
        self, name: str, value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        place, _ = self._places[name]
        if place < len(args):
            return (*args[:place], value, *args[place + 1 :]), kwargs
        return tuple(args), {**kwargs, name: value}


class Tracing:
    """The traced classes of one process; ``MPI`` must be imported by then."""

    def __init__(self, mpi: Any, tracer: Tracer) -> None:
        """Make traced subclasses of mpi4py's classes."""
        self._mpi = mpi
        self._tracer = tracer
        self._classes: dict[type, type] = {}
        self._request = traced_request(mpi, tracer)

    def install(self) -> None:
        """Have all that user code finds in ``mpi4py.MPI`` traced."""
        self._mpi.COMM_WORLD = self.communicator(self._mpi.COMM_WORLD, "COMM_WORLD")
        self._mpi.Request = self._request

    def communicator(self, comm: Any, name: str, ranks: tuple[int, ...] | None = None) -> Any:
        """A traced communicator with the same handle.

        Args:
            comm: any intracommunicator.
            name: what all its ranks call it.
            ranks: its members as ranks of the run; by default all, in order.
        """
        traced = self._class(type(comm))(comm)
        traced._lab_name = name
        traced._lab_tracer = self._tracer
        traced._lab_duplicated = False
        traced._lab_ranks = ranks or tuple(range(comm.size))
        return traced

    def _class(self, base: type) -> type:
        if hasattr(base, "_lab_traced"):
            return base
        if base not in self._classes:
            self._classes[base] = type(f"Traced{base.__name__}", (base,), {"_lab_traced": True, **self._methods(base)})
        return self._classes[base]

    def _methods(self, base: type) -> dict[str, Any]:
        methods: dict[str, Any] = {}
        for names, make in (
            (SENDS, self._send),
            (RECEIVES, self._receive),
            (WAITS_FOR_BOTH, self._send_and_receive),
            (COLLECTIVES, self._collective),
            (CREATING, self._creating),
            (OPAQUE, self._opaque),
        ):
            for name in names:
                if hasattr(base, name):
                    methods[name] = make(base, name)
        return methods

    def _peer(self, comm: Any, rank: int) -> int | None:
        return None if rank == self._mpi.ANY_SOURCE else comm._lab_ranks[rank]

    @staticmethod
    def _is_rank(comm: Any, rank: int) -> bool:
        """Whether there is such a rank. Nobody waits for nobody, and a wrong one is for MPI to report."""
        return isinstance(rank, int) and 0 <= rank < len(comm._lab_ranks)

    def _tag(self, tag: int) -> int | None:
        return None if tag == self._mpi.ANY_TAG else tag

    def _to(self, comm: Any, dest: int, tag: int, name: str) -> list[Part]:
        if not self._is_rank(comm, dest):
            return []
        peer = comm._lab_ranks[dest]
        self._tracer.sent[comm._lab_name, peer, tag] += 1
        return [Part(SEND, comm._lab_name, comm._lab_ranks, peer, tag, name=name)]

    def _from(self, comm: Any, source: int, tag: int, name: str) -> list[Part]:
        if source != self._mpi.ANY_SOURCE and not self._is_rank(comm, source):
            return []
        peer = self._peer(comm, source)
        return [Part(RECEIVE, comm._lab_name, comm._lab_ranks, peer, self._tag(tag), name=name)]

    def _got(self, comm: Any, parts: Sequence[Part], status: Any) -> None:
        if parts and status.source >= 0:
            self._tracer.received[comm._lab_name, comm._lab_ranks[status.source], status.tag] += 1

    def _send(self, base: type, name: str) -> Callable[..., Any]:
        plain, arguments = getattr(base, name), _Arguments(getattr(base, name))
        synchronous = getattr(base, SYNCHRONOUS.get(name, name))
        returns_request = name.lower().startswith("i")
        tracer = self._tracer

        def send(comm: Any, *args: Any, **kwargs: Any) -> Any:
            method = synchronous if tracer.synchronous_sends else plain
            if not tracer.on:
                return method(comm, *args, **kwargs)
            dest, tag = arguments.get("dest", args, kwargs), arguments.get("tag", args, kwargs)
            parts = self._to(comm, dest, tag, name)
            if returns_request:
                return self._request.of(method(comm, *args, **kwargs), parts)
            with tracer.waiting(name, () if name.lower() == "bsend" else parts):
                return method(comm, *args, **kwargs)

        return send

    def _receive(self, base: type, name: str) -> Callable[..., Any]:
        plain, arguments = getattr(base, name), _Arguments(getattr(base, name))
        tracer = self._tracer
        probes = name.lower() == "probe"

        def receive(comm: Any, *args: Any, **kwargs: Any) -> Any:
            if not tracer.on:
                return plain(comm, *args, **kwargs)
            source, tag = arguments.get("source", args, kwargs), arguments.get("tag", args, kwargs)
            parts = self._from(comm, source, tag, name)
            if "status" not in arguments:
                return self._request.of(plain(comm, *args, **kwargs), parts)
            status = arguments.get("status", args, kwargs) or self._mpi.Status()
            args, kwargs = arguments.put("status", status, args, kwargs)
            with tracer.waiting(name, parts):
                open_choice = parts and (source == self._mpi.ANY_SOURCE or tag == self._mpi.ANY_TAG)
                if open_choice and (match := self._choose(comm, source, tag)) is not None:
                    args, kwargs = arguments.put("source", match[0], args, kwargs)
                    args, kwargs = arguments.put("tag", match[1], args, kwargs)
                result = plain(comm, *args, **kwargs)
                if open_choice and tracer.matching is not None:
                    tracer.matching.noted.append((status.source, status.tag))
                if not probes:
                    self._got(comm, parts, status)
                return result

        return receive

    def _choose(self, comm: Any, source: int, tag: int) -> tuple[int, int] | None:
        """Which message to take where the receive leaves that open; None where it is not ours to choose."""
        if self._tracer.matching is None:
            return None
        status = self._mpi.Status()

        def probe(one: int) -> tuple[int, int] | None:
            there = self._mpi.Comm.Iprobe(comm, one, tag, status)
            return (status.source, status.tag) if there else None

        return self._tracer.matching.choose(probe, range(comm.size) if source == self._mpi.ANY_SOURCE else [source])

    def _send_and_receive(self, base: type, name: str) -> Callable[..., Any]:
        plain, arguments = getattr(base, name), _Arguments(getattr(base, name))
        tracer = self._tracer

        def send_and_receive(comm: Any, *args: Any, **kwargs: Any) -> Any:
            if not tracer.on:
                return plain(comm, *args, **kwargs)
            values = {n: arguments.get(n, args, kwargs) for n in ("dest", "sendtag", "source", "recvtag", "status")}
            status = values["status"] or self._mpi.Status()
            args, kwargs = arguments.put("status", status, args, kwargs)
            receives = self._from(comm, values["source"], values["recvtag"], name)
            parts = [*self._to(comm, values["dest"], values["sendtag"], name), *receives]
            with tracer.waiting(name, parts):
                result = plain(comm, *args, **kwargs)
                self._got(comm, receives, status)
                return result

        return send_and_receive

    def _collective(self, base: type, name: str) -> Callable[..., Any]:
        plain, arguments = getattr(base, name), _Arguments(getattr(base, name))
        returns_request = name.startswith("I")
        tracer = self._tracer
        # Buffer and pickle variants use different messages: a rank in the other one is not in the same call.
        shown = "barrier" if name == "Barrier" else name

        def collective(comm: Any, *args: Any, **kwargs: Any) -> Any:
            if not tracer.on:
                return plain(comm, *args, **kwargs)
            root = f" root {arguments.get('root', args, kwargs)}" if "root" in arguments else ""
            part = tracer.enters(comm._lab_name, comm._lab_ranks, shown + root)
            if returns_request:
                return self._request.of(plain(comm, *args, **kwargs), [part])
            with tracer.waiting(name, [part]):
                first = name in DUPLICATES_FIRST and not getattr(comm, "_lab_duplicated", False)
                if first or (tracer.synchronised_collectives and name in ROOTED):
                    base.Barrier(comm)  # type: ignore[attr-defined]
                    comm._lab_duplicated = comm._lab_duplicated or first
                return plain(comm, *args, **kwargs)

        return collective

    def _creating(self, base: type, name: str) -> Callable[..., Any]:
        plain = getattr(base, name)
        tracer = self._tracer

        def create(comm: Any, *args: Any, **kwargs: Any) -> Any:
            # Create_group is entered by some ranks only: counting it would number the others' calls wrongly.
            if name == "Create_group":
                tracer.opaque = True
                return plain(comm, *args, **kwargs)
            part = tracer.enters(comm._lab_name, comm._lab_ranks, name)
            with tracer.waiting(name, [part] if tracer.on else []):
                made = plain(comm, *args, **kwargs)
            if made == self._mpi.COMM_NULL or not isinstance(made, self._mpi.Intracomm):
                return made
            return self.communicator(made, f"{comm._lab_name}.{name}#{part.index + 1}", self._ranks_in(comm, made))

        return create

    def _ranks_in(self, comm: Any, made: Any) -> tuple[int, ...]:
        group, old = made.Get_group(), comm.Get_group()
        places = self._mpi.Group.Translate_ranks(group, list(range(made.size)), old)
        group.Free()
        old.Free()
        return tuple(comm._lab_ranks[place] for place in places)

    def _opaque(self, base: type, name: str) -> Callable[..., Any]:
        plain = getattr(base, name)
        tracer = self._tracer

        def opaque(comm: Any, *args: Any, **kwargs: Any) -> Any:
            tracer.opaque = True
            return plain(comm, *args, **kwargs)

        return opaque
