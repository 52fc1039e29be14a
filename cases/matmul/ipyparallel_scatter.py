"""ipyparallel, as one would at the prompt: push, scatter, execute, gather."""

from __future__ import annotations

from typing import Any

from pytest_parallel_lab import implementation
from reference.matmul import Matrix


@implementation("ipyparallel")
def ipyparallel_scatter(view: Any, a: Matrix, b: Matrix) -> Matrix:
    """Multiply row blocks in the engines' own namespaces."""
    view.push({"b": b}, block=True)
    view.scatter("a_rows", a, block=True)
    view.execute("c_rows = a_rows @ b", block=True)
    c: Matrix = view.gather("c_rows", block=True)
    return c
