"""A native error as data: its class by the standard's name, and the library's own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass(frozen=True)
class NativeError:
    """An error that an MPI function has returned.

    Attributes:
        name: of its class, such as ``"ERR_RANK"``; the standard has the names, each library its own numbers.
        string: what the library says of it.
    """

    name: str
    string: str


def outcome_of(comm: MPI.Intracomm, program: Callable[..., Any], *args: Any) -> Any:
    """Run a program on a rank; what it returns, or the native error that it met."""
    from mpi4py import MPI

    try:
        return program(comm, *args)
    except MPI.Exception as error:
        return describe(error)


def describe(error: MPI.Exception) -> NativeError:
    """Take from an exception what is the same in every process: a number means nothing to another library."""
    from mpi4py import MPI

    number = error.Get_error_class()
    names = [name for name in dir(MPI) if name.startswith("ERR_") and getattr(MPI, name) == number]
    return NativeError(" or ".join(names), error.Get_error_string())
