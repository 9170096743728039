# SPDX-License-Identifier: GPL-3.0-or-later
"""At which distance the pairs of a variety stay apart, as somebody else may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np

from ..arrays import FloatArray, RealArray
from ..latent.sphere import cosine_distance_matrix
from .apart import Demand

SHARE = 0.999
"""Of pairs: the distance that so many keep is told."""
CROPS = 4
"""Crops drawn anew of each render: others than those by which heads were chosen."""

_BINS = 20_000  # of distances from 0 to 2, so that millions need no room


@dataclass(frozen=True)
class Holding:
    """Of all pairs of heads, each looked at in every combination of what both were seen in.

    encoder: EncoderSource.key; demanded: the distance; kept: that which SHARE of the pairs keep;
    below: share of pairs below the demand; nearest: of all looks; looks: how many a pair had on
    average.
    """

    encoder: str
    demanded: float
    kept: float
    below: float
    nearest: float
    looks: float

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def holding(
    demand: Demand, heads: Sequence[Sequence[Annotated[RealArray, "K D"]]]
) -> Holding | None:
    """heads: of each its latents (K, D), unit norm, in the first render and in other hands.

    A pair is compared in what both were seen in; each pair counts alike. None for a single head.
    """
    if len(heads) < 2:
        return None
    counts, below, nearest, looks = np.zeros(_BINS), 0.0, 2.0, 0
    for number, head in enumerate(heads[:-1]):
        for other in heads[number + 1 :]:
            distances = _looks(head, other)
            weight = 1.0 / distances.size
            counts += weight * np.histogram(distances, _BINS, (0.0, 2.0))[0]
            below += weight * float(np.sum(distances < demand.distance))
            nearest = min(nearest, float(distances.min()))
            looks += distances.size
    pairs = len(heads) * (len(heads) - 1) // 2
    place = int(np.searchsorted(np.cumsum(counts), (1.0 - SHARE) * pairs, side="right"))
    kept = max(nearest, place * 2.0 / _BINS)
    return Holding(
        demand.encoder, demand.distance, kept, below / pairs, nearest, round(looks / pairs, 1)
    )


def _looks(head: Sequence[RealArray], other: Sequence[RealArray]) -> FloatArray:
    common = min(len(head), len(other))
    return cosine_distance_matrix(np.concatenate(head[:common]), np.concatenate(other[:common]))
