# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear algebra that gives the same bits with any number of threads.

The sums of a BLAS depend on how many threads share them. Where a decision hangs on a last bit, such
as which of two triangles is nearer, a point lands elsewhere: what is kept for later runs is
computed here instead, by NumPy's own loops.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, Real


def product(
    a: Annotated[NDArray[Real], "M K"], b: Annotated[NDArray[Real], "K N"]
) -> Annotated[NDArray[Real], "M N"]:
    """The product (M, N) of matrices (M, K) and (K, N)."""
    multiplied: NDArray[Real] = np.einsum("mk,kn->mn", a, b)
    return multiplied


def gram(
    a: Annotated[FloatArray, "N K"], b: Annotated[FloatArray, "N L"]
) -> Annotated[FloatArray, "K L"]:
    """Products (K, L) of the columns of (N, K) with those of (N, L), summed over the rows."""
    sums: FloatArray = np.einsum("nk,nl->kl", a, b)
    return sums


def solve_positive(
    left: Annotated[FloatArray, "K K"], right: Annotated[FloatArray, "K N"]
) -> Annotated[FloatArray, "K N"]:
    """Solve left x = right (K, N) for x (K, N), with a symmetric positive definite left (K, K).

    By Cholesky's factors; left's upper half is not looked at.
    """
    lower = np.zeros_like(left)
    for k in range(len(left)):
        column = left[k:, k] - np.einsum("ij,j->i", lower[k:, :k], lower[k, :k])
        lower[k:, k] = column / np.sqrt(column[0])
    x = np.array(right, np.float64)
    for k in range(len(x)):
        x[k] = (x[k] - np.einsum("j,jn->n", lower[k, :k], x[:k])) / lower[k, k]
    for k in reversed(range(len(x))):
        x[k] = (x[k] - np.einsum("j,jn->n", lower[k + 1 :, k], x[k + 1 :])) / lower[k, k]
    return x
