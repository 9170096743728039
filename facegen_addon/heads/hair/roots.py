# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hair is rooted, and what is the same for it on every head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ...arrays import IntArray, RealArray
from ...random_streams import random_stream
from ..appearance import smoothstep
from ..strands import StrandSet

LOCKS = 700
"""Strands that are marched over the head; all others follow one of them."""
_SEED = 20
_HALF = np.array([0.078, 0.096, 0.095])
"""Half axes of the rest head's skull, metres."""
_BELOW_TOP = 0.094
"""Metres from the top of the scalp to the skull's middle."""
_GUIDES = 3
"""Locks that a strand lies between."""
_FLOW = 0.022
"""Metres over which locks turn the same way."""
_AS_ITS_NEIGHBOURS, _BY_ITSELF = 0.85, 0.35
"""How much of a lock's character it has with those around it, and how much alone."""
_BEHIND = 0.0045
"""Metres from halfway between the first and the last root to there."""


def skull_centre(roots: Annotated[RealArray, "S 3"]) -> Annotated[RealArray, "3"]:
    """The middle (3,) of a skull with these roots of hair (S, 3)."""
    low, high = roots.min(0), roots.max(0)
    x, y = 0.5 * (low[:2] + high[:2])
    return np.array([x, y + _BEHIND, high[2] - _BELOW_TOP])


@dataclass(frozen=True)
class Zones:
    """Shares in [0, 1] of the rest head's regions at L roots (L,); path: metres along the skull to
    the height of the ears, negative below it; field: metres above the hairline."""

    top: RealArray
    side: RealArray
    back: RealArray
    front: RealArray
    temple: RealArray
    crown: RealArray
    upper: RealArray
    above_nape: RealArray
    path: RealArray
    field: RealArray
    ahead: RealArray
    burns: RealArray
    low: RealArray
    edges: RealArray


@dataclass(frozen=True)
class HairRoots:
    """S strands, L of them leading locks.

    leader (L,): which strands lead; lock (S,): the lock of each strand; between (S, 3): that and
    the next ones, and share (S, 3): how near each is, of sum 1; character (L, 8): each lock's own
    standard normals, and flow (L, 8): such that change little from lock to lock; noise (S, 12):
    each strand's, the fourth to sixth with heavy tails; disc (L, 2): where in a tail's
    cross-section each lies.
    """

    strands: StrandSet
    leader: Annotated[IntArray, "L"]
    lock: Annotated[IntArray, "S"]
    between: Annotated[IntArray, "S 3"]
    share: Annotated[RealArray, "S 3"]
    zones: Zones
    all_zones: Zones
    character: Annotated[RealArray, "L 8"]
    flow: Annotated[RealArray, "L 8"]
    noise: Annotated[RealArray, "S 12"]
    disc: Annotated[RealArray, "L 2"]

    @cached_property
    def own(self) -> Annotated[RealArray, "8 L"]:
        """What sets each lock apart, eight numbers of spread 1 or so, most of it with its
        neighbours; nobody may write into it."""
        own: RealArray = _AS_ITS_NEIGHBOURS * self.flow.T + _BY_ITSELF * self.character.T
        own.setflags(write=False)
        return own

    @classmethod
    def of(cls, strands: StrandSet, rest_roots: Annotated[RealArray, "S 3"]) -> HairRoots:
        """The roots of scalp strands, which lie there on the head at rest (S, 3)."""
        rng = random_stream(_SEED)
        leader = _spread(rest_roots, LOCKS)
        between, share = _nearest(rest_roots, rest_roots[leader])
        zones = Zones(**zone_fields(rest_roots, strands.field, skull_centre(rest_roots)))
        noise = rng.standard_normal((len(strands), 12))
        stray = rng.random(len(strands)) < 0.06
        noise[:, 3:6] *= np.where(stray, 2.0, 0.7)[:, None]
        angle, radius = rng.uniform(0, 2 * np.pi, LOCKS), np.sqrt(rng.random(LOCKS))
        character = rng.standard_normal((LOCKS, 8)).clip(-2.2, 2.2).astype(np.float32)
        return cls(
            strands=strands,
            leader=leader,
            lock=between[:, 0],
            between=between,
            share=share,
            zones=_at(zones, leader),
            all_zones=zones,
            character=character,
            flow=_flowing(rest_roots[leader], character),
            noise=noise.astype(np.float32),
            disc=np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype(np.float32),
        )


