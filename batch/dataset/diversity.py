# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences between the people of a data set, as the encoder of the run sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import Float32Array, IntArray, RealArray
from facegen_addon.artifacts import artifact
from facegen_addon.encoders.encoder import encoder_names, same_face_threshold
from facegen_addon.latent.metrics import pairwise_distances
from facegen_addon.latent.selection import greedy_selection
from facegen_addon.latent.sphere import cosine_distance_matrix

_BLOCK = 2048  # latents compared at once: what bounds the memory
_PAIRED = 2000  # identities whose pairs are counted at most


@dataclass(frozen=True)
class Diversity:
    """threshold: cosine distance from which on two latents read as different faces; apart: the
    identities of a set in which all pairs are that far apart; median: cosine distance of a pair of
    identities, None if there is none; identities: how many have a latent."""

    threshold: float
    apart: frozenset[int]
    median: float | None
    identities: int


def diversity(
    latents: Mapping[int, Annotated[Float32Array, "D"]], encoder: Mapping[str, Any]
) -> Diversity:
    """Figures of the distances between identities, by the latent (D,) of the first image of each.

    encoder: name and sha256, as in the versions of a run. `apart` is chosen greedily, in order; the
    median is over the pairs of at most 2,000 identities, evenly chosen.
    """
    threshold = _threshold(encoder)
    if not latents:
        return Diversity(threshold, frozenset(), None, 0)
    identities = np.array(list(latents))
    rows = np.stack(list(latents.values()))
    chosen = frozenset(map(int, identities[mutually_apart(rows, threshold)]))
    some = rows[evenly(len(rows), _PAIRED)]
    median = pairwise_distances(some).median if len(some) > 1 else None
    return Diversity(threshold, chosen, median, len(rows))


def _threshold(encoder: Mapping[str, Any]) -> float:
    """Same-face threshold of the registered encoder with this hash; of another, the default's."""
    for name in encoder_names():
        if artifact(name).sha256 == encoder["sha256"]:
            return same_face_threshold(name)
    return same_face_threshold()


def mutually_apart(
    latents: Annotated[RealArray, "N D"], threshold: float
) -> Annotated[IntArray, "M"]:
    """Rows of latents (N, D), in order, each at least `threshold` from all taken before."""
    taken = np.zeros(0, np.intp)
    for start in range(0, len(latents), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(latents)))
        if len(taken):
            nearest = cosine_distance_matrix(latents[block], latents[taken]).min(1)
            block = block[nearest >= threshold]
        distances = cosine_distance_matrix(latents[block])
        taken = np.concatenate([taken, block[greedy_selection(distances, threshold)]])
    return taken


def evenly(total: int, most: int) -> Annotated[IntArray, "M"]:
    """At most so many of `total` places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(np.intp))
