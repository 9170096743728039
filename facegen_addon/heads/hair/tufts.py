# SPDX-License-Identifier: GPL-3.0-or-later
"""Strands between the locks that lead them.

What is the same for whole rows lies component first; lengths are metres, constants chosen by eye.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import Float32Array, RealArray
from ..appearance import smoothstep
from .cut import ALONG, POINTS, Values, fringe_share, metres, ramp
from .roots import HairRoots
from .tied import tied_share

_LOOSER = 0.8
"""By how much long strands at the hairline hang in no locks."""
_FILLS = 1.5
"""How much more strands of a fringe stray: through its gaps the forehead shows."""
_FRIZZ = 0.0018
"""Metres by which strands of curls turn beside their lock."""
_JOINED = 0.6
"""How much less strands lie between locks at their tips, where these are whole."""
_ELSEWHERE = 0.05
"""Metres between locks that have nothing in common."""
_TOWARDS_TIPS = smoothstep(0.1, 1.0, ALONG).astype(np.float32)
_OF_COORDINATES = _TOWARDS_TIPS.repeat(3)
"""How far along each point is, and each coordinate of each point: to their ends strands gather."""


class Tufts:
    """The strands of a head model's hair: each follows its lock and those beside."""

    def __init__(self, roots: HairRoots) -> None:
        self._roots = roots
        self._lock, *self._beside = np.ascontiguousarray(roots.between.T)
        self._share = np.ascontiguousarray(roots.share[:, 1:].T)
        self._noise = np.ascontiguousarray(roots.noise.T)
        np.clip(self._noise[6:], -1.3, 1.3, out=self._noise[6:])

    def strays(
        self, values: Values, length: Annotated[RealArray, "L"]
    ) -> Annotated[Float32Array, "12 S"]:
        """How far strands of locks of these lengths (L,) stray to four sides, metres."""
        untidy, kink = values["hair_untidiness"], _kink(values)
        scatter = np.minimum(length * 0.06, 0.006) * (0.25 + 1.6 * untidy)
        scatter = scatter * (1 - 0.75 * _clump(values))
        scatter = scatter * (1 - 0.6 * tied_share(self._roots, values)) * (1 - 0.6 * kink)
        scatter = scatter * (1 + _FILLS * fringe_share(self._roots, values))
        curl = values["hair_curl"]
        coil = 0.0008 * curl + _FRIZZ * ramp(0.3, 0.6, curl) * (1 - kink) + 0.0045 * kink
        strays = np.empty_like(self._noise)
        np.multiply(self._noise[:6], scatter[self._lock], out=strays[:6])
        np.multiply(self._noise[6:], np.float32(min(coil, 0.15 * _longest(values))), out=strays[6:])
        return strays

    def points(
        self,
        values: Values,
        start: Annotated[RealArray, "3 S"],
        placed: Annotated[RealArray, "L K 3"],
        turn: Annotated[RealArray, "3 3"],
        edge: Annotated[RealArray, "S"],
        strays: Annotated[RealArray, "12 S"],
    ) -> Annotated[Float32Array, "S K 3"]:
        """Points (S, K, 3) of all strands along their locks (L, K, 3), turned like the head; start
        (3, S): their roots before that; edge (S,): how much each is long hair of the hairline;
        strays (12, S): as ``strays`` says."""
        locks = placed.astype(np.float32).reshape(-1, POINTS * 3)
        along = locks.take(self._lock, axis=0)
        beside = [locks.take(lock, axis=0) for lock in self._beside]
        for other in beside:
            other -= along
        share = self._shares_between(values, beside)
        offset = self._offset(start, share)
        parts = np.concatenate([offset, offset * (_LOOSER * edge - 1), strays])
        points = parts.T @ _mixing(values, turn)
        points += along
        whole = _JOINED * _clump(values) * (1 - _LOOSER * edge)
        joined = 1 - whole.astype(np.float32)[:, None] * _OF_COORDINATES
        for other, much in zip(beside, share, strict=True):
            other *= much[:, None] * joined
            points += other
        return points.reshape(-1, POINTS, 3)

    def _offset(
        self, start: Annotated[RealArray, "3 S"], share: Annotated[RealArray, "2 S"]
    ) -> Annotated[RealArray, "3 S"]:
        """Metres (3, S) from where the locks that a strand lies between would have it to its
        root."""
        lead = start.take(self._roots.leader, axis=1)
        own = lead.take(self._lock, axis=1)
        first, second = (
            much * (lead.take(lock, axis=1) - own)
            for much, lock in zip(share, self._beside, strict=True)
        )
        offset: RealArray = start - own - (first + second)
        return offset

    def _shares_between(
        self, values: Values, beside: list[Annotated[RealArray, "S C"]]
    ) -> Annotated[Float32Array, "2 S"]:
        """How much each strand follows the second and third lock near it, (2, S), which lie so far
        beside the first, in each of C coordinates (S, C).

        None of one that goes elsewhere, as beyond a parting; coils and what is tied have their own
        way.
        """
        alone = max(ramp(0.4, 0.9, values["hair_curl"]), ramp(0.0, 0.5, values["hair_tied"]))
        share = np.empty_like(self._share)
        for row, much, other in zip(share, self._share, beside, strict=True):
            apart = np.zeros(len(other), np.float32)
            for point in (POINTS // 3, POINTS // 2, POINTS - 1):
                x, y, z = other[:, 3 * point : 3 * point + 3].T
                np.maximum(apart, x * x + y * y + z * z, out=apart)
            together = smoothstep(_ELSEWHERE, 0.4 * _ELSEWHERE, np.sqrt(apart)) * (1 - alone)
            np.multiply(much, together, out=row)
        return share


def _mixing(values: Values, turn: RealArray) -> Annotated[Float32Array, "18 C"]:
    """What two offsets and four strays (18,), vectors in the head's frame, add to each coordinate
    of a strand."""
    t, turns = ALONG, 2 * np.pi * (2.0 + 2.0 * _kink(values))
    basis = [
        np.ones_like(t),
        _clump(values) * smoothstep(0.1, 1.0, t),
        t**1.3,
        t * np.sin(5 * t),
        t**0.5 * np.sin(turns * t),
        t**0.5 * (np.cos(turns * t) - 1),
    ]
    mixing = np.einsum("bk,wc->bckw", np.stack(basis), turn).reshape(-1, POINTS * 3)
    return mixing.astype(np.float32)


def _kink(values: Values) -> float:
    return ramp(0.5, 0.95, values["hair_curl"])


def _longest(values: Values) -> float:
    """Metres."""
    return metres(max(values["hair_top_length"], values["hair_side_length"]))


def _clump(values: Values) -> float:
    """How much strands join to their locks."""
    clump = values["hair_clumping"] * (0.35 + 0.65 * ramp(0.004, 0.10, _longest(values)))
    return clump + (0.9 - clump) * ramp(0.0, 1.0, values["hair_tied"])


def shorten(points: Annotated[Float32Array, "S K 3"], shown: Annotated[RealArray, "S"]) -> None:
    """Leave strands (S, K, 3) some share (S,) of their length, in place."""
    partly = np.flatnonzero(shown < 1)
    at = shown[partly, None] * np.arange(POINTS, dtype=np.float32)
    before = np.minimum(at.astype(np.intp), POINTS - 2)
    share = (at - before).astype(np.float32).ravel().repeat(3).reshape(-1, POINTS * 3)
    row = (partly[:, None] * POINTS + before).ravel()
    low, high = (
        points.reshape(-1, 3).take(row + step, axis=0).reshape(-1, POINTS * 3) for step in (0, 1)
    )
    high -= low
    high *= share
    high += low
    points[partly] = high.reshape(-1, POINTS, 3)
