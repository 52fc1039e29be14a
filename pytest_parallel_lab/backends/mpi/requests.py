"""A request that knows what it is for: waiting for it is noted as waiting for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_parallel_lab.backends.mpi.tracer import Tracer
from pytest_parallel_lab.model.mpi_waits import RECEIVE, Part


def traced_request(mpi: Any, tracer: Tracer) -> Any:
    """Make a Request that knows what it is for."""

    class Request(mpi.Request):  # type: ignore[misc]
        """A request that notes when it is waited for, and when it is done."""

        @classmethod
        def of(cls, request: Any, parts: Sequence[Part]) -> Any:
            traced = cls(request)
            traced._lab_part = parts[0] if parts else None
            if parts:
                tracer.pending[id(traced)] = parts[0]
            return traced

        def _lab_done(self, status: Any = None) -> None:
            part = getattr(self, "_lab_part", None)
            if part is None or tracer.pending.pop(id(self), None) is None:
                return
            if part.kind == RECEIVE and (status is None or status.source >= 0):
                comm_rank = part.peer if status is None or part.peer is not None else part.members[status.source]
                tag = part.tag if part.tag is not None else status.tag if status is not None else None
                if comm_rank is not None and tag is not None:
                    tracer.received[part.comm, comm_rank, tag] += 1

        def __del__(self) -> None:
            tracer.pending.pop(id(self), None)

        Wait, wait = _waiting("Wait", mpi, tracer), _waiting("wait", mpi, tracer)
        Test, test = _testing("Test", mpi), _testing("test", mpi)
        Waitall, waitall = _waiting_for_all("Waitall", mpi, tracer), _waiting_for_all("waitall", mpi, tracer)
        Waitany, waitany = _waiting_for_any("Waitany", mpi, tracer), _waiting_for_any("waitany", mpi, tracer)
        Waitsome, waitsome = _waiting_for_some("Waitsome", mpi, tracer), _waiting_for_some("waitsome", mpi, tracer)
        Testall, testall = _testing_all("Testall", mpi), _testing_all("testall", mpi)
        Testany, testany = _testing_any("Testany", mpi), _testing_any("testany", mpi)
        Testsome, testsome = _testing_some("Testsome", mpi), _testing_some("testsome", mpi)

    return Request


def _waiting(name: str, mpi: Any, tracer: Tracer) -> Callable[..., Any]:
    plain = getattr(mpi.Request, name)

    def wait(request: Any, status: Any = None) -> Any:
        status = status or mpi.Status()
        with tracer.waiting(name, _parts([request])):
            result = plain(request, status)
        _note_done(request, status)
        return result

    return wait


def _testing(name: str, mpi: Any) -> Callable[..., Any]:
    plain = getattr(mpi.Request, name)

    def test(request: Any, status: Any = None) -> Any:
        status = status or mpi.Status()
        result = plain(request, status)
        if result if isinstance(result, bool) else result[0]:
            _note_done(request, status)
        return result

    return test


def _waiting_for_all(name: str, mpi: Any, tracer: Tracer) -> Any:
    plain = getattr(mpi.Request, name)

    def waitall(cls: type, requests: Sequence[Any], statuses: list[Any] | None = None) -> Any:
        statuses = [mpi.Status() for _ in requests] if statuses is None else statuses
        with tracer.waiting(name, _parts(requests)):
            result = plain(requests, statuses)
        for request, status in zip(requests, statuses):
            _note_done(request, status)
        return result

    return classmethod(waitall)


def _waiting_for_any(name: str, mpi: Any, tracer: Tracer) -> Any:
    plain = getattr(mpi.Request, name)

    def waitany(cls: type, requests: Sequence[Any], status: Any = None) -> Any:
        status = status or mpi.Status()
        with tracer.waiting(name, _parts(requests), any_will_do=True):
            result = plain(requests, status)
        index = result if isinstance(result, int) else result[0]
        if 0 <= index < len(requests):
            _note_done(requests[index], status)
        return result

    return classmethod(waitany)


def _waiting_for_some(name: str, mpi: Any, tracer: Tracer) -> Any:
    some = _testing_some(name, mpi).__func__

    def waitsome(cls: type, requests: Sequence[Any], statuses: list[Any] | None = None) -> Any:
        with tracer.waiting(name, _parts(requests), any_will_do=True):
            return some(cls, requests, statuses)

    return classmethod(waitsome)


def _testing_some(name: str, mpi: Any) -> Any:
    plain = getattr(mpi.Request, name)

    def some(cls: type, requests: Sequence[Any], statuses: list[Any] | None = None) -> Any:
        statuses = [mpi.Status() for _ in requests] if statuses is None else statuses
        result = plain(requests, statuses)
        indices = result[0] if isinstance(result, tuple) else result
        for index, status in zip(indices or (), statuses):
            _note_done(requests[index], status)
        return result

    return classmethod(some)


def _testing_all(name: str, mpi: Any) -> Any:
    plain = getattr(mpi.Request, name)

    def testall(cls: type, requests: Sequence[Any], statuses: list[Any] | None = None) -> Any:
        statuses = [mpi.Status() for _ in requests] if statuses is None else statuses
        result = plain(requests, statuses)
        if result if isinstance(result, bool) else result[0]:
            for request, status in zip(requests, statuses):
                _note_done(request, status)
        return result

    return classmethod(testall)


def _testing_any(name: str, mpi: Any) -> Any:
    plain = getattr(mpi.Request, name)

    def testany(cls: type, requests: Sequence[Any], status: Any = None) -> Any:
        status = status or mpi.Status()
        result = plain(requests, status)
        index, done, *_ = result
        if done and 0 <= index < len(requests):
            _note_done(requests[index], status)
        return result

    return classmethod(testany)


def _note_done(request: Any, status: Any) -> None:
    """Note that a request is done; one that was made before requests were traced notes nothing."""
    if hasattr(request, "_lab_done"):
        request._lab_done(status)


def _parts(requests: Sequence[Any]) -> list[Part]:
    """What these wait for; nothing at all where one of them is not known."""
    parts = [getattr(request, "_lab_part", None) for request in requests if request]
    return [part for part in parts if part is not None] if None not in parts else []
