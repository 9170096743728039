# SPDX-License-Identifier: GPL-3.0-or-later
"""Long hair that lies on the clothes which are worn, instead of hanging through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from .pieces import Piece
from .torso import COLUMNS, Torso

_DEEP = 0.17
"""Metres below the neck's edge of the point from which cloth is looked at."""
_AROUND, _UP = 72, 30
"""Directions: round the chest, and from level to straight up."""
_HIGHEST = 0.045
"""Metres above the neck's edge that no collar is higher than."""
_HAIR = 0.0045
"""Metres that hair keeps from cloth: between two of its points it cuts corners."""
_SAMPLES = 3
"""Points looked at along each side of a piece of cloth."""


def over_clothes(
    torso: Torso, cloth: Piece, points: Annotated[FloatArray, "N 3"]
) -> Annotated[FloatArray, "N 3"]:
    """Points of hair (N, 3), metres, those in or under a garment, or its wearer, laid on it."""
    edge = torso.at(np.arange(COLUMNS), np.zeros(1))
    low = points[:, 2] < edge[:, 2].max() + _HIGHEST
    if not low.any():
        return points
    moved = points.copy()
    chest = _ClothedChest.of(edge.mean(0) - [0.0, 0.0, _DEEP], torso, cloth)
    moved[low] = chest.keep_out(points[low])
    return moved


@dataclass(frozen=True)
class _ClothedChest:
    """How far chest and cloth reach by direction, seen from inside.

    centre (3,); reach (UP, AROUND) metres.
    """

    centre: Annotated[FloatArray, "3"]
    reach: Annotated[FloatArray, "_ _"]

    @classmethod
    def of(cls, centre: FloatArray, torso: Torso, cloth: Piece) -> _ClothedChest:
        steps = np.linspace(0.0, 1.0, _SAMPLES)
        a, b, c, d = (cloth.vertices[cloth.quads[:, k]][:, None, None] for k in range(4))
        u, v = steps[:, None, None], steps[None, :, None]
        sampled = (1 - u) * ((1 - v) * a + v * d) + u * ((1 - v) * b + v * c)
        points = np.concatenate([sampled.reshape(-1, 3), torso.points.reshape(-1, 3)])
        around, up, length = _directions(points - centre)
        seen = up > -0.5
        cell = np.rint(up[seen]).astype(np.intp) * _AROUND
        cell += np.rint(around[seen]).astype(np.intp) % _AROUND
        reach = np.zeros(_UP * _AROUND)
        np.maximum.at(reach, cell, length[seen])
        return cls(centre, reach.reshape(_UP, _AROUND))

    def keep_out(self, points: Annotated[FloatArray, "M 3"]) -> Annotated[FloatArray, "M 3"]:
        """Points of hair (M, 3), those inside moved away from the centre."""
        offset = points - self.centre
        around, up, length = _directions(offset)
        missing = np.maximum(self._at(around, up) + _HAIR - length, 0.0) * (up > 0)
        return points + (missing / np.maximum(length, 1e-6))[:, None] * offset

    def _at(self, around: FloatArray, up: FloatArray) -> FloatArray:
        left, low = np.floor(around).astype(np.intp), np.floor(up).astype(np.intp).clip(0, _UP - 2)
        p, q = around - left, np.clip(up - low, 0.0, 1.0)
        first, second = left % _AROUND, (left + 1) % _AROUND
        below = self.reach[low, first] * (1 - p) + self.reach[low, second] * p
        above = self.reach[low + 1, first] * (1 - p) + self.reach[low + 1, second] * p
        return below * (1 - q) + above * q


def _directions(offset: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where offsets (N, 3) lie in the table: round, up, and metres away."""
    length = np.linalg.norm(offset, axis=1)
    around = np.arctan2(offset[:, 0], -offset[:, 1]) / (2 * np.pi) * _AROUND
    up = np.arcsin(np.clip(offset[:, 2] / np.maximum(length, 1e-9), -1.0, 1.0))
    return around, up / (0.5 * np.pi) * (_UP - 1), length
