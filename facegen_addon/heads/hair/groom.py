# SPDX-License-Identifier: GPL-3.0-or-later
"""All strands of a head's hair, from its locks.

Vectors of locks lie component first, (K, 3, L); lengths are metres; constants are chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, IntArray, RealArray
from ..appearance import smoothstep
from ..remembered import same_bits
from .hairline import fullness, recession_edge
from .march import (
    ALONG,
    POINTS,
    Values,
    bluntness,
    cut_across,
    fringe_share,
    lengths,
    march,
    metres,
    ramp,
)
from .proxy import HeadProxy, Outline
from .roots import HairRoots, skull_centre
from .tied import tied, tied_share

_RADIUS, _MORE_RADIUS = 2.6e-4, 1.0e-4
"""Metres at the root, and what short hair has more: a strand stands for a tuft."""
_TAPER = np.interp(ALONG, [0.0, 0.3, 0.65, 1.0], [0.8, 1.0, 0.85, 0.15]).astype(np.float32)
_BLUNT = np.interp(ALONG, [0.0, 0.3, 1.0], [0.8, 1.0, 0.7]).astype(np.float32)
"""How thick a strand is along its length, where it grows out and where it was cut across."""
_AT_THE_EDGE, _LOOSER = 0.025, 0.8
"""Metres behind the hairline where long strands hang in no locks, by so much: there it is seen
between them."""
_AMONG_OTHER = smoothstep(0.05, 0.3, ALONG).astype(np.float32)
"""How much long hair lies among other along its length: only where it begins is it seen alone."""
_FILLS = 1.5
"""How much more strands of a fringe stray: through its gaps the forehead shows."""
_FRIZZ = 0.0018
"""Metres by which strands of curls turn beside their lock."""
_JOINED = 0.6
"""How much less strands lie between locks at their tips, where these are whole."""
_ELSEWHERE = 0.05
"""Metres between locks that have nothing in common."""
_DOWN, _DOWNY, _FINEST = 0.010, 0.4, 0.45
"""Metres behind the hairline where some hair is short and all is finer; the normal above which a
strand is of that down; how fine hair is on the line."""
_THINNED, _CLIPPED = 0.35, 0.75
"""Shares of its strands, and of their length, that hair which fades out at the sides has lost at
its edge."""
_SPARSE = 0.0055
"""Metres behind the line by which a third of its hair has not begun."""


@dataclass(frozen=True)
class _Grown:
    """Hair that has grown: what it was given, the head's stand-in, points and radii."""

    given: tuple[AnyArray, ...]
    proxy: HeadProxy
    points: Annotated[RealArray, "S K 3"]
    radius: Annotated[RealArray, "S K"]


