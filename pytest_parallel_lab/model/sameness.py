"""Whether two results of the same function are the same, bit for bit or within a tolerance."""

from __future__ import annotations

import cmath
import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

SAME, CLOSE, DIFFERENT = "same", "close", "different"
_DEPTH = 50


def compare(a: Any, b: Any, *, rtol: float = 0.0, atol: float = 0.0, depth: int = 0) -> str:
    """Compare two values, with all that is in them.

    Args:
        a: one value: numbers, arrays, containers of them, dataclasses, plain objects; else by ``==``.
        b: the other.
        rtol: relative tolerance of numbers that are not whole.
        atol: absolute tolerance of them.
        depth: how deep inside of others they are.

    Returns:
        SAME, bit for bit (NaN is NaN); CLOSE, within the tolerance; or DIFFERENT.
    """
    if a is b or depth > _DEPTH:
        return SAME if a is b else DIFFERENT
    inside = functools.partial(compare, rtol=rtol, atol=atol, depth=depth + 1)
    if hasattr(a, "__array_interface__") or hasattr(b, "__array_interface__"):
        return _compare_arrays(a, b, rtol, atol)
    if isinstance(a, (float, complex)) and isinstance(b, (float, complex)):
        return _compare_numbers(a, b, rtol, atol)
    if type(a) is not type(b):
        return SAME if _equal(a, b) else DIFFERENT
    if isinstance(a, Mapping):
        return _worst([inside(a[k], b[k]) for k in a]) if a.keys() == b.keys() else DIFFERENT
    if isinstance(a, (str, bytes, bytearray, Set)):
        return SAME if a == b else DIFFERENT
    if isinstance(a, Sequence):
        return _worst([inside(x, y) for x, y in zip(a, b)]) if len(a) == len(b) else DIFFERENT
    if dataclasses.is_dataclass(a) or not _defines_equality(type(a)):
        return inside(_state(a), _state(b)) if _state(a) is not None else DIFFERENT
    return SAME if _equal(a, b) else DIFFERENT


def _defines_equality(cls: type) -> bool:
    return any("__eq__" in vars(base) for base in cls.__mro__[:-1])


def _state(value: Any) -> dict[str, Any] | None:
    state: dict[str, Any] | None = getattr(value, "__dict__", None)
    if state is None and hasattr(type(value), "__slots__"):
        return {name: getattr(value, name, None) for name in type(value).__slots__}
    return state


def _worst(found: Sequence[str]) -> str:
    return next((one for one in (DIFFERENT, CLOSE) if one in found), SAME)


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except Exception:  # values that refuse to be compared are not the same
        return False


def _compare_numbers(a: complex, b: complex, rtol: float, atol: float) -> str:
    if a == b:
        same_sign = isinstance(a, complex) or math.copysign(1.0, a) == math.copysign(1.0, float(b.real))
        return SAME if same_sign else CLOSE
    if cmath.isnan(a) and cmath.isnan(b):
        return SAME
    return CLOSE if cmath.isclose(a, b, rel_tol=rtol, abs_tol=atol) else DIFFERENT


def _compare_arrays(a: Any, b: Any, rtol: float, atol: float) -> str:
    import numpy as np

    x, y = np.asanyarray(a), np.asanyarray(b)
    if x.shape != y.shape or x.dtype != y.dtype:
        return DIFFERENT
    if x.dtype.kind not in "fc":
        return SAME if bool((x == y).all()) else DIFFERENT
    if x.tobytes() == y.tobytes() or np.array_equal(x, y, equal_nan=True):
        return SAME
    return CLOSE if np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=True) else DIFFERENT