def _at(zones: Zones, rows: IntArray) -> Zones:
    return Zones(**{name: getattr(zones, name)[rows] for name in Zones.__annotations__})


def _spread(points: RealArray, count: int) -> IntArray:
    """Indices (count,) of points that lie far from one another, each farthest from those before."""
    chosen = np.zeros(count, np.intp)
    distance = np.full(len(points), np.inf)
    for k in range(1, count):
        difference = points - points[chosen[k - 1]]
        np.minimum(distance, np.einsum("ij,ij->i", difference, difference), out=distance)
        chosen[k] = distance.argmax()
    return chosen


def _nearest(points: RealArray, centres: RealArray) -> tuple[IntArray, RealArray]:
    """The centres next to each point (N, 3), the nearest first, and their shares (N, 3)."""
    squared = (centres**2).sum(1) - 2.0 * points @ centres.T
    rows = np.arange(len(points))[:, None]
    near = np.argpartition(squared, _GUIDES, axis=1)[:, : _GUIDES + 1]
    near = near[rows, squared[rows, near].argsort(axis=1)]
    away = np.linalg.norm(centres[near] - points[:, None], axis=2)
    # None of a centre that is about to be passed over for another.
    weight = (away[:, _GUIDES:] - away[:, :_GUIDES] + 1e-9) ** 2
    return near[:, :_GUIDES], (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def _flowing(points: RealArray, values: RealArray) -> RealArray:
    """Values (L, C) at points, averaged over neighbours and as large as before."""
    apart = ((points[:, None] - points[None]) ** 2).sum(2)
    weight = np.exp(-0.5 * apart / _FLOW**2)
    smooth = (weight @ values) / np.sqrt((weight**2).sum(1, keepdims=True))
    flowing: RealArray = smooth.clip(-2.2, 2.2).astype(np.float32)
    return flowing


def zone_fields(
    rest: Annotated[RealArray, "N 3"],
    field: Annotated[RealArray, "N"],
    centre: Annotated[RealArray, "3"],
) -> dict[str, Annotated[RealArray, "N"]]:
    """What Zones holds, at points (N, 3) of the head at rest, ``field`` metres above the hairline;
    centre (3,): the middle of its skull."""
    unit = (rest - centre) / _HALF
    x, y, z = unit.T
    top = smoothstep(0.20, 0.85, z)
    behind = smoothstep(-0.05, 0.55, y)
    front = smoothstep(0.045, 0.012, field) * smoothstep(0.65, 0.35, np.abs(x))
    front = front * smoothstep(0.2, 0.5, z) * smoothstep(-0.3, -0.6, y)
    temple = (
        smoothstep(0.08, 0.66, np.abs(x)) * smoothstep(-0.3, -0.65, y) * smoothstep(0.12, 0.45, z)
    )
    crown = np.exp(-((x / 0.55) ** 2) - ((y - 0.35) / 0.55) ** 2) * smoothstep(0.2, 0.7, z)
    path = np.where(z > 0, 0.105 * np.arcsin(np.clip(z, 0, 1)), 0.095 * z)
    found = {
        "top": top,
        "side": (1 - top) * (1 - behind),
        "back": (1 - top) * behind,
        "front": front,
        "temple": temple,
        "crown": crown,
        "upper": smoothstep(-0.15, 0.75, z),
        "above_nape": smoothstep(-0.86, -0.64, z + 0.02 * np.sin(90 * rest[:, 0])),
        "path": path,
        "field": field,
        "ahead": smoothstep(0.1, -0.5, y),
        "burns": smoothstep(-0.10, -0.20, z) * smoothstep(0.14, 0.02, y),
        "edges": smoothstep(0.35, 0.75, np.abs(x)) * smoothstep(0.25, 0.5, z),
        "low": smoothstep(0.35, 0.0, z),
    }
    return {name: values.astype(np.float32) for name, values in found.items()}
