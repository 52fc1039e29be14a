"""One BLAS thread per worker: p workers with p threads each would fight for the cores."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Every BLAS and OpenMP runtime that NumPy is built with. They read it when they are loaded, so it
# must be in the environment before.
ENVIRONMENT = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def pin() -> None:
    """Pin this process's BLAS to one thread, whether or not it is loaded yet."""
    if ENVIRONMENT.items() <= os.environ.items():
        return  # from the start, by whoever started us
    os.environ.update(ENVIRONMENT)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)


@contextmanager
def pinned() -> Iterator[None]:
    """Pin a BLAS that is loaded in this process for a while."""
    if "numpy" not in sys.modules:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def threads() -> int:
    """The threads that the loaded BLAS libraries use at most; 0 where none is loaded."""
    from threadpoolctl import threadpool_info

    return max((lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"), default=0)
