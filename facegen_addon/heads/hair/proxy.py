# SPDX-License-Identifier: GPL-3.0-or-later
"""A cheap stand-in for head, neck and shoulders that hair lies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import IntArray, RealArray
from ..appearance import held, smoothstep
from ..remembered import same_bits
from ..surface import Surface, neck_edge

_ROUND, _UP = 48, 28
"""Cells around the head and from bottom to top."""
_AROUND, _BEFORE = _ROUND + 4, _ROUND // 2 + 2
"""Columns of the grid, in which some cells at the nape stand twice, so that each has its neighbours
beside it; in which of them straight ahead is."""
_COLUMNS = (np.arange(_AROUND) - _BEFORE) % _ROUND
_CORNERS = np.array([[0], [_AROUND], [1], [_AROUND + 1]])
"""From a corner of a cell to all four: below and above, at the left and then at the right."""
_SAMPLES = 6
"""Points along a triangle's edge that are looked at."""


@dataclass(frozen=True)
class Outline:
    """Which points of a model's skin lie farthest out, seen from inside the skull.

    corners (3, N) and bary (3, N): without ears and then with them, from the lowest cells up;
    edge (E,): the neck's vertices.
    """

    corners: Annotated[IntArray, "3 N"]
    bary: Annotated[RealArray, "3 N"]
    edge: Annotated[IntArray, "E"]

    @classmethod
    def of(cls, surface: Surface, rest: Annotated[RealArray, "V 3"], centre: RealArray) -> Outline:
        """The outline of a model's head at rest, seen from ``centre`` (3,)."""
        skin = surface.vertices_of("skin")
        faces = surface.faces[skin[surface.faces].all(1)]
        ears = surface.masks["ears"][faces].max(1) > 0.3
        found = [
            _outermost(faces[kept], rest, centre) for kept in (~ears, np.ones(len(ears), bool))
        ]
        return cls(
            corners=np.concatenate([corners for corners, _ in found]).T.copy(),
            bary=np.concatenate([bary for _, bary in found]).T.astype(np.float32, order="C"),
            edge=neck_edge(faces, rest[:, 2]),
        )

    @property
    def vertices(self) -> Annotated[IntArray, "U"]:
        """Those that it is made of, in order."""
        return np.union1d(self.corners, self.edge)

    def among(self, vertices: Annotated[IntArray, "U"]) -> Outline:
        """The same, where there are only these vertices (U,), in order."""
        corners, edge = (np.searchsorted(vertices, rows) for rows in (self.corners, self.edge))
        return Outline(corners, self.bary, edge)


def _outermost(faces: IntArray, rest: RealArray, centre: RealArray) -> tuple[IntArray, RealArray]:
    steps = np.arange(_SAMPLES) / (_SAMPLES - 1)
    a, b = np.meshgrid(steps, steps)
    inside = a + b <= 1.0 + 1e-9
    weights = np.stack([a[inside], b[inside], 1 - a[inside] - b[inside]], axis=1)
    points = np.einsum("tkc,wk->twc", rest[faces] - centre, weights).reshape(-1, 3)
    radius = np.linalg.norm(points, axis=1)
    azimuth, height = _cells(points.T / radius)
    cell = np.clip(np.rint(height), 0, _UP - 1) * _ROUND + np.rint(azimuth) % _ROUND
    order = np.lexsort((radius, cell))
    last = np.append(np.flatnonzero(np.diff(cell[order])), len(order) - 1)
    winner = np.full(_UP * _ROUND, -1)
    winner[cell[order[last]].astype(int)] = order[last]
    winner = _filled(winner.reshape(_UP, _ROUND)).ravel()
    triangle, weight = np.divmod(winner, len(weights))
    return faces[triangle].astype(np.intp), weights[weight]


def _filled(winner: IntArray) -> IntArray:
    """Cells without any skin take what the nearest filled cell around or above them has."""
    while (winner < 0).any():
        for shift, axis in ((1, 1), (-1, 1), (-1, 0), (1, 0)):
            moved = np.roll(winner, shift, axis)
            winner = np.where(winner < 0, moved, winner)
    return winner


def _cells(direction: RealArray) -> tuple[RealArray, RealArray]:
    """Where unit directions (3, N) lie in the grid."""
    azimuth = np.arctan2(direction[0], -direction[1]) * (_ROUND / (2 * np.pi))
    return azimuth, np.arcsin(held(direction[2], -1, 1)) * ((_UP - 1) / np.pi) + (_UP - 1) / 2


