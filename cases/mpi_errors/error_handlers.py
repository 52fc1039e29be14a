"""Who decides what an error leads to: the error handler of the communicator that it happens on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def handlers_of_copies(comm: MPI.Intracomm) -> list[str]:
    """Tell the handlers of a communicator, of a copy that was made fatal, and of a copy of that."""
    fatal = comm.Dup()
    _set_handler(fatal, "ERRORS_ARE_FATAL")
    copy = fatal.Dup()
    names = [_handler(one) for one in (comm, fatal, copy)]
    copy.Free()
    fatal.Free()
    return names


def _handler(comm: MPI.Intracomm) -> str:
    from mpi4py import MPI

    handler = comm.Get_errhandler()
    known = [name for name in ("ERRORS_RETURN", "ERRORS_ARE_FATAL") if getattr(MPI, name) == handler]
    return known[0] if known else "another"


def _set_handler(comm: MPI.Intracomm, name: str) -> None:
    from mpi4py import MPI

    comm.Set_errhandler(getattr(MPI, name))
