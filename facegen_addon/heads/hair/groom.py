# SPDX-License-Identifier: GPL-3.0-or-later
"""All strands of a head's hair, from its locks.

Vectors of locks lie component first, (K, 3, L); lengths are metres; constants are chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import IntArray, RealArray
from ..appearance import smoothstep
from ..remembered import LastResult
from ..strands import StrandSet
from ..surface import Surface
from .cut import ALONG, POINTS, Values, bluntness, cut_across, fringe_share, lengths, ramp
from .hairline import fullness, recession_edge
from .march import march
from .proxy import HeadProxy, Outline
from .roots import HairRoots, skull_centre
from .tied import tied, tied_share
from .tufts import Tufts, shorten

_RADIUS, _MORE_RADIUS = 2.6e-4, 1.0e-4
"""Metres at the root, and what short hair has more: a strand stands for a tuft."""
_TAPER = np.interp(ALONG, [0.0, 0.3, 0.65, 1.0], [0.8, 1.0, 0.85, 0.15]).astype(np.float32)
_BLUNT = np.interp(ALONG, [0.0, 0.3, 1.0], [0.8, 1.0, 0.7]).astype(np.float32)
"""How thick a strand is along its length, where it grows out and where it was cut across."""
_AT_THE_EDGE = 0.025
"""Metres behind the hairline where long strands hang in no locks: there it is seen between them."""
_AMONG_OTHER = smoothstep(0.05, 0.3, ALONG).astype(np.float32)
"""How much long hair lies among other along its length: only where it begins is it seen alone."""
_DOWN, _DOWNY, _FINEST = 0.010, 0.4, 0.45
"""Metres behind the hairline where some hair is short and all is finer; the normal above which a
strand is of that down; how fine hair is on the line."""
_THINNED, _CLIPPED = 0.35, 0.75
"""Shares of its strands, and of their length, that hair which fades out at the sides has lost at
its edge."""
_SPARSE = 0.0055
"""Metres behind the line by which a third of its hair has not begun."""


@dataclass(frozen=True)
class _Cut:
    """What values alone make of hair, on any head.

    length (L,): metres of locks; shown (S,): the share of its length that each strand has; edge
    (S,): how much each is long hair of the hairline; radius (S, K) and strays (12, S) metres.
    """

    length: Annotated[RealArray, "L"]
    shown: Annotated[RealArray, "S"]
    edge: Annotated[RealArray, "S"]
    radius: Annotated[RealArray, "S K"]
    strays: Annotated[RealArray, "12 S"]


@dataclass(frozen=True)
class _Grown:
    """Points of hair that has grown, and the stand-in of the head that it grew on."""

    proxy: HeadProxy
    points: Annotated[RealArray, "S K 3"]


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
        self._tufts = Tufts(roots)
        corners = faces[roots.strands.triangle]
        anchor = np.unique(corners)
        self._rest = rest[anchor].astype(np.float64)
        self._used = np.union1d(anchor, outline.vertices)
        self._anchor = np.searchsorted(self._used, anchor)
        self._outline = outline.among(self._used)
        self._corners = np.searchsorted(self._used, corners.T)
        self._bary = np.ascontiguousarray(roots.strands.bary.T.astype(np.float32))
        self._last: LastResult[_Grown] = LastResult()
        self._last_cut: LastResult[_Cut] = LastResult()

    @classmethod
    def on(cls, surface: Surface, strands: StrandSet) -> Groom:
        """Hair rooted there on a model's surface."""
        rest = surface.rest_position
        roots = (rest[surface.faces[strands.triangle]] * strands.bary[..., None]).sum(1)
        outline = Outline.of(surface, rest, skull_centre(roots))
        return cls(HairRoots.of(strands, roots), outline, rest, surface.faces)

    def grow(
        self, values: Values, vertices: Annotated[RealArray, "V 3"]
    ) -> tuple[Annotated[RealArray, "S K 3"], Annotated[RealArray, "S K"]]:
        """Points (S, K, 3) and radii (S, K) of all strands; those of no hair have no length."""
        used = vertices[self._used]
        turn, middle = self._frame(used[self._anchor])
        local = ((used - middle) @ turn).astype(np.float32).T.copy()
        start = self._roots_on(local)
        proxy = HeadProxy(self._outline, local, skull_centre(start.T))
        numbers = np.array(list(values.values()))
        cut = self._last_cut.of((numbers,), lambda: self._cut(values))
        grown = self._last.of(
            (numbers, turn, middle, start),
            lambda: _Grown(proxy, self._grown(values, cut, turn, middle, start, proxy)),
            lambda last: last.proxy.answers_as(proxy),
        )
        return grown.points, cut.radius

    def _roots_on(self, local: Annotated[RealArray, "3 U"]) -> Annotated[RealArray, "3 S"]:
        """Where strands are rooted, (3, S), on a head whose vertices in use are at (3, U)."""
        a, b, c = (
            local.take(corner, axis=1) * share
            for corner, share in zip(self._corners, self._bary, strict=True)
        )
        start: RealArray = a + b + c
        return start

    def _cut(self, values: Values) -> _Cut:
        roots = self.roots
        length = lengths(roots, values)
        behind = heights_behind_the_edge(roots, values).astype(np.float32)
        full = fullness(values, vars(roots.all_zones), behind)
        shown = _shown(roots, values, behind, full)
        fringe = fringe_share(roots, values)[roots.lock]
        edge = smoothstep(0.10, 0.20, length)[roots.lock]
        edge = np.maximum(edge * (1 - smoothstep(0.0, _AT_THE_EDGE, behind)), fringe)
        fine = (1 - _FINEST) * (1 - smoothstep(0.0, 1.2 * _DOWN, behind))
        finer = fine * (1 - edge.astype(np.float32) * _AMONG_OTHER[:, None])
        grown = (shown > 0) * (_FINEST + (1 - _FINEST) * full)
        thick = self._thickness(values, length, fringe) * (grown * (1 - finer))
        radius = np.ascontiguousarray(thick.T, np.float32)
        radius.setflags(write=False)
        return _Cut(length, shown, edge, radius, self._tufts.strays(values, length))

    def _grown(
        self,
        values: Values,
        cut: _Cut,
        turn: RealArray,
        middle: RealArray,
        start: Annotated[RealArray, "3 S"],
        proxy: HeadProxy,
    ) -> Annotated[RealArray, "S K 3"]:
        """Points (S, K, 3) from roots (3, S) in the head's frame."""
        lead = start[:, self.roots.leader]
        down = (turn.T @ np.array([[0.0], [0.0], [-1.0]])).astype(np.float32)
        locks = march(self.roots, values, cut.length, lead, down, proxy)
        locks = cut_across(locks, self.roots, values, cut.length, float(proxy.centre[2, 0]))
        if values["hair_tied"] > 0:
            share = tied_share(self.roots, values)
            drawn_back = tied(self.roots, values, lead, down, proxy).astype(np.float32)
            locks = locks + share * (drawn_back - locks)
        locks = _waved(self.roots, values, locks)
        placed = np.einsum("wc,kcl->lkw", turn, locks) + middle
        points = self._tufts.points(values, start, placed, turn, cut.edge, cut.strays)
        points[:, 0] = start.T @ turn.T.astype(np.float32) + middle.astype(np.float32)
        shorten(points, cut.shown)
        points.setflags(write=False)
        return points

    def _thickness(
        self, values: Values, length: RealArray, fringe: Annotated[RealArray, "S"]
    ) -> Annotated[RealArray, "K S"]:
        """Radii (K, S) of strands of locks of these lengths (L,), with no regard to the hairline;
        fringe (S,): how much of one they are."""
        lock = self.roots.lock
        short = 1 - smoothstep(0.005, 0.08, length)[lock]
        thick = np.float32(_RADIUS) + np.float32(_MORE_RADIUS) * np.maximum(short, 1.3 * fringe)
        thick = thick * np.float32(1 + 0.2 * ramp(0.5, 0.95, values["hair_curl"]))
        cut = bluntness(length, values) * (1 - ramp(0.0, 1.0, values["hair_tied"]))
        cut = np.maximum(cut[lock], fringe).astype(np.float32)
        along = _TAPER[:, None] + cut * (_BLUNT - _TAPER)[:, None]
        radius: RealArray = thick.astype(np.float32) * along
        return radius

    def _frame(self, now: Annotated[RealArray, "A 3"]) -> tuple[RealArray, RealArray]:
        """The turn (3, 3) of the head against the rest, local to world, and the origin (3,); now
        (A, 3): where its anchors are."""
        now, rest = now.astype(np.float64), self._rest
        u, _, v = np.linalg.svd((now - now.mean(0)).T @ (rest - rest.mean(0)))
        turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
        return turn, now.mean(0) - turn @ rest.mean(0)


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
