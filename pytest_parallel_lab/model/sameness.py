"""Whether two results of the same function are the same, bit for bit or within a tolerance."""

from __future__ import annotations

import cmath
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

SAME, CLOSE, DIFFERENT = "same", "close", "different"


def compare(a: Any, b: Any, *, rtol: float = 0.0, atol: float = 0.0) -> str:
    """Compare two values, with all that is in them.

    Args:
        a: one value: numbers, arrays, containers of them, objects by their state; else by ``==``.
        b: the other.
        rtol: relative tolerance of numbers that are not whole.
        atol: absolute tolerance of them.

    Returns:
        SAME, bit for bit (NaN is NaN); CLOSE, within the tolerance; or DIFFERENT.
    """
    return _Comparison(rtol, atol).of(a, b)


class _Comparison:
    def __init__(self, rtol: float, atol: float) -> None:
        self._rtol = rtol
        self._atol = atol
        self._seen: dict[tuple[int, int], tuple[Any, Any]] = {}  # kept alive: ids come again

    def of(self, a: Any, b: Any) -> str:
        if a is b:
            return SAME
        if hasattr(a, "__array_interface__") or hasattr(b, "__array_interface__"):
            return self._arrays(a, b)
        inexact = isinstance(a, (float, complex)) or isinstance(b, (float, complex))
        if inexact and all(isinstance(one, (int, float, complex)) for one in (a, b)):
            return self._numbers(a, b)
        if type(a) is not type(b):
            return SAME if _equal(a, b) else DIFFERENT
        if isinstance(a, Set):
            rest = [sorted(one, key=repr) for one in (a - b, b - a)]  # NaN is not equal to itself, and so left over
            return self._worst(zip(*rest)) if len(a) == len(b) else DIFFERENT
        if isinstance(a, (str, bytes, bytearray, range, int)):
            return SAME if a == b else DIFFERENT
        if (id(a), id(b)) in self._seen:  # being compared further up, or compared already
            return SAME
        self._seen[id(a), id(b)] = a, b
        if isinstance(a, Mapping):
            return self._worst((a[k], b[k]) for k in a) if a.keys() == b.keys() else DIFFERENT
        if isinstance(a, Sequence):
            return self._worst(zip(a, b)) if len(a) == len(b) else DIFFERENT
        state = _state(a), _state(b)
        if None in state or (_defines_equality(type(a)) and not dataclasses.is_dataclass(a)):
            return SAME if _equal(a, b) else DIFFERENT
        return self._worst([state])

    def _worst(self, pairs: Iterable[tuple[Any, Any]]) -> str:
        worst = SAME
        for a, b in pairs:
            found = self.of(a, b)
            if found == DIFFERENT:
                return DIFFERENT
            worst = found if worst == SAME else worst
        return worst

    def _numbers(self, a: complex, b: complex) -> str:
        if isinstance(a, complex) or isinstance(b, complex):
            parts = ((complex(a).real, complex(b).real), (complex(a).imag, complex(b).imag))
            if all(self._numbers(x, y) == SAME for x, y in parts):
                return SAME
            return CLOSE if cmath.isclose(a, b, rel_tol=self._rtol, abs_tol=self._atol) else DIFFERENT
        if a == b:
            return SAME if math.copysign(1.0, a) == math.copysign(1.0, b) else CLOSE
        if math.isnan(a) and math.isnan(b):
            return SAME
        return CLOSE if math.isclose(a, b, rel_tol=self._rtol, abs_tol=self._atol) else DIFFERENT

    def _arrays(self, a: Any, b: Any) -> str:
        import numpy as np

        try:
            x, y = np.asanyarray(a), np.asanyarray(b)
        except ValueError:  # ragged
            return DIFFERENT
        if x.shape != y.shape or x.dtype != y.dtype:
            return DIFFERENT
        if x.dtype.names:
            return self._worst((x[name], y[name]) for name in x.dtype.names)
        if x.dtype.kind == "O":
            return self._worst(zip(x.ravel().tolist(), y.ravel().tolist()))
        masks: list[Callable[[], Any]] = [lambda: np.ma.getmaskarray(x), lambda: np.ma.getmaskarray(y)]
        if isinstance(x, np.ma.MaskedArray) and not np.array_equal(masks[0](), masks[1]()):
            return DIFFERENT
        if x.dtype.kind not in "fc" or np.asarray(x).tobytes() == np.asarray(y).tobytes():
            return SAME if np.asarray(x).tobytes() == np.asarray(y).tobytes() else DIFFERENT
        same_signs = np.array_equal(np.signbit(x.real), np.signbit(y.real))
        if same_signs and np.array_equal(x, y, equal_nan=True):
            return SAME
        close = np.allclose(x, y, rtol=self._rtol, atol=self._atol, equal_nan=True)
        return CLOSE if close else DIFFERENT


def _defines_equality(cls: type) -> bool:
    return any("__eq__" in vars(base) for base in cls.__mro__[:-1])


def _state(value: Any) -> Any:
    """What pickle would make an object of again; None where it could not."""
    try:
        return value.__reduce_ex__(4)[1:3]
    except Exception:
        return None


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except Exception:  # values that refuse to be compared are not the same
        return False
