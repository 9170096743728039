# SPDX-License-Identifier: GPL-3.0-or-later
"""Which heads are surely apart, and which have to be looked at again before one knows.

Each head has a *level*: in how many other hands it has been rendered. A pair is judged by what both
have been seen in: the lower bound of its distance over those views. As long as it has not been seen
in all, it is too near if the hands that are left, taking what is EXPECTED, leave too little, and
*open* if they do so taking all of ALLOWANCE; so renders are spent on close pairs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, Float32Array, FloatArray, IntArray
from ..latent.selection import greedy_selection, largest_distance, largest_selection
from ..latent.views import lower_bounds

EXPECTED, ALLOWANCE = 0.17, 0.4
"""Of an encoder's same-face threshold: what other hands take on average, and but for one pair in a
hundred, from the bound that crops of one render give (docs/results/other_hands.md)."""

Views = tuple[Annotated[Float32Array, "V _"], ...]
"""Views (V, D) of a head by each encoder, ours first."""


@dataclass(frozen=True)
class Demand:
    """The cosine distance that every pair has to keep by an encoder.

    encoder: EncoderSource.key; threshold: its same-face threshold.
    """

    encoder: str
    distance: float
    threshold: float


class ApartSelector:
    """Takes views of heads one by one and finds sets whose pairs are surely apart.

    Distances by several encoders are in the first one's units: scaled so that the demands are the
    same number, of which the smallest counts.
    """

    def __init__(self, demands: Sequence[Demand], hands: int) -> None:
        """hands: in how many other hands pairs have to be apart; 0: in the first render alone."""
        self._demands, self._hands = demands, hands
        self.distance = demands[0].distance
        self._views: list[list[Views]] = []
        self._left_out: set[int] = set()
        self._room = np.zeros((2, 64, 64))  # doubled when it is full
        self._greedy: list[int] | None = []  # None: to be found anew

    def __len__(self) -> int:
        """How many heads have been offered."""
        return len(self._views)

    def level(self, index: int) -> int:
        """In how many other hands a head has been seen."""
        return len(self._views[index]) - 1

    def offer(self, views: Views) -> None:
        """One more head, by views of its first render."""
        index = len(self)
        self._views.append([views])
        if index == self._room.shape[1]:
            self._room = np.pad(self._room, ((0, 0), (0, index), (0, index)))
        self._judge(index, range(index))
        if self._greedy is not None and (self._bounds[index, self._greedy] >= self.distance).all():
            self._greedy.append(index)

    def look(self, index: int, views: Views | None) -> None:
        """A head in the next of the other hands; None: no face is seen there, so it is left out."""
        self._greedy = None
        if views is None:
            self._left_out.add(index)
            self._views[index] += [self._views[index][0]] * (self._hands - self.level(index))
            self._room[:, index, :] = self._room[:, :, index] = 0.0
            return
        self._views[index].append(views)
        known = [i for i in range(len(self)) if self.level(i) >= self.level(index)]
        self._judge(index, [i for i in known if i != index and i not in self._left_out])

    def best(self, count: int, effort: int | None = None) -> IntArray:
        """Numbers of a set that may be apart, open pairs included: taken in order, or, with an
        effort, the largest that a search of so many fruitless steps finds."""
        if self._greedy is None:
            self._greedy = greedy_selection(self._bounds, self.distance).tolist()
        greedy = np.array(self._greedy, int)
        if effort is None or len(greedy) >= count:
            return greedy
        return self._largest(self._bounds, greedy, count, effort)

    def surely_apart(self, count: int, effort: int) -> IntArray:
        """Numbers of the largest set found of which no pair is open or too near."""
        greedy = greedy_selection(self._sure, self.distance)
        return self._largest(self._sure, greedy, count, effort)

    def are_apart(self, chosen: IntArray) -> bool:
        """Whether no pair of these is known to be too near."""
        return bool(_off_diagonal(self._bounds[np.ix_(chosen, chosen)], self.distance).all())

    def open_head(self, chosen: IntArray) -> int | None:
        """Which of these to look at next: of the nearest open pair the less known; else None."""
        sure = self._sure[np.ix_(chosen, chosen)]
        is_open = ~_off_diagonal(sure, self.distance)
        if not is_open.any():
            return None
        first, second = np.unravel_index(np.where(is_open, sure, np.inf).argmin(), sure.shape)
        pair = int(chosen[first]), int(chosen[second])
        return min(pair, key=self.level)

    def reached(self, count: int) -> float:
        """The largest distance found at which `count` heads are surely apart."""
        return largest_distance(self._sure, count).distance

    @property
    def _bounds(self) -> FloatArray:
        """(M, M) what lower bounds are expected to come to in the hands that are left."""
        return self._room[0, : len(self), : len(self)]

    @property
    def _sure(self) -> FloatArray:
        """(M, M) what they may come to there."""
        return self._room[1, : len(self), : len(self)]

    def _largest(
        self, distances: FloatArray, greedy: IntArray, count: int, effort: int
    ) -> IntArray:
        return largest_selection(
            distances, self.distance, start=greedy, target=count, effort=effort
        )

    def _judge(self, index: int, others: Sequence[int] | range) -> None:
        """Compare a head with these others by what both have been seen in."""
        levels = np.array([min(self.level(index), self.level(other)) for other in others], int)
        for level in np.unique(levels):
            compared = np.array(others, int)[levels == level]
            bounds, sure = self._compared(index, compared, int(level))
            self._room[:, index, compared] = self._room[:, compared, index] = bounds, sure

    def _compared(self, index: int, others: IntArray, level: int) -> tuple[FloatArray, FloatArray]:
        """What bounds come to in the hands that are left, as expected and at least, each (N,)."""
        left = 1.0 - level / self._hands if self._hands else 0.0
        bounds, sure = np.full(len(others), np.inf), np.full(len(others), np.inf)
        for number, demand in enumerate(self._demands):
            found = lower_bounds(
                self._seen(index, level, number),
                np.stack([self._seen(other, level, number) for other in others]),
            )
            scale = self.distance / demand.distance if number else 1.0
            taken = scale * left * demand.threshold
            bounds = np.minimum(bounds, scale * found - EXPECTED * taken)
            sure = np.minimum(sure, scale * found - ALLOWANCE * taken)
        return bounds, sure

    def _seen(self, index: int, level: int, encoder: int) -> Float32Array:
        renders = self._views[index][: level + 1]
        return renders[0][encoder] if not level else np.concatenate([v[encoder] for v in renders])


def _off_diagonal(distances: FloatArray, least: float) -> BoolArray:
    """Where distances (N, N) are at least so large; a head's to itself always are."""
    apart: BoolArray = (distances >= least) | np.eye(len(distances), dtype=bool)
    return apart