class Groom:
    """Hair of a head model: what grows for given values on given vertices.

    Where nothing has changed that hair touches, as when a nose moves, what has grown last is given
    again; nobody may write into it.
    """

    def __init__(
        self, roots: HairRoots, outline: Outline, rest: Annotated[RealArray, "V 3"], faces: IntArray
    ) -> None:
        """Roots and outline are the model's; rest (V, 3) its head at rest, faces (T, 3)."""
        self.roots = roots
        self._outline = outline
        self._faces = faces
        strands = roots.strands
        self._corners = faces[strands.triangle]
        self._bary = strands.bary.astype(np.float32)
        self._anchor = np.unique(self._corners)
        self._rest = rest[self._anchor].astype(np.float64)
        self._last: _Grown | None = None

    def grow(
        self, values: Values, vertices: Annotated[RealArray, "V 3"]
    ) -> tuple[Annotated[RealArray, "S K 3"], Annotated[RealArray, "S K"]]:
        """Points (S, K, 3) and radii (S, K) of all strands; those of no hair have no length."""
        turn, middle = self._frame(vertices)
        local = ((vertices - middle) @ turn).astype(np.float32)
        start = _at(local, self._corners, self._bary)
        centre = skull_centre(start)
        proxy = HeadProxy(self._outline, local, centre)
        given = (np.array(list(values.values())), turn, middle, start)
        last = self._last
        if last is None or not (same_bits(last.given, given) and last.proxy.answers_as(proxy)):
            last = _Grown(given, proxy, *self._grown(values, turn, middle, start, proxy))
            for array in (last.points, last.radius):
                array.setflags(write=False)
            self._last = last
        return last.points, last.radius

    def _grown(
        self,
        values: Values,
        turn: RealArray,
        middle: RealArray,
        start: RealArray,
        proxy: HeadProxy,
    ) -> tuple[RealArray, RealArray]:
        """Points (S, K, 3) and radii (S, K) from roots (S, 3) in the head's frame."""
        leader = self.roots.leader
        lead = start[leader].T.copy()
        down = (turn.T @ np.array([[0.0], [0.0], [-1.0]])).astype(np.float32)
        length = lengths(self.roots, values)
        locks = march(self.roots, values, length, lead, down, proxy)
        locks = cut_across(locks, self.roots, values, length, float(proxy.centre[2, 0]))
        if values["hair_tied"] > 0:
            share = tied_share(self.roots, values)
            locks = locks + share * (tied(self.roots, values, lead, down, proxy) - locks)
        locks = _waved(self.roots, values, locks)
        placed = np.einsum("wc,kcl->lkw", turn, locks) + middle
        behind = heights_behind_the_edge(self.roots, values).astype(np.float32)
        full = fullness(values, vars(self.roots.all_zones), behind)
        shown = _shown(self.roots, values, behind, full)
        fringe = fringe_share(self.roots, values)[self.roots.lock]
        edge = smoothstep(0.10, 0.20, length)[self.roots.lock]
        edge = np.maximum(edge * (1 - smoothstep(0.0, _AT_THE_EDGE, behind)), fringe)
        points = self._strands(values, length, start, placed, turn, edge)
        points[:, 0] = start @ turn.T.astype(np.float32) + middle.astype(np.float32)
        _shorten(points, shown)
        fine = (1 - _FINEST) * (1 - smoothstep(0.0, 1.2 * _DOWN, behind))
        finer = fine[:, None] * (1 - edge.astype(np.float32)[:, None] * _AMONG_OTHER)
        grown = (shown > 0) * (_FINEST + (1 - _FINEST) * full)
        radius = self._thickness(values, length, fringe) * (grown[:, None] * (1 - finer))
        return points, radius.astype(np.float32, copy=False)

    def _thickness(
        self, values: Values, length: RealArray, fringe: Annotated[RealArray, "S"]
    ) -> Annotated[RealArray, "S K"]:
        """Radii (S, K) of strands of locks of these lengths (L,), with no regard to the hairline;
        fringe (S,): how much of one they are."""
        lock = self.roots.lock
        short = 1 - smoothstep(0.005, 0.08, length)[lock]
        thick = np.float32(_RADIUS) + np.float32(_MORE_RADIUS) * np.maximum(short, 1.3 * fringe)
        thick = thick * np.float32(1 + 0.2 * ramp(0.5, 0.95, values["hair_curl"]))
        cut = bluntness(length, values) * (1 - ramp(0.0, 1.0, values["hair_tied"]))
        cut = np.maximum(cut[lock], fringe).astype(np.float32)[:, None]
        radius: RealArray = thick.astype(np.float32)[:, None] * (_TAPER + cut * (_BLUNT - _TAPER))
        return radius

    def _frame(self, vertices: RealArray) -> tuple[RealArray, RealArray]:
        """The turn (3, 3) of the head against the rest, local to world, and the origin (3,)."""
        now, rest = vertices[self._anchor].astype(np.float64), self._rest
        u, _, v = np.linalg.svd((now - now.mean(0)).T @ (rest - rest.mean(0)))
        turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
        return turn, now.mean(0) - turn @ rest.mean(0)

    def _strands(
        self,
        values: Values,
        length: RealArray,
        start: RealArray,
        placed: RealArray,
        turn: RealArray,
        edge: RealArray,
    ) -> RealArray:
        """Points (S, K, 3) of all strands along their locks (L, K, 3), turned like the head; edge
        (S,): the share of them that is long hair of the hairline."""
        roots = self.roots
        lock, noise = roots.lock, roots.noise
        untidy, curl = values["hair_untidiness"], values["hair_curl"]
        kink = ramp(0.5, 0.95, curl)
        long = metres(max(values["hair_top_length"], values["hair_side_length"]))
        clump = values["hair_clumping"] * (0.35 + 0.65 * ramp(0.004, 0.10, long))
        clump += (0.9 - clump) * ramp(0.0, 1.0, values["hair_tied"])
        scatter = np.minimum(length * 0.06, 0.006) * (0.25 + 1.6 * untidy) * (1 - 0.75 * clump)
        scatter = scatter * (1 - 0.6 * tied_share(roots, values)) * (1 - 0.6 * kink)
        scatter = scatter * (1 + _FILLS * fringe_share(roots, values))
        scatter = scatter[lock][:, None]
        coil = np.float32(
            min(
                0.0008 * curl + _FRIZZ * ramp(0.3, 0.6, curl) * (1 - kink) + 0.0045 * kink,
                0.15 * long,
            )
        )
        placed = placed.astype(np.float32)
        share = _shares_between(roots, values, placed)
        lead = start[roots.leader]
        own = lead.take(lock, axis=0)
        aside = lead.take(roots.between[:, 1:], axis=0) - own[:, None]
        offset = start - own - (share[..., None] * aside).sum(1)
        parts = [
            offset,
            offset * (_LOOSER * edge - 1)[:, None],
            noise[:, :3] * scatter,
            noise[:, 3:6] * scatter,
            np.clip(noise[:, 6:], -1.3, 1.3) * coil,
        ]
        t, turns = ALONG, 2 * np.pi * (2.0 + 2.0 * kink)
        basis = [
            np.ones_like(t),
            clump * smoothstep(0.1, 1.0, t),
            t**1.3,
            t * np.sin(5 * t),
            t**0.5 * np.sin(turns * t),
            t**0.5 * (np.cos(turns * t) - 1),
        ]
        mixing = np.einsum("bk,wc->bckw", np.stack(basis), turn).reshape(-1, POINTS * 3)
        points = np.concatenate(parts, axis=1).astype(np.float32) @ mixing.astype(np.float32)
        points = points.reshape(-1, POINTS, 3)
        along = placed.take(lock, axis=0)
        points += along
        whole = (_JOINED * clump * (1 - _LOOSER * edge)).astype(np.float32)[:, None]
        joined = 1 - whole * smoothstep(0.1, 1.0, t).astype(np.float32)
        for other, much in zip(roots.between[:, 1:].T, share.T, strict=True):
            beside = placed.take(other, axis=0)
            beside -= along
            beside *= (much[:, None] * joined)[..., None]
            points += beside
        return points


