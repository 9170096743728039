# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a set of heads covers people, what it leaves out, and which heads to add.

Latents are unit rows (N, D); a person is as well covered as the nearest head is near.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray, RealArray
from .selection import checked_count, farthest_point_order
from .sphere import cosine_distance_matrix, normalise

_ROUNDS = 100  # of k-means at most; it settles long before
_POWER = 16  # of groups' mean distances: a group 10 % worse covered weighs four times as much


@dataclass(frozen=True)
class CoverageCurve:
    """Distance from people to their nearest head: mean and 90 % quantile (K,) after `heads` (K,)
    heads."""

    heads: Annotated[IntArray, "K"]
    mean: Annotated[FloatArray, "K"]
    quantile90: Annotated[FloatArray, "K"]


@dataclass(frozen=True)
class Clusters:
    """labels (N,) int; centres (K, D) of unit norm. Larger clusters have smaller numbers."""

    labels: Annotated[IntArray, "N"]
    centres: Annotated[FloatArray, "K D"]

    @property
    def sizes(self) -> Annotated[IntArray, "K"]:
        """Members of each cluster, (K,) int."""
        return np.bincount(self.labels, minlength=len(self.centres))


def coverage_curve(
    people: Annotated[RealArray, "M D"],
    heads: Annotated[RealArray, "N D"],
    counts: Sequence[int] | Annotated[IntArray, "K"],
) -> CoverageCurve:
    """Coverage of `people` (M, D) by the first heads of `heads` (N, D), at each of `counts` (K,).

    ValueError for a count outside 1 to N.
    """
    numbers = np.asarray(counts, int)
    if np.any(numbers < 1) or np.any(numbers > len(heads)):
        raise ValueError(f"counts {numbers.tolist()} do not lie in 1 to {len(heads)} heads")
    nearest = np.minimum.accumulate(cosine_distance_matrix(people, heads), axis=1)
    at = nearest[:, numbers - 1]
    return CoverageCurve(numbers, at.mean(axis=0), np.quantile(at, 0.9, axis=0))


def heads_needed(curve: CoverageCurve, mean: float) -> int | None:
    """The fewest heads on the curve whose mean distance is at most `mean`; None if none is."""
    enough = np.flatnonzero(curve.mean <= mean)
    return int(curve.heads[enough[0]]) if len(enough) else None


def greedy_cover(
    distances: Annotated[RealArray, "M N"],
    covered: Annotated[RealArray, "M"],
    count: int,
    near: Callable[[int], BoolArray] | None = None,
    groups: Annotated[IntArray, "M"] | None = None,
) -> Annotated[IntArray, "K"]:
    """Which candidates to add so that people's mean distance to the nearest head falls most.

    Each choice is the one that gains most beside those before it (facility location), which comes
    to at least 63 % of the best possible gain. Gains only shrink as more is taken, so a candidate
    is weighed again only where its last known gain still leads.

    Args:
        distances: (M, C) from each person to each candidate.
        covered: (M,) distance to the nearest head that is there already; infinite for none.
        near: says of a candidate which others (C,) bool are not wanted beside it; such are taken
            last.
        groups: (M,) number of each person's group, from 0. With them what falls is a high power
            of the groups' mean distances, so that the worst covered group comes first.

    Returns:
        (min(count, C),) indices of candidates, in the order in which they were taken.
    """
    checked_count(count)
    distances = np.asarray(distances, np.float64)
    gain = _Gain.of(distances, covered, groups)
    gains = gain.of_all()
    free, crowded = np.ones(len(gains), bool), np.zeros(len(gains), bool)
    chosen: list[int] = []
    while len(chosen) < min(count, len(gains)):
        wanted = free & ~crowded
        best = _largest_gain(gain, gains, wanted if wanted.any() else free)
        chosen.append(best)
        free[best] = False
        gain.take(best)
        if near is not None:
            crowded |= near(best)
    return np.array(chosen, int)