class HeadProxy:
    """The stand-in for one head in its own frame, from local vertices (3, U), metres."""

    def __init__(self, outline: Outline, vertices: Annotated[RealArray, "3 U"], centre: RealArray):
        self.centre = centre.astype(np.float32)[:, None]
        a, b, c = (
            vertices.take(corner, axis=1) * share
            for corner, share in zip(outline.corners, outline.bary, strict=True)
        )
        x, y, z = a + b + c - centre[:, None]
        radius = np.sqrt(x**2 + y**2 + z**2).reshape(2, _UP, _ROUND)
        self._grid = _smoothed(radius).astype(np.float32)[..., _COLUMNS].reshape(2, -1)
        self._asked = np.zeros(_UP * _AROUND, bool)
        edge = vertices[:, outline.edge]
        low, high = edge.min(1), edge.max(1)
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        self._neck = (middle, half + 0.009)
        self._neck_top = float(low[2]) + 0.065
        self._shoulders = (
            np.array([middle[0], middle[1] + 0.018, low[2] - 0.190], np.float32)[:, None],
            np.array([half[0] + 0.20, half[1] + 0.056, 0.237], np.float32)[:, None],
        )

    def answers_as(self, other: HeadProxy) -> bool:
        """Whether another head's stand-in says the same of all that this one was asked."""
        asked = np.flatnonzero(self._asked) + _CORNERS
        ours, theirs = (
            (
                one._grid[:, asked],
                *(one.centre, *one._neck, np.array(one._neck_top), *one._shoulders),
            )
            for one in (self, other)
        )
        return same_bits(ours, theirs)

    def outward(
        self, points: Annotated[RealArray, "3 N"], ears: RealArray | float
    ) -> tuple[Annotated[RealArray, "N"], Annotated[RealArray, "3 N"]]:
        """Metres outside the head (N,) and the direction away from it (3, N); ears in [0, 1]."""
        offset = points - self.centre
        distance = np.sqrt((offset * offset).sum(0))
        direction = offset / np.maximum(distance, 1e-6)
        return distance - self._radius(direction, ears), direction

    def _radius(self, direction: RealArray, ears: RealArray | float) -> RealArray:
        azimuth, height = _cells(direction)
        left = np.floor(azimuth)
        low = held(np.floor(height), 0, _UP - 2)
        across, up = azimuth - left, height - low
        corner = (low * _AROUND + left).astype(np.intp) + _BEFORE
        self._asked[corner] = True
        corners = self._grid.take(corner + _CORNERS, axis=1)
        below, above = np.moveaxis(corners[:, :2] * (1 - across) + corners[:, 2:] * across, 1, 0)
        bare, eared = below + (above - below) * up
        return bare + np.maximum(eared - bare, 0.0) * ears

    def push_out(
        self, points: Annotated[RealArray, "3 N"], clearance: RealArray, ears: RealArray | float
    ) -> Annotated[RealArray, "3 N"]:
        """Points kept so many metres (N,) off head, neck and shoulders."""
        return self.pushed(points, clearance, *self.outward(points, ears))

    def pushed(
        self, points: RealArray, clearance: RealArray, distance: RealArray, direction: RealArray
    ) -> Annotated[RealArray, "3 N"]:
        """The same, where it is known what `outward` says of the points."""
        points = points + direction * np.maximum(clearance - distance, 0.0)
        low = np.flatnonzero(points[2] < self._neck_top)
        if len(low):
            points[:, low] = self._off_the_bust(points.take(low, axis=1), clearance.take(low))
        return points

    def _off_the_bust(self, points: RealArray, clearance: RealArray) -> RealArray:
        middle, half = self._neck
        x, y = points[0] - middle[0], points[1] - middle[1]
        a, b = half[0] + clearance, half[1] + clearance
        fade = held((self._neck_top - points[2]) / 0.03, 0.0, 1.0)
        level = np.sqrt((x / a) ** 2 + (y / b) ** 2)
        grown = 1 + (np.maximum(1.0 / np.maximum(level, 0.2), 1.0) - 1) * fade
        # Behind the neck hair keeps beside its neighbours: it must not part over the nape.
        behind = smoothstep(0.0, 0.03, y)
        back = np.maximum(b * np.sqrt(np.maximum(1 - (x / a) ** 2, 0.0)) - y, 0.0) * fade
        x = x * (grown + behind * (1 - grown))
        y = y * grown + behind * (y + back - y * grown)
        points = np.stack([middle[0] + x, middle[1] + y, points[2]])
        centre, axes = self._shoulders
        x, y, z = (points - centre) / (axes + clearance)
        # Hair slides off a shoulder to the front or to the back, not to the side.
        free = np.sqrt(np.maximum(1 - x * x - z * z, 0.0))
        side = np.where(y >= 0, 1.0, -1.0)
        points[1] = centre[1] + side * np.maximum(np.abs(y), free) * (axes[1] + clearance)
        return points


def _smoothed(radius: RealArray) -> RealArray:
    """The grid's radii (2, UP, ROUND), those below and above without neighbours kept."""
    across = 0.5 * radius + 0.25 * (np.roll(radius, 1, 2) + np.roll(radius, -1, 2))
    padded = np.concatenate([across[:, :1], across, across[:, -1:]], axis=1)
    smooth: RealArray = 0.5 * across + 0.25 * (padded[:, :-2] + padded[:, 2:])
    return smooth
