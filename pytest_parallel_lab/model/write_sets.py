"""Which elements of a shared array each task of a parallel computation writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.errors import WritesMissing, WritesOverlap

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Mask = npt.NDArray[Any]  # of bool

SENTINELS = (0xAA, 0x55)  # no byte is equal to both: what a task writes differs from one of them
HOLES = ("fail", "allow")
_TOLD_RANGES = 6
_TOLD_PAIRS = 10


def parts_of(dtype: np.dtype[Any]) -> list[tuple[str, int, int]]:
    """What an element consists of that tasks can write apart from each other, as (name, offset, bytes).

    Those are the fields of a structured type, the two halves of a complex number, else the whole.
    """
    if dtype.fields:
        fields = [(name, dtype.fields[name][1], dtype.fields[name][0].itemsize) for name in dtype.names or ()]
        return [(name, offset, size_bytes) for name, offset, size_bytes in fields if size_bytes]
    if dtype.kind == "c":
        half = dtype.itemsize // 2
        return [("real", 0, half), ("imag", half, half)]
    return [("", 0, dtype.itemsize)]


def changed(array: npt.NDArray[Any], sentinel: int) -> Mask:
    """Which parts of a contiguous array no longer hold the sentinel in all their bytes.

    Returns:
        The array's shape and one more axis, over ``parts_of`` its type.
    """
    import numpy as np

    flat = array.reshape(-1, order="A")  # as it lies in memory; a view
    order: Any = "C" if array.flags.c_contiguous else "F"
    masks = []
    for _, offset, size_bytes in parts_of(array.dtype):
        width = size_bytes if size_bytes in (1, 2, 4, 8) else 1  # whole words at a time, where it is one: much faster
        form: Any = {
            "names": ["part"],
            "formats": [(f"u{width}", (size_bytes // width,))],
            "offsets": [offset],
            "itemsize": array.itemsize,
        }
        words = flat.view(np.dtype(form))["part"].reshape(flat.size, -1)
        differs = words != np.frombuffer(bytes([sentinel]) * width, f"u{width}")
        mask = differs[:, 0] if size_bytes == width else differs.any(axis=1)
        masks.append(mask.reshape(array.shape, order=order))
    return np.stack(masks, axis=-1)


@dataclass(frozen=True, eq=False)
class Overlap:
    """Two tasks that write the same elements.

    Attributes:
        first: the number of one task.
        second: the number of the other.
        sets: what all tasks write.
    """

    first: int
    second: int
    sets: WriteSets

    @property
    def parts(self) -> Mask:
        """The parts of elements that both write; not kept, as there may be many pairs of tasks."""
        return self.sets.parts[self.first] & self.sets.parts[self.second]

    @property
    def where(self) -> Mask:
        """The elements that both write, as a boolean array of the shape of ``out``."""
        return _any_part(self.parts)

    @property
    def indices(self) -> npt.NDArray[np.intp]:
        """The indices of those elements, ``(elements, axes)``."""
        import numpy as np

        return np.argwhere(self.where)

    def __str__(self) -> str:
        one, other = (f"{i} {self.sets.tasks[i]}" for i in (self.first, self.second))
        return f"tasks {one} and {other} both write {_place(self.parts, self.sets.names, always_count=True)}"


@dataclass(frozen=True, eq=False)
class WriteSets:
    """What every task writes when it runs alone.

    Attributes:
        name: of the function.
        tasks: the arguments of each task, in words.
        names: of the parts of an element: a structured type's fields, ``real`` and ``imag``, or one that is empty.
        parts: per task the parts that it writes, of shape ``out.shape + (len(names),)``.
    """

    name: str
    tasks: Sequence[str]
    names: Sequence[str]
    parts: Sequence[Mask]

    @cached_property
    def written(self) -> tuple[Mask, ...]:
        """Per task the elements that it writes, as a boolean array of the shape of ``out``."""
        return tuple(_any_part(mask) for mask in self.parts)

    @cached_property
    def overlaps(self) -> tuple[Overlap, ...]:
        """All pairs of tasks that write the same elements."""
        import numpy as np

        once, twice = np.zeros_like(self.parts[0]), np.zeros_like(self.parts[0])
        for mask in self.parts:
            twice |= once & mask
            once |= mask
        if not twice.any():
            return ()
        contested = {i: mask[twice] for i, mask in enumerate(self.parts)}
        takes_part = [i for i, mask in contested.items() if mask.any()]
        pairs = combinations(takes_part, 2)
        return tuple(Overlap(i, j, self) for i, j in pairs if (contested[i] & contested[j]).any())

    @cached_property
    def holes(self) -> Mask:
        """The elements that no task writes, or not all parts of, as a boolean array of the shape of ``out``."""
        return _any_part(self._unwritten)

    @cached_property
    def _unwritten(self) -> Mask:
        import numpy as np

        unwritten: Mask = ~np.logical_or.reduce(self.parts)
        return unwritten

    def text(self, *, holes: bool = True) -> str:
        """Tell who writes what another one writes too, and what nobody writes.

        Args:
            holes: tell of those as well.
        """
        overlaps = self.overlaps
        lines = [str(overlap) for overlap in overlaps[:_TOLD_PAIRS]]
        if len(overlaps) > _TOLD_PAIRS:
            lines.append(f"and {len(overlaps) - _TOLD_PAIRS} more pairs of tasks")
        if holes and self.holes.any():
            lines.append(f"no task writes {_place(self._unwritten, self.names)}")
            idle = [f"{i} {self.tasks[i]}" for i, mask in enumerate(self.written) if not mask.any()]
            if idle:
                more = f" and {len(idle) - _TOLD_RANGES} more" if len(idle) > _TOLD_RANGES else ""
                who = f"task{'s' if len(idle) > 1 else ''} {', '.join(idle[:_TOLD_RANGES])}{more}"
                verb = "write" if len(idle) > 1 else "writes"
                lines.append(
                    f"{who} {verb} nothing (only out[...] = x writes; out = x gives the name to another array)"
                )
        if not lines:
            lines = ["every element is written by one task" if holes else "no element is written by two tasks"]
        return f"{self.name}, every task run alone:\n" + "\n".join(f"  {line}" for line in lines)

    def __str__(self) -> str:
        return self.text()

    def check(self, *, holes: bool = False) -> None:
        """Make sure that no element is written by two tasks, and none left out.

        Args:
            holes: elements may be left out.

        Raises:
            WritesOverlap: two tasks write the same elements.
            WritesMissing: no task writes some element.
        """
        __tracebackhide__ = True
        if self.overlaps:
            raise WritesOverlap(self.text(holes=not holes), self)
        if not holes and self.holes.any():
            raise WritesMissing(self.text(), self)


def _any_part(parts: Mask) -> Mask:
    """The elements some part of which is marked."""
    import numpy as np

    mask: Mask = np.logical_or.reduce(parts, axis=-1)
    return mask


def told(args: tuple[Any, ...]) -> str:
    """A task's arguments in words, large ones cut short."""
    texts = [_told(value) for value in args]
    return f"({', '.join(texts)})"


