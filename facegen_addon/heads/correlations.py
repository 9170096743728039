# SPDX-License-Identifier: GPL-3.0-or-later
"""Correlations of authoring parameters: matrices, their agreement, strongest pairs.

Heads are rows of standardised parameters (N, G).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import FloatArray, RealArray
from ..confidence import bootstrap_interval


@dataclass(frozen=True)
class PairCorrelation:
    """Columns `first` < `second`, their correlation, and its 95 % interval over heads."""

    first: int
    second: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class MatrixAgreement:
    """How one correlation matrix compares with another, over the pairs of different parameters.

    difference: root mean square of the differences; likeness: correlation of the entries, nan
    where a matrix has no variation; strength: root mean square of the first matrix's entries.
    """

    difference: float
    likeness: float
    strength: float


def correlation_matrix(z: Annotated[RealArray, "N G"]) -> Annotated[FloatArray, "G G"]:
    """Correlations (G, G) of the columns of z (N, G); 0 with a column that does not vary.

    ValueError for fewer than three rows, whose correlations mean nothing.
    """
    z = np.asarray(z, np.float64)
    if len(z) < 3:
        raise ValueError(f"{len(z)} heads have no correlations: at least 3 are needed")
    centred = z - z.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    # Rounding leaves a constant column a spread of about 1e-16 of its size.
    varies = lengths > 1e-9 * np.maximum(np.linalg.norm(z, axis=0), 1e-30)
    unit = np.where(varies, centred / np.where(varies, lengths, 1.0), 0.0)
    matrix = np.clip(unit.T @ unit, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def agreement(
    matrix: Annotated[RealArray, "G G"], reference: Annotated[RealArray, "G G"]
) -> MatrixAgreement:
    """Compare two correlation matrices (G, G) of the same parameters, G at least 2."""
    upper = np.triu_indices(len(matrix), 1)
    a, b = matrix[upper], reference[upper]
    varied = len(a) > 1 and a.std() > 1e-12 and b.std() > 1e-12
    return MatrixAgreement(
        float(np.sqrt(np.mean((a - b) ** 2))),
        float(np.corrcoef(a, b)[0, 1]) if varied else float("nan"),
        float(np.sqrt(np.mean(a**2))),
    )


def strongest_pairs(matrix: Annotated[RealArray, "G G"], count: int) -> list[tuple[int, int]]:
    """The pairs of columns of largest magnitude in `matrix` (G, G), strongest first.

    The matrix may be of correlations or of differences between such.
    """
    rows, columns = np.triu_indices(len(matrix), 1)
    order = np.argsort(-np.abs(matrix[rows, columns]), kind="stable")[:count]
    return [(int(rows[i]), int(columns[i])) for i in order]


def pair_correlation(
    z: Annotated[RealArray, "N G"], pair: tuple[int, int], rng: np.random.Generator
) -> PairCorrelation:
    """One pair's correlation over heads z (N, G), with a bootstrap interval over the heads."""
    columns = np.asarray(z, np.float64)[:, list(pair)]
    low, high = bootstrap_interval(columns, _correlation, rng)
    return PairCorrelation(pair[0], pair[1], _correlation(columns), low, high)


def _correlation(columns: FloatArray) -> float:
    return float(correlation_matrix(columns)[0, 1])
