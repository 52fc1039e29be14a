"""Tasks that fill rows of a shared array. Not in a test module: a runner that imports pytest takes 0.1 s longer."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


def fill_rows(out: Array, start: int, stop: int) -> None:
    for row in range(start, stop):
        out[row] = row


def fill_one_row_too_many(out: Array, start: int, stop: int) -> None:
    for row in range(start, min(stop + 1, len(out))):
        out[row] = row


def fill_one_row_too_few(out: Array, start: int, stop: int) -> None:
    for row in range(start, stop - 1):
        out[row] = row


def put(out: Array, where: Any, value: Any) -> None:
    out[where] = value
