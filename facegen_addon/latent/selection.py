# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest sets of latents in which no two are nearer than a demanded cosine distance.

Finding the largest is the maximum independent set of the graph that joins what is too near. Greedy
choice alone leaves out up to a third, so it is followed by an iterated local search (after
Andrade, Resende and Werneck 2012): swaps of one member for two, and small random disturbances. It
counts steps, not seconds, and draws from its own seed, so equal input gives equal output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray, RealArray
from ..errors import UserError
from ..random_streams import random_stream
from .sphere import cosine_distance_matrix

EFFORT = 3000
"""Disturbances tried without an improvement before the search ends; below 1 s for 400 latents."""

MAXIMUM_DISTANCE = 2.0
"""Cosine distance of opposite latents."""

CAPACITY_DISTANCES = tuple(round(0.2 + 0.05 * i, 2) for i in range(13))
"""At which reports tell how many heads stay mutually apart: 0.2 to 0.8."""


class DistanceReached(NamedTuple):
    """The largest distance found at which `indices` (count,) are mutually apart."""

    distance: float
    indices: Annotated[IntArray, "K"]


class FarthestPoints(NamedTuple):
    """Order in which points were taken, and each one's distance to all taken before, (K,)."""

    indices: Annotated[IntArray, "K"]
    distances: Annotated[FloatArray, "K"]


def checked_distance(distance: float) -> float:
    """`distance` if it is a cosine distance that can be demanded; else UserError."""
    if not 0.0 < distance < MAXIMUM_DISTANCE:
        raise UserError(f"distance {distance} is not between 0 and 2, both excluded: try 0.51")
    return float(distance)


def checked_count(count: int) -> int:
    """`count` if it is at least 1; else UserError."""
    if count < 1:
        raise UserError(f"count {count} is not a number of heads: ask for 1 or more")
    return int(count)


def greedy_selection(
    distances: Annotated[RealArray, "N N"], minimum_distance: float
) -> Annotated[IntArray, "K"]:
    """Indices kept in the given order, each at least `minimum_distance` from all kept before.

    `distances` (N, N) as from `cosine_distance_matrix(latents)`.
    """
    near = _too_near(distances, checked_distance(minimum_distance))
    blocked = np.zeros(len(near), bool)
    kept = []
    for index in range(len(near)):
        if not blocked[index]:
            kept.append(index)
            blocked |= near[index]
    return np.array(kept, int)


def largest_selection(
    distances: Annotated[RealArray, "N N"],
    minimum_distance: float,
    *,
    start: Sequence[int] | IntArray | None = None,
    target: int | None = None,
    effort: int = EFFORT,
    seed: int = 0,
) -> Annotated[IntArray, "K"]:
    """Indices, ascending, of the largest set found that is mutually >= `minimum_distance`.

    `distances` (N, N) are symmetric with zero diagonal. `start` is a set known to be apart, which
    the result is never smaller than. With `target` the search ends at that size; `effort` is the
    number of disturbances without improvement after which it ends. N up to about 1000.
    """
    near = _too_near(distances, checked_distance(minimum_distance))
    if len(near) == 0:
        return np.zeros(0, int)
    first = _fewest_conflicts_first(near)
    if start is not None and len(start) >= len(first):
        first = np.asarray(start, int)
    return _IndependentSet(near, first).search(target, effort, random_stream(seed))


def _too_near(distances: RealArray, minimum_distance: float) -> BoolArray:
    near = np.asarray(distances) < minimum_distance
    np.fill_diagonal(near, False)
    return near


def _fewest_conflicts_first(near: BoolArray) -> IntArray:
    """An independent set, by always taking what excludes the fewest of those left."""
    left = np.ones(len(near), bool)
    conflicts = near.sum(axis=1)
    chosen = []
    while left.any():
        best = int(np.argmin(np.where(left, conflicts, len(near) + 1)))
        chosen.append(best)
        gone = left & near[best]
        gone[best] = True
        left &= ~gone
        conflicts = conflicts - near[:, gone].sum(axis=1)
    return np.array(chosen, int)


