"""What the tests of the lab run, and on which backends."""

from __future__ import annotations

import os
import time
from typing import Any

PROCESS_BACKENDS = ["processes", "executor"]
START_METHODS = ["fork", "spawn", "forkserver"]
IN_RUNNER = ["threads", "processes", "executor"]


def square(x: int) -> int:
    return x * x


def squares(pool: Any, n: int) -> list[int]:
    return list(pool.map(square, range(n)))


def fail(_: Any) -> None:
    raise ZeroDivisionError("on purpose")


def pids(pool: Any) -> list[int]:
    return [os.getpid(), *pool.map(_pid, range(8))]


def _pid(_: int) -> int:
    time.sleep(0.01)
    return os.getpid()
