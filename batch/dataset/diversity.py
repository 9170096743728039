# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences between the people of a data set, as the encoder of the run sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np

from batch.dataset.spread import evenly
from facegen_addon.arrays import BoolArray, IntArray, RealArray
from facegen_addon.artifacts import artifact
from facegen_addon.encoders.encoder import encoder_names, same_face_threshold
from facegen_addon.latent.metrics import pairwise_distances
from facegen_addon.latent.selection import greedy_selection
from facegen_addon.latent.sphere import cosine_distance_matrix

_BLOCK = 1024  # latents compared at once: what bounds the memory
_UNSURE = 1e-4  # by which a distance in single precision may miss: there it is computed anew
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


class Latents(Protocol):
    """Latents (N, D) of which some are asked for at a time: an array, or a file of them."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, rows: slice, /) -> Annotated[RealArray, "n D"]:
        """Some that follow each other."""


def diversity(identities: Sequence[int], latents: Latents, encoder: Mapping[str, Any]) -> Diversity:
    """Figures of the distances between identities, by the latent (D,) of the first image of each.

    encoder: name and sha256, as in the versions of a run. `apart` is chosen greedily, in order; the
    median is over the pairs of at most 2,000 identities, evenly chosen.
    """
    threshold = _threshold(encoder)
    total = len(latents)
    if not total:
        return Diversity(threshold, frozenset(), None, 0)
    chosen = frozenset(identities[row] for row in mutually_apart(latents, threshold))
    some = np.concatenate([latents[row : row + 1] for row in evenly(total, _PAIRED)])
    median = pairwise_distances(some).median if len(some) > 1 else None
    return Diversity(threshold, chosen, median, total)


def _threshold(encoder: Mapping[str, Any]) -> float:
    """Same-face threshold of the registered encoder with this hash; of another, the default's."""
    for name in encoder_names():
        if artifact(name).sha256 == encoder["sha256"]:
            return same_face_threshold(name)
    return same_face_threshold()


def mutually_apart(latents: Latents, threshold: float) -> Annotated[IntArray, "M"]:
    """Rows of latents, in order, each at least `threshold` from all taken before."""
    places = [np.zeros(0, np.intp)]
    taken: list[RealArray] = []  # at most _BLOCK in each
    for start in range(0, len(latents), _BLOCK):
        rows = latents[start : start + _BLOCK]
        left = np.arange(len(rows))
        for some in taken:
            left = left[_are_apart(rows[left], some, threshold)]
        distances = cosine_distance_matrix(rows[left])
        left = left[greedy_selection(distances, threshold)]
        places.append(start + left)
        if taken and len(taken[-1]) + len(left) <= _BLOCK:
            taken[-1] = np.concatenate([taken[-1], rows[left]])
        elif len(left):
            taken.append(rows[left])
    return np.concatenate(places)


def _are_apart(
    rows: Annotated[RealArray, "N D"], others: Annotated[RealArray, "M D"], threshold: float
) -> Annotated[BoolArray, "N"]:
    """Whether each row is at least `threshold` from all others."""
    similar = rows.astype(np.float32) @ others.T.astype(np.float32)
    nearest = 1.0 - similar.max(axis=1)
    apart: BoolArray = nearest >= threshold
    unsure = np.abs(nearest - threshold) < _UNSURE
    if unsure.any():
        apart[unsure] = cosine_distance_matrix(rows[unsure], others).min(axis=1) >= threshold
    return apart
