# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart two heads surely are, each known by several views of it.

A view is the latent of one render and crop of a head. Views of all heads are in the same order: the
k-th of one is seen as the k-th of another. Somebody else sees all heads in one way of his own, or
every one in another; in both, the distance of a pair is a random number of which the views are
draws. It is at least its mean less DEVIATIONS standard deviations in 97.7 % of cases, were it
normal; the lower bound is the lower of the two. Since most pairs are far beyond a demand that the
nearest just meet, of all pairs many more keep it.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import FloatArray, RealArray
from .sphere import cosine_distance_matrix

DEVIATIONS = 2.0
"""Of a normal distribution, 2.3 % lies farther below its mean."""

_TOGETHER = 256  # heads compared at once, for the sake of memory


def lower_bounds(
    views: Annotated[RealArray, "V D"], others: Annotated[RealArray, "N V D"]
) -> Annotated[FloatArray, "N"]:
    """Lower bound of the distance from a head with `views` (V, D), unit norm, to each of N others.

    With a single view each, the distance itself.
    """
    bounds = [
        _bounds(views, others[start : start + _TOGETHER])
        for start in range(0, len(others), _TOGETHER)
    ]
    return np.concatenate(bounds) if bounds else np.zeros(0)


def _bounds(views: RealArray, others: RealArray) -> FloatArray:
    count, several, size = others.shape
    flat = cosine_distance_matrix(views, others.reshape(count * several, size))
    distances = np.moveaxis(flat.reshape(several, count, several), 1, 0)
    if several == 1:
        return distances[:, 0, 0]
    same = np.eye(several, dtype=bool)
    alike, each_its_own = distances[:, same], distances[:, ~same]
    return np.minimum(_surely(alike), _surely(each_its_own))


def _surely(distances: FloatArray) -> FloatArray:
    """What the distances of a pair, rows (N, K), are at least."""
    bounds: FloatArray = distances.mean(axis=1) - DEVIATIONS * distances.std(axis=1)
    return np.maximum(bounds, 0.0)
