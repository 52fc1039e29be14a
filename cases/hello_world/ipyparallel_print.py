"""Hello world on ipyparallel engines, which have no ranks until they are given some.

What an engine prints is sent to the client as messages, and the result keeps it by engine.
"""

from __future__ import annotations

import socket
from typing import Any

from pytest_parallel_lab import implementation
from reference.hello_world import greeting


@implementation("ipyparallel")
def ipyparallel_print(view: Any) -> list[str]:
    """Number the engines with ``scatter``, let each print its line, and read what each printed."""
    import ipyparallel

    size = len(view.targets)
    view.scatter("rank", range(size), flatten=True, block=True)
    said = view.apply_async(_say_hello, ipyparallel.Reference("rank"), size)
    said.get()
    said.wait_for_output()  # it travels apart from the results, and may come later
    return [line for printed in said.stdout for line in printed.splitlines()]


def _say_hello(rank: int, size: int) -> None:
    print(greeting(rank, size, socket.gethostname()))