@dataclass
class _Gain:
    """What each candidate would gain.

    distances (M, C); left (M,): distance to the nearest head so far; shares (G, M): by which a
    group's mean is taken of its people; power: of these means, whose sum is to fall.
    """

    distances: RealArray
    left: FloatArray
    shares: FloatArray
    power: int

    @classmethod
    def of(cls, distances: FloatArray, covered: RealArray, groups: IntArray | None) -> _Gain:
        # Without any head yet, everybody is as far away as latents can be.
        left = np.minimum(np.asarray(covered, np.float64), 2.0)
        if groups is None:
            return cls(distances, left, np.ones((1, len(left))), 1)
        members = np.unique(groups)[:, None] == groups
        return cls(distances, left, members / members.sum(axis=1, keepdims=True), _POWER)

    def of_all(self) -> Annotated[FloatArray, "C"]:
        """Of every candidate."""
        nearer = np.maximum(self.left[:, None] - self.distances, 0.0)
        return self._of(self.shares @ nearer)

    def of_one(self, candidate: int) -> float:
        """Of one."""
        nearer = np.maximum(self.left - self.distances[:, candidate], 0.0)
        return float(self._of((self.shares @ nearer)[:, None])[0])

    def take(self, candidate: int) -> None:
        """Have its head be there."""
        self.left = np.minimum(self.left, self.distances[:, candidate])

    def _of(self, nearer: FloatArray) -> FloatArray:
        """By how much the groups' means fall (G, C) -> gains (C,)."""
        if self.power == 1:
            return np.asarray(nearer.sum(axis=0))
        means = (self.shares @ self.left)[:, None]
        return np.asarray((means**self.power - (means - nearer) ** self.power).sum(axis=0))


def _largest_gain(gain: _Gain, gains: FloatArray, among: IntArray | BoolArray) -> int:
    """The candidate of most gain; updates the `gains` that it looks at."""
    seen = -1
    while True:
        best = int(np.argmax(np.where(among, gains, -1.0)))
        if best == seen:
            return best
        gains[best] = gain.of_one(best)
        seen = best


def group_coverage(
    people: Annotated[RealArray, "M D"],
    groups: Annotated[IntArray, "M"],
    heads: Annotated[RealArray, "N D"],
) -> Annotated[FloatArray, "G"]:
    """Mean distance from the people of each group, 0 to the largest of `groups` (M,), to their
    nearest head; NaN for a group of nobody."""
    return mean_of_groups(cosine_distance_matrix(people, heads).min(axis=1), groups)


def mean_of_groups(
    values: Annotated[RealArray, "M"], groups: Annotated[IntArray, "M"]
) -> Annotated[FloatArray, "G"]:
    """Mean of values by the groups, 0 to the largest, that they belong to; NaN for one of none."""
    counts = np.bincount(groups)
    sums = np.bincount(groups, values)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def neighbourhood_middles(
    latents: Annotated[RealArray, "N D"], size: int
) -> Annotated[FloatArray, "N D"]:
    """The middle of each latent's `size` nearest ones, itself among them: (N, D) unit rows."""
    nearest = np.argpartition(cosine_distance_matrix(latents), min(size, len(latents)) - 1, axis=1)[
        :, : min(size, len(latents))
    ]
    return normalise(np.asarray(latents, np.float64)[nearest].mean(axis=1))


def clusters(latents: Annotated[RealArray, "N D"], count: int) -> Clusters:
    """Spherical k-means of `latents` (N, D), from farthest points: same input, same clusters.

    `count` at most, fewer where there are fewer latents or where a cluster loses all its members.
    """
    latents = np.asarray(latents, np.float64)
    if not len(latents):
        return Clusters(np.zeros(0, int), np.zeros((0, latents.shape[1])))
    centres = latents[farthest_point_order(latents, count).indices]
    labels = np.argmax(latents @ centres.T, axis=1)
    for _ in range(_ROUNDS):
        # A middle of opposite members is nowhere; the cluster then keeps its centre.
        sums = np.stack([latents[labels == k].sum(axis=0) for k in range(len(centres))])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-9), centres)
        before, labels = labels, np.argmax(latents @ centres.T, axis=1)
        if np.array_equal(before, labels):
            break
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: int(np.sum(sizes > 0))]
    places = np.zeros(len(centres), int)
    places[order] = np.arange(len(order))
    return Clusters(places[labels], centres[order])
