"""A load-balanced view: chunks go to whichever engine is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_parallel_lab import implementation
from reference.processes import chunks, square


@implementation("ipyparallel")
def ipyparallel_map(view: Any, numbers: Sequence[int], chunksize: int) -> list[int]:
    """Square every number on the engines."""
    if not chunks(numbers, chunksize):
        return []
    balanced = view.client.load_balanced_view(targets=view.targets)
    return list(balanced.map_sync(square, numbers, chunksize=chunksize))