class _IndependentSet:
    """A set of nodes of which no two are `near` (N, N) bool, and the moves that enlarge it.

    `conflicts` (N,) counts each node's near members; a node outside with none can be added, one
    with a single one can be swapped in.
    """

    def __init__(self, near: BoolArray, members: IntArray) -> None:
        self.near = near
        self.member = np.zeros(len(near), bool)
        self.conflicts = np.zeros(len(near), np.int64)
        for node in members:
            self._insert(int(node))

    def search(self, target: int | None, effort: int, rng: np.random.Generator) -> IntArray:
        """Disturb and repair until `effort` disturbances in a row bring nothing."""
        self._climb(range(len(self.near)))
        best, fruitless = self.member.copy(), 0
        size = int(best.sum())
        while fruitless < effort and size < min(target or len(self.near), len(self.near)):
            before = self.member.copy(), self.conflicts.copy()
            self._disturb(rng)
            now = int(self.member.sum())
            if now > size:
                best, size, fruitless = self.member.copy(), now, 0
                continue
            fruitless += 1
            # A smaller set is kept now and then: the way to a larger one may lead through it.
            if now < int(before[0].sum()) and rng.random() > 1.0 / (1.0 + 10.0 * (size - now)):
                self.member, self.conflicts = before
        return np.flatnonzero(best)

    def _insert(self, node: int) -> None:
        self.member[node] = True
        self.conflicts += self.near[node]

    def _remove(self, node: int) -> None:
        self.member[node] = False
        self.conflicts -= self.near[node]

    def _disturb(self, rng: np.random.Generator) -> None:
        """Force one outside node in (rarely more), throw out what is near it, then climb again."""
        evicted: list[int] = []
        for _ in range(1 + rng.geometric(0.8) // 2):
            outside = np.flatnonzero(~self.member)
            if len(outside) == 0:
                return
            node = int(rng.choice(outside))
            for neighbour in np.flatnonzero(self.near[node] & self.member):
                self._remove(int(neighbour))
                evicted.append(int(neighbour))
            self._insert(node)
        self._add_free(rng)
        self._climb(self._members_beside(evicted))

    def _members_beside(self, nodes: list[int]) -> IntArray:
        """Members that a node near one of `nodes` may replace: only their swaps have changed."""
        if not nodes:
            return np.zeros(0, int)
        loose = self.near[nodes].any(axis=0) & ~self.member & (self.conflicts == 1)
        return np.flatnonzero(self.near[loose].any(axis=0) & self.member)

    def _add_free(self, rng: np.random.Generator | None = None) -> None:
        """Add nodes without conflict until there is none."""
        while True:
            free = np.flatnonzero((self.conflicts == 0) & ~self.member)
            if len(free) == 0:
                return
            self._insert(int(free[0] if rng is None else rng.choice(free)))

    def _climb(self, candidates: Sequence[int] | range | IntArray) -> None:
        """Swap one member for two while there is such a swap, beginning with `candidates`."""
        self._add_free()
        queue = [int(node) for node in candidates]
        while queue:
            node = queue.pop()
            pair = self._pair_instead_of(node) if self.member[node] else None
            if pair is not None:
                self._remove(node)
                for other in pair:
                    self._insert(other)
                self._add_free()
                queue.extend(int(other) for other in self._members_beside([node, *pair]))

    def _pair_instead_of(self, member: int) -> tuple[int, int] | None:
        """Two nodes, apart from one another, that conflict with `member` alone."""
        loose = np.flatnonzero(self.near[member] & (self.conflicts == 1) & ~self.member)
        if len(loose) < 2:
            return None
        apart = ~self.near[np.ix_(loose, loose)]
        np.fill_diagonal(apart, False)
        first, second = divmod(int(np.argmax(apart)), len(loose))
        return (int(loose[first]), int(loose[second])) if apart[first, second] else None


def largest_distance(
    distances: Annotated[RealArray, "N N"],
    count: int,
    *,
    effort: int = EFFORT // 10,
    seed: int = 0,
) -> DistanceReached:
    """The largest distance at which `count` are mutually apart, as found.

    `distances` (N, N) as in `largest_selection`. This is what a run that misses its demand
    reports. A single one has no pair: distance 2. UserError if there are fewer than `count`.
    """
    checked_count(count)
    if count > len(distances):
        raise UserError(f"{count} of {len(distances)} latents cannot be chosen: ask for fewer")
    if count == 1:
        return DistanceReached(MAXIMUM_DISTANCE, np.zeros(1, int))
    best = np.sort(_farthest_first(distances, count))
    steps = np.unique(distances[np.triu_indices(len(distances), 1)])
    low, high = int(np.searchsorted(steps, _closest_pair(distances, best))), len(steps)
    while high - low > 1:
        middle = (low + high) // 2
        found = np.zeros(0, int)
        if 0.0 < steps[middle] < MAXIMUM_DISTANCE:
            found = largest_selection(
                distances, steps[middle], target=count, effort=effort, seed=seed
            )
        if len(found) >= count:
            best = found[:count]
            low = int(np.searchsorted(steps, _closest_pair(distances, best)))
        else:
            high = middle
    return DistanceReached(_closest_pair(distances, best), best)


def _farthest_first(distances: RealArray, count: int) -> IntArray:
    """`count` indices, each the farthest from all taken before; the first is far from most."""
    taken = [int(np.argmax(np.sum(distances, axis=1)))]
    while len(taken) < count:
        reach = np.min(distances[taken], axis=0)
        reach[taken] = -np.inf
        taken.append(int(np.argmax(reach)))
    return np.array(taken, int)


def _closest_pair(distances: RealArray, indices: IntArray) -> float:
    within = distances[np.ix_(indices, indices)]
    return float(within[np.triu_indices(len(indices), 1)].min())


def capacity_curve(
    latents: Annotated[RealArray, "N D"],
    minimum_distances: Sequence[float] | Annotated[RealArray, "K"],
    *,
    effort: int = EFFORT // 3,
    seed: int = 0,
) -> Annotated[IntArray, "K"]:
    """How many of `latents` (N, D) are mutually apart at each distance, as found: (K,) int.

    Never more at a larger distance: each search starts from the set of the next larger distance.
    """
    distances = cosine_distance_matrix(latents)
    demanded = [checked_distance(float(distance)) for distance in minimum_distances]
    counts = np.zeros(len(demanded), int)
    chosen: np.ndarray | None = None
    for place in np.argsort(demanded)[::-1]:
        chosen = largest_selection(
            distances, demanded[place], start=chosen, effort=effort, seed=seed
        )
        counts[place] = len(chosen)
    return counts


_ABOUT = 0.5  # of one, by which groups may lag behind their shares


def farthest_point_order(
    latents: Annotated[RealArray, "N D"],
    count: int | None = None,
    *,
    already: Annotated[RealArray, "M D"] | None = None,
    strata: Annotated[IntArray, "N K"] | None = None,
) -> FarthestPoints:
    """Order `latents` (N, D) so that each is as far as can be from all before it and `already`.

    Used to screen candidates by predicted latents before rendering. Without `already` (M, D), the
    first is the one farthest from the mean, at distance 2 by convention. The first `count`, or all.
    strata: numbers of the groups that each belongs to, by several ways of grouping: of every group
    there are then, among the first so many, about as many as its share of all.
    """
    latents = np.asarray(latents, np.float64)
    count = len(latents) if count is None else min(checked_count(count), len(latents))
    distances = np.full(len(latents), MAXIMUM_DISTANCE)
    shares = _Shares(np.zeros((len(latents), 0), int) if strata is None else strata)
    due = shares.due(np.zeros(len(latents), bool)) if count else np.zeros(0, bool)
    towards = np.where(due, latents @ latents.mean(axis=0), np.inf)
    following = int(np.argmin(towards)) if count else 0
    if already is not None and len(already) and count:
        distances = cosine_distance_matrix(latents, already).min(axis=1)
        following = int(np.argmax(np.where(due, distances, -1.0)))
    indices, reached = np.zeros(count, int), np.zeros(count)
    taken = np.zeros(len(latents), bool)
    for place in range(count):
        indices[place], reached[place] = following, distances[following]
        taken[following] = True
        shares.take(following)
        distances = np.minimum(
            distances, cosine_distance_matrix(latents, latents[following][None])[:, 0]
        )
        following = int(np.argmax(np.where(shares.due(taken), distances, -1.0)))
    return FarthestPoints(indices, reached)


class _Shares:
    """How many of each group are taken, and who is due."""

    def __init__(self, strata: Annotated[IntArray, "N K"]) -> None:
        self._strata, self._taken = strata, 0
        counts = [np.bincount(column) for column in strata.T]
        self._shares = [count / max(len(strata), 1) for count in counts]
        self._counts = [np.zeros(len(count)) for count in counts]

    def take(self, row: int) -> None:
        """Take one."""
        self._taken += 1
        for count, group in zip(self._counts, self._strata[row], strict=True):
            count[group] += 1

    def due(self, taken: Annotated[BoolArray, "N"]) -> Annotated[BoolArray, "N"]:
        """Who of the others lacks most, by all of its groups together, or about so."""
        lacking = np.zeros(len(taken))
        for share, count, column in zip(self._shares, self._counts, self._strata.T, strict=True):
            lacking += (share * (self._taken + 1) - count)[column]
        lacking[taken] = -np.inf
        return np.asarray(~taken & (lacking >= lacking.max(initial=-np.inf) - _ABOUT))