def _told(value: Any) -> str:
    from reprlib import repr as short

    shape = getattr(value, "shape", None)
    return f"array of shape {shape}" if isinstance(shape, tuple) and shape else short(value)


def _place(parts: Mask, names: Sequence[str], *, always_count: bool = False) -> str:
    """Name the rows that hold marked parts, how many of their elements are marked, and which parts of those."""
    import numpy as np

    where = _any_part(parts)
    rows = np.flatnonzero(where.reshape(len(where), -1).any(axis=1))
    row_elements = where[0].size
    noun = "row" if where.ndim > 1 else "element"
    told = f"{noun}{'s' if len(rows) > 1 else ''} {_ranges(rows)}"
    notes = []
    marked, total = int(where.sum()), len(rows) * row_elements
    if where.ndim > 1 and (always_count or marked < total):
        notes.append(f"{marked} of {total} elements")
    found = [name for i, name in enumerate(names) if parts[..., i].any()]
    if len(found) < len(names):
        notes.append(", ".join(found) + " only")
    return f"{told} ({'; '.join(notes)})" if notes else told


def _ranges(numbers: npt.NDArray[np.intp]) -> str:
    """Write ascending numbers as ranges: ``0, 8-9``."""
    import numpy as np

    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    texts = [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:_TOLD_RANGES]]
    left = sum(len(run) for run in runs[_TOLD_RANGES:])
    return ", ".join(texts) + (f" and {left} more" if left else "")
