# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence in a figure that was found on a few people or heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple

import numpy as np

from .arrays import AnyArray


class Interval(NamedTuple):
    """Bounds between which a figure lies with 95 % confidence."""

    low: float
    high: float


def bootstrap_interval(
    values: Annotated[AnyArray, "N ..."],
    statistic: Callable[[Annotated[AnyArray, "N ..."]], float | np.floating],
    rng: np.random.Generator,
    draws: int = 1000,
) -> Interval:
    """95 % percentile bootstrap interval of a figure of independent rows, e.g. of identities.

    `values` (N, ...), a row for each identity, so that what belongs together is drawn together;
    `statistic` maps as many rows, drawn with repetition, to a number. ValueError for no rows.
    """
    values = np.asarray(values)
    if not len(values):
        raise ValueError("no values have no interval")
    rows = (rng.integers(len(values), size=len(values)) for _ in range(draws))
    figures = [float(statistic(values[drawn])) for drawn in rows]
    low, high = np.quantile(figures, [0.025, 0.975])
    return Interval(float(low), float(high))
