"""Who computes what: how work is cut up over workers."""

from __future__ import annotations

from pytest_parallel_lab.model.errors import BadSetting


def blocks(total: int, workers: int) -> list[slice]:
    """Cut ``range(total)`` into ``workers`` contiguous slices that differ by at most one.

    The first ``total % workers`` slices are the longer ones; with fewer items than workers the
    last slices are empty, so there is always exactly one slice per worker.

    Args:
        total: number of items, 0 or more.
        workers: number of slices, 1 or more.

    Raises:
        BadSetting: ``total`` below 0 or ``workers`` below 1.
    """
    if total < 0 or workers < 1:
        raise BadSetting(f"cannot cut {total} items into {workers} blocks: need total >= 0 and workers >= 1")
    length, longer = divmod(total, workers)
    starts = [i * length + min(i, longer) for i in range(workers + 1)]
    return [slice(starts[i], starts[i + 1]) for i in range(workers)]
