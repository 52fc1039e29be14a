"""What the user chose: backends, worker counts, launchers. Parsing and the errors for bad values."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_parallel_lab.model.errors import BadSetting

if TYPE_CHECKING:
    from pytest_parallel_lab.model.site import Site

BUILTIN_BACKENDS = ("serial", "threads", "processes", "executor", "ipyparallel", "mpi")
START_METHODS = ("fork", "spawn", "forkserver")
HARMS = ("kill-worker", "stall-worker", "kill-engine", "kill-rank")
MPI_STRICTNESS = ("sends", "collectives")
STRATEGIES = ("bounded", "random", "pct", "free")
NUMERICAL = ("warn", "allow", "fail")
DEFAULT_MPIEXEC = "mpiexec -n {ranks}"
DEFAULT_ENGINES = "local"


@dataclass(frozen=True)
class Settings:
    """How workers are started.

    Attributes:
        start_method: of ``multiprocessing``; None is the platform's default.
        mpiexec: the command that starts ranks, with ``{ranks}`` where their number goes.
        engines: ipyparallel's name for the launcher of engines, such as ``local`` or ``mpi``.
        start_limit_s: seconds that workers may take to come up.
        mpi_strict: what an MPI library may do and most do not: ``sends`` wait for their receivers,
            rooted ``collectives`` for all ranks.
        traces: have the workers note who takes which lock where, for ``supervised``.
        spans: have them note when they compute, move data and wait, for ``scaling``.
        site: where ranks and engines run; None for this machine.
    """

    start_method: str | None = None
    mpiexec: str = DEFAULT_MPIEXEC
    engines: str = DEFAULT_ENGINES
    start_limit_s: float = 60.0
    mpi_strict: tuple[str, ...] = ()
    traces: bool = False
    spans: bool = False
    site: Site | None = None

    @property
    def start_method_in_force(self) -> str:
        """The start method chosen, or the platform's default."""
        return self.start_method or default_start_method()


def default_start_method() -> str:
    """The platform's default start method.

    Asked for in the one way that does not settle it: a test may still call ``set_start_method``.
    """
    from multiprocessing import get_all_start_methods

    return get_all_start_methods()[0]


def parse_workers(text: str | Iterable[object], source: str) -> tuple[int, ...]:
    """Read worker counts from ``"1,2,4"`` or a sequence.

    Args:
        text: the value as given.
        source: where it was given, for the error.

    Raises:
        BadSetting: a count that is not a whole number of at least 1, or none at all.
    """
    given: list[object] = [*_split(text)] if isinstance(text, str) else list(text)
    counts = []
    for item in given:
        try:
            count = int(item) if isinstance(item, str) else item
        except ValueError:
            count = None
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise BadSetting(f"{source}: {item!r} is not a number of workers; give whole numbers from 1, such as 1,2,4")
        if count not in counts:
            counts.append(count)
    if not counts:
        raise BadSetting(f"{source}: no number of workers given; give whole numbers from 1, such as 1,2,4")
    return tuple(counts)


def parse_number(text: str, kind: type[int] | type[float], source: str, least: float) -> float:
    """Read a number.

    Raises:
        BadSetting: it is none, or too small.
    """
    try:
        number = kind(text)
    except ValueError:
        number = kind(least - 1)
    if not number >= least:
        what = "a whole number" if kind is int else "a number"
        raise BadSetting(f"{source}: {text!r} is not {what} of at least {least:g}")
    return number


def parse_names(text: str | Sequence[str], known: Iterable[str], source: str, what: str) -> tuple[str, ...]:
    """Read names such as ``"threads,mpi"`` that must all be known.

    Raises:
        BadSetting: an unknown name; the text offers the nearest one and lists all.
    """
    known = list(known)
    names = tuple(dict.fromkeys(_split(text) if isinstance(text, str) else text))
    for name in names:
        if name not in known:
            near = nearest(str(name), known)
            hint = f"; did you mean {near!r}?" if near else ""
            raise BadSetting(f"{source}: unknown {what} {name!r}{hint} (known: {', '.join(known)})")
    return names


def parse_mpi_strict(text: str | Sequence[str], source: str) -> tuple[str, ...]:
    """Read what MPI is to be strict about. Raises BadSetting for anything but sends and collectives."""
    return tuple(sorted(parse_names(text, MPI_STRICTNESS, source, "kind of MPI strictness")))


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like a misspelt one; None where none is."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def parse_start_method(text: str, source: str) -> str:
    """Check a ``multiprocessing`` start method. Raises BadSetting for an unknown one."""
    return parse_names([text], START_METHODS, source, "start method")[0]


def parse_mpiexec(template: str, source: str) -> str:
    """Check an mpiexec command template.

    Raises:
        BadSetting: it has no ``{ranks}``, another field, or quotes that do not close.
    """
    try:
        command_line(template, ranks=1)
    except (KeyError, IndexError, ValueError) as error:
        raise BadSetting(f"{source}: {template!r} cannot be read ({error}); write {DEFAULT_MPIEXEC!r}") from error
    if "{ranks}" not in template:
        raise BadSetting(
            f"{source}: {template!r} does not say where the number of ranks goes; "
            f"write {{ranks}} there, as in {DEFAULT_MPIEXEC!r}"
        )
    return template


def command_line(template: str, ranks: int) -> list[str]:
    """Fill a command template and split it as a shell would."""
    return shlex.split(template.format(ranks=ranks))


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
