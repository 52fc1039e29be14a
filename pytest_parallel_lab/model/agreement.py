"""Whether a parallel result agrees with the serial reference."""

from __future__ import annotations

from typing import Any

from pytest_parallel_lab.model.errors import Mismatch


def check_agreement(result: Any, expected: Any, who: str, *, rtol: float = 0.0, atol: float = 0.0) -> None:
    """Compare a result with what the reference gives.

    Arrays are compared element by element, ``|result - expected| <= atol + rtol * |expected|``
    (the rule of ``numpy.isclose``), NaN agreeing with NaN; anything else by ``==``.

    Args:
        result: what the implementation returned.
        expected: what the reference returned.
        who: names the implementation, its backend and its workers.
        rtol: relative tolerance; 0 asks for equality.
        atol: absolute tolerance.

    Raises:
        Mismatch: they do not agree; the text says how, and where first.
    """
    if not (_is_array(result) or _is_array(expected)):
        import math

        close = rtol or atol
        same = (
            math.isclose(result, expected, rel_tol=rtol, abs_tol=atol)
            if close and isinstance(result, (int, float)) and isinstance(expected, (int, float))
            else result == expected
        )
        if not same:
            raise Mismatch(f"{who} returned {result!r}, the reference {expected!r}")
        return
    import numpy as np

    if result is None:
        raise Mismatch(f"{who} returned None, the reference an array of shape {expected.shape}")
    a, b = np.asanyarray(result), np.asanyarray(expected)
    if a.shape != b.shape:
        raise Mismatch(f"{who} returned an array of shape {a.shape}, the reference one of shape {b.shape}")
    if a.dtype.kind not in "biufc" or b.dtype.kind not in "biufc":
        differs = np.asarray(a != b)
    else:
        differs = ~np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
    if differs.any():
        where = tuple(int(i) for i in np.argwhere(differs)[0])
        raise Mismatch(
            f"{who} differs from the reference in {int(differs.sum())} of {a.size} elements (rtol={rtol:g}, "
            f"atol={atol:g}), first at {list(where)}: {a[where]!r} instead of {b[where]!r}"
        )


def _is_array(value: object) -> bool:
    return hasattr(value, "__array_interface__")
