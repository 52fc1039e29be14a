"""The Mandelbrot set, serial: after how many iterations of z := z² + c does each pixel's c leave.

A point has left when |z| > 2; it can never come back. Its count is the number of iterations, from z = 0, that it
took. A point that has not left in fewer than ``limit`` iterations gets ``limit`` and counts as inside.

The kernel works on real and imaginary parts separately, one correctly rounded operation at a time. NumPy's product
of complex arrays may fuse operations in some elements and not in others, so that a count could depend on where in an
array its pixel is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int32]

TILE = 1 << 14  # pixels computed together: many enough for NumPy's calls, few enough for a core's cache
CHUNK = 16  # rows in one task, where tasks are handed out dynamically


class Region(NamedTuple):
    """A rectangle of the complex plane."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def area(self) -> float:
        """Its area."""
        return (self.right - self.left) * (self.top - self.bottom)


WHOLE = Region(-2.0, 0.5, -1.25, 1.25)

# The set is symmetric to the real axis. One half is all there is to compute, and its work is not: nearly all points
# inside are in the lower rows.
UPPER_HALF = Region(-2.0, 0.5, 0.0, 1.25)


def check(region: Region, shape: tuple[int, int], limit: int, chunk: int = CHUNK) -> None:
    """Refuse what cannot be plotted; no rows or no columns are fine.

    Args:
        region: (left, right, bottom, top).
        shape: (rows, columns).
        limit: of iterations.
        chunk: rows in one task, where tasks are handed out dynamically.

    Raises:
        ValueError: an empty region, a negative shape, a limit or a chunk below 1.
    """
    left, right, bottom, top = region
    if not (left < right and bottom < top):
        raise ValueError(f"the region {tuple(region)} is empty: it needs left < right and bottom < top")
    rows, columns = shape
    if rows < 0 or columns < 0:
        raise ValueError(f"cannot plot {rows} x {columns} pixels: rows and columns must be 0 or more")
    if limit < 1:
        raise ValueError(f"a limit of {limit} iterations leaves nothing to count: it must be 1 or more")
    if chunk < 1:
        raise ValueError(f"a task of {chunk} rows never gets done: the chunk must be 1 or more")


def axes(region: Region, shape: tuple[int, int]) -> tuple[Reals, Reals]:
    """Coordinates of the pixels' centres: real parts, shape (columns,), and imaginary parts, shape (rows,)."""
    left, right, bottom, top = region
    rows, columns = shape
    real = left + (np.arange(columns, dtype=np.float64) + 0.5) * ((right - left) / max(columns, 1))
    imag = bottom + (np.arange(rows, dtype=np.float64) + 0.5) * ((top - bottom) / max(rows, 1))
    return real, imag


def mandelbrot(region: Region, shape: tuple[int, int], limit: int) -> Counts:
    """Count the iterations of every pixel.

    Args:
        region: (left, right, bottom, top).
        shape: (rows, columns); row 0 is at the bottom.
        limit: the count of points that stay.

    Returns:
        The counts, shape (rows, columns), int32.

    Raises:
        ValueError: as ``check`` says.
    """
    check(region, shape, limit)
    real, imag = axes(region, shape)
    return count_rows(real, imag, limit)


def count_rows(real: Reals, imag: Reals, limit: int) -> Counts:
    """Count the iterations of some rows, tile by tile.

    Args:
        real: the columns' real parts, shape (columns,).
        imag: the rows' imaginary parts, shape (rows,).
        limit: the count of points that stay.

    Returns:
        The counts, shape (rows, columns).
    """
    counts = np.empty((len(imag), len(real)), np.int32)
    height = max(TILE // max(len(real), 1), 1)
    for first in range(0, len(imag), height):
        rows = imag[first : first + height]
        tile = count_points(np.tile(real, len(rows)), np.repeat(rows, len(real)), limit)
        counts[first : first + height] = tile.reshape(len(rows), len(real))
    return counts


def count_points(real: Reals, imag: Reals, limit: int) -> Counts:
    """Count the iterations of some points; those that have left are not computed any further.

    Args:
        real: the real parts, shape (points,).
        imag: the imaginary parts, shape (points,).
        limit: the count of points that stay.

    Returns:
        The counts, shape (points,).
    """
    counts = np.full(len(real), limit, np.int32)
    place: npt.NDArray[np.int_] = np.arange(len(real))  # of the points that have not left
    x, y, xx, yy = np.zeros((4, len(real)))
    for n in range(1, limit):
        np.multiply(x, y, out=y)
        y += y
        y += imag
        np.subtract(xx, yy, out=x)
        x += real
        np.multiply(x, x, out=xx)
        np.multiply(y, y, out=yy)
        left = xx + yy > 4.0
        if left.any():
            counts[place[left]] = n
            stays = ~left
            place = place[stays]
            real, imag, x, y, xx, yy = (array[stays] for array in (real, imag, x, y, xx, yy))
            if not len(place):
                break
    return counts


def count_point(real: float, imag: float, limit: int) -> int:
    """Count the iterations of one point, as the definition has it; to check the kernel, and to time pixels."""
    x = y = 0.0
    for n in range(1, limit):
        x, y = x * x - y * y + real, 2.0 * (x * y) + imag
        if x * x + y * y > 4.0:
            return n
    return limit


def inside_area(counts: npt.NDArray[Any], region: Region, limit: int) -> float:
    """Estimate the area of the set in the region from the pixels that stayed."""
    return region.area * float(np.mean(counts == limit))
