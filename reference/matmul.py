"""Matrix multiplication, serial."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]


def matmul(a: Matrix, b: Matrix) -> Matrix:
    """Multiply two matrices with NumPy.

    Args:
        a: shape (m, k).
        b: shape (k, n).

    Returns:
        The product, shape (m, n).
    """
    product: Matrix = np.matmul(a, b)
    return product


def matmul_by_definition(a: Matrix, b: Matrix) -> Matrix:
    """Multiply two matrices element by element, as the definition has it; to check ``matmul`` with."""
    m, k = a.shape
    n = b.shape[1]
    product = np.zeros((m, n), np.result_type(a, b))
    for i in range(m):
        for j in range(n):
            product[i, j] = sum(a[i, x] * b[x, j] for x in range(k))
    return product
