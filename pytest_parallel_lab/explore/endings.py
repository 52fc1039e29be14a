"""What runs end with, sorted into those that are the same."""

from __future__ import annotations

import pickle
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_parallel_lab.explore.record import Record
from pytest_parallel_lab.keeper.channel import Parcel
from pytest_parallel_lab.keeper.shipping import pack_value
from pytest_parallel_lab.model.exploration import Seen
from pytest_parallel_lab.model.sameness import DIFFERENT, SAME, compare
from pytest_parallel_lab.model.schedule import Schedule
from pytest_parallel_lab.model.verdict import Verdict, how_it_ended

_TEXT = 120
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class Ending:
    """What became of a run.

    Attributes:
        kind: "returned", "raised", "hangs", "unfinished" or "died".
        text: in words.
        packed: the value or exception, as it was sent.
        type_name: of the exception.
        traceback: of the exception.
        verdict: of a run that did not come to its end.
    """

    kind: str
    text: str
    packed: bytes = b""
    type_name: str = ""
    traceback: str = ""
    verdict: Verdict | None = None

    def value(self) -> Any:
        """The value or exception. Raises whatever unpickling raises."""
        return unpack(self.packed)


def pack(value: object) -> bytes:
    """Pack a value or exception for the way. Raises whatever pickling raises."""
    return flatten(pack_value(value))


def pack_error(error: BaseException) -> bytes:
    """Pack an exception for the way; nothing where it cannot travel."""
    try:
        return pack(error)
    except Exception:
        return b""


def flatten(parcel: Parcel) -> bytes:
    """A parcel with all its buffers as one piece."""
    return pickle.dumps((parcel.head, [bytes(b) for b in parcel.buffers]))


def unpack(packed: bytes) -> Any:
    """A value or exception that was packed. Raises whatever unpickling raises."""
    head, buffers = pickle.loads(packed)
    return Parcel(head, [memoryview(b) for b in buffers]).load()


def ending_of(record: Record) -> Ending:
    """Read how a run ended."""
    if record.verdict is not None:
        return stuck(record.verdict)
    if not record.ending:
        return Ending("died", f"its process {how_it_ended(record.status or 0)}")
    kind, *rest = pickle.loads(record.ending)
    if kind == "raised":
        return raised(*rest)
    return returned(rest[0])


def stuck(verdict: Verdict) -> Ending:
    """The ending of a run that did not come to its end."""
    kind, text = ("hangs", "a deadlock") if verdict.proved else ("unfinished", "no end")
    return Ending(kind, text, verdict=verdict)


def returned(packed: bytes) -> Ending:
    """The ending of a run that returned a value."""
    return Ending("returned", _text(unpack(packed)), packed)


def raised(type_name: str, message: str, traceback: str, packed: bytes) -> Ending:
    """The ending of a run that raised."""
    text = f"{type_name}({' '.join(message.split())})" if message else type_name
    return Ending("raised", _short(_ADDRESS.sub("", text)), packed, type_name, traceback)


def _text(value: Any) -> str:
    if hasattr(value, "__array_interface__") and getattr(value, "size", 0) > 12:
        return f"an array of shape {value.shape}"
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = _TEXT
    brief.maxlist = brief.maxtuple = brief.maxdict = brief.maxset = 12
    try:
        text = brief.repr(value)
    except Exception as error:  # of the user's, or of a number of too many digits
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return _short(_ADDRESS.sub("", " ".join(text.split())))


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."


class Endings:
    """All that runs of one exploration ended with."""

    def __init__(self, rtol: float, atol: float, reference: tuple[Any] | None = None) -> None:
        """Begin.

        Args:
            rtol: relative tolerance within which a difference is numerical only.
            atol: absolute tolerance.
            reference: the value that is right, in a tuple; None where nobody has said.
        """
        self._compare: Callable[[Any, Any], str] = lambda a, b: compare(a, b, rtol=rtol, atol=atol)
        self.reference = reference
        self._classes: list[tuple[Ending, int, Schedule]] = []
        self.usual: Ending | None = None

    def see(self, record: Record, *, counts: bool = True) -> tuple[Ending, str]:
        """Take in a run; its ending, and whether it is SAME as expected, CLOSE to it or DIFFERENT."""
        ending = ending_of(record)
        return ending, self.take(ending, record.schedule, counts=counts)

    def take(self, ending: Ending, schedule: Schedule, *, counts: bool = True) -> str:
        """Take in an ending; whether it is SAME as expected, CLOSE to it or DIFFERENT."""
        if self.usual is None:
            self.usual = ending
        if counts:
            self._count(ending, schedule)
        return self.judge(ending)

    def judge(self, ending: Ending) -> str:
        """Whether an ending is as expected."""
        if ending.kind in ("hangs", "unfinished"):
            return DIFFERENT
        if self.reference is not None:
            return self._compare(ending.value(), self.reference[0]) if ending.kind == "returned" else DIFFERENT
        assert self.usual is not None
        return self._same(ending, self.usual)

    def _same(self, a: Ending, b: Ending) -> str:
        if a.kind != b.kind:
            return DIFFERENT
        if a.kind == "raised":
            return SAME if a.type_name == b.type_name else DIFFERENT
        if a.kind != "returned":
            return SAME if a.text == b.text else DIFFERENT
        if a.packed == b.packed:
            return SAME
        return self._compare(a.value(), b.value())

    def _count(self, ending: Ending, schedule: Schedule) -> None:
        for i, (other, runs, first) in enumerate(self._classes):
            if self._same(ending, other) == SAME:
                self._classes[i] = (other, runs + 1, first)
                return
        self._classes.append((ending, 1, schedule))

    @property
    def varied(self) -> bool:
        """Whether runs ended differently, be it in the last bits."""
        return len(self._classes) > 1

    @property
    def differ(self) -> bool:
        """Whether runs ended differently, beyond the tolerance."""
        return any(self._same(self._classes[0][0], other) == DIFFERENT for other, _, _ in self._classes[1:])

    def seen(self) -> tuple[Seen, ...]:
        """The distribution of the outcomes."""
        return tuple(Seen(ending.text, runs, schedule) for ending, runs, schedule in self._classes)

    @property
    def expected_text(self) -> str:
        """What is expected, in words."""
        if self.reference is not None:
            return f"where {_text(self.reference[0])} is right"
        return f"but {self.usual.text} in the usual schedule" if self.usual is not None else ""