def _shares_between(
    roots: HairRoots, values: Values, placed: Annotated[RealArray, "L K 3"]
) -> Annotated[RealArray, "S 2"]:
    """How much each strand follows the second and third lock near it, (S, 2).

    None of one that goes elsewhere, as beyond a parting; coils and what is tied have their own way.
    """
    alone = max(ramp(0.4, 0.9, values["hair_curl"]), ramp(0.0, 0.5, values["hair_tied"]))
    apart = np.zeros((len(roots.lock), 2), np.float32)
    for point in (POINTS // 3, POINTS // 2, POINTS - 1):
        at = placed[:, point]
        aside = at.take(roots.between[:, 1:], axis=0) - at.take(roots.lock, axis=0)[:, None]
        x, y, z = np.moveaxis(aside * aside, -1, 0)
        apart = np.maximum(apart, np.sqrt(x + y + z))
    together: RealArray = smoothstep(_ELSEWHERE, 0.4 * _ELSEWHERE, apart) * (1 - alone)
    return (roots.share[:, 1:] * together).astype(np.float32)


def _shorten(points: RealArray, shown: RealArray) -> None:
    """Leave strands (S, K, 3) some share (S,) of their length, in place."""
    partly = np.flatnonzero(shown < 1)
    at = shown[partly, None] * np.arange(POINTS, dtype=np.float32)
    before = np.minimum(at.astype(np.intp), POINTS - 2)
    share = (at - before)[..., None]
    low, high = (points[partly[:, None], before + step] for step in (0, 1))
    points[partly] = low + share * (high - low)


def _at(vertices: RealArray, corners: IntArray, bary: RealArray) -> RealArray:
    a, b, c = (vertices[corners[:, k]] * bary[:, k : k + 1] for k in range(3))
    return a + b + c


def shares_shown(roots: HairRoots, values: Values) -> Annotated[RealArray, "S"]:
    """How much of its length each strand has, (S,): 0 where there is no hair."""
    behind = heights_behind_the_edge(roots, values)
    return _shown(roots, values, behind, fullness(values, vars(roots.all_zones), behind))


def _shown(roots: HairRoots, values: Values, behind: RealArray, full: RealArray) -> RealArray:
    """As `shares_shown`, of strands so far behind the line and of hair so full (S,)."""
    zones, rank = roots.all_zones, roots.strands.rank
    within = np.where(roots.noise[:, 1] > _DOWNY, _DOWN, 0.3 * _DOWN)
    above = np.clip(behind / within, 0.0, 1.0) * zones.above_nape
    density = values["hair_density"] * 1.08 - 0.02
    bald = bald_share(values, zones.crown, zones.upper)
    thinned = 1 - _THINNED * (1 - full)
    dense = np.clip((density * (1 - bald) * thinned - rank) / 0.03, 0.0, 1.0)
    clipped = 1 - _CLIPPED * (1 - full)
    shown: RealArray = (above * dense * clipped).astype(np.float32)
    return shown


def heights_behind_the_edge(roots: HairRoots, values: Values) -> Annotated[RealArray, "S"]:
    """Metres from the hairline to each root, (S,); strands and locks begin here and there."""
    zones = roots.all_zones
    edge = recession_edge(values, vars(zones))
    # Sparse at first: each hair begins somewhere behind the line, whose course is uneven.
    own = _SPARSE * np.abs(roots.noise[:, 0]) - 0.25 * _SPARSE
    course = 0.0016 * roots.character[roots.lock, 2] + 0.0022 * roots.flow[roots.lock, 2]
    own = own + course * (1 - 0.6 * zones.burns)
    height: RealArray = zones.field - edge - own
    return height


def bald_share(values: Values, crown: RealArray, upper: RealArray) -> RealArray:
    """The share of strands (N,) that baldness has taken."""
    thinning = values["hair_thinning"]
    whole = ramp(0.35, 1.0, thinning) * smoothstep(0.25, 0.85, upper)
    patch = np.clip(thinning * 1.6, 0, 1) * smoothstep(0.75 - 0.6 * thinning, 1.0, crown)
    bald: RealArray = 1 - (1 - whole) * (1 - patch)
    return bald


def _waved(roots: HairRoots, values: Values, locks: RealArray) -> RealArray:
    """Locks (K, 3, L) with waves, which swing to the side, and curls, which turn."""
    wave, curl = np.float32(values["hair_wave"]), np.float32(values["hair_curl"])
    if wave + curl <= 0:
        return locks
    tangent = np.gradient(locks, axis=0)
    segment = np.sqrt((tangent * tangent).sum(1))
    tangent = tangent / np.maximum(segment, 1e-9)[:, None]
    centre = locks[0].mean(1)[None, :, None]
    out = locks - centre
    out = out - tangent * (out * tangent).sum(1)[:, None]
    out = out / np.maximum(np.sqrt((out * out).sum(1)), 1e-6)[:, None]
    side = np.stack(
        [
            tangent[:, 1] * out[:, 2] - tangent[:, 2] * out[:, 1],
            tangent[:, 2] * out[:, 0] - tangent[:, 0] * out[:, 2],
            tangent[:, 0] * out[:, 1] - tangent[:, 1] * out[:, 0],
        ],
        axis=1,
    )
    arc = np.cumsum(segment, axis=0) - segment[0]
    total = arc[-1]
    turns = np.minimum(total / (0.075 - 0.04 * curl), (POINTS - 1) / 3.6)
    phase = 2 * np.pi * turns * arc / np.maximum(total, 1e-6) + (
        0.9 * roots.flow[:, 7] + (0.35 * wave + 1.2 * curl) * roots.character[:, 7]
    )
    # Long hair is straight where its weight hangs on it: at the roots.
    straight = 0.08 * smoothstep(0.10, 0.25, total) * (1 - ramp(0.2, 0.6, values["hair_curl"]))
    grow = smoothstep(0.01, 0.06, arc - straight) * np.minimum(total / 0.10, 1.0)
    grow = grow * (1 - 0.6 * tied_share(roots, values) * smoothstep(0.6, 0.3, ALONG)[:, None])
    swing = grow * (0.013 * wave + 0.012 * curl)
    turn = grow * 0.012 * curl
    return locks + (swing * np.sin(phase))[:, None] * side + (turn * (np.cos(phase)))[:, None] * out
