# SPDX-License-Identifier: GPL-3.0-or-later
"""Long hair that lies on the clothes which are worn, instead of hanging through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..appearance import held
from ..head_model import HeadModel
from ..strands import SCALP
from .pieces import Piece
from .torso import COLUMNS, Torso

_DEEP = 0.17
"""Metres below the neck's edge of the point from which cloth is looked at."""
_AROUND, _UP, _LEVEL = 72, 45, 15
"""Directions: round the chest, and from below to straight up; which of these is level."""
_HIGHEST = 0.045
"""Metres above the neck's edge that no collar is higher than."""
_HAIR = 0.0045
"""Metres that hair keeps from cloth: between two of its points it cuts corners."""
_SAMPLES = 3
"""Points looked at along each side of a piece of cloth, the next corner not counted."""
_STEPS = np.arange(_SAMPLES) / _SAMPLES
_U, _V = _STEPS.repeat(_SAMPLES), np.tile(_STEPS, _SAMPLES)
_ON_A_QUAD = np.stack([(1 - _U) * (1 - _V), _U * (1 - _V), _U * _V, (1 - _U) * _V], axis=1)
"""What each of a quad's corners is of each of those points (SAMPLES ** 2, 4)."""
_WRAPPED, _BEFORE = _AROUND + 4, _AROUND // 2 + 2
_COLUMNS = (np.arange(_WRAPPED) - _BEFORE) % _AROUND
"""Directions of the table's columns; straight ahead is the one after so many."""


def over_clothes(
    model: HeadModel, torso: Torso, cloth: Piece, points: Annotated[FloatArray, "N 3"]
) -> Annotated[FloatArray, "N 3"]:
    """A model's points of strands (N, 3), metres: those of hair that are in or under a garment, or
    its wearer, laid on it; those of the face as they are."""
    edge = torso.at(np.arange(COLUMNS), np.zeros(1))
    hair = np.repeat(model.strands.region == SCALP, model.strand_sizes)
    low = np.flatnonzero(hair & (points[:, 2] < edge[:, 2].max() + _HIGHEST))
    if not len(low):
        return points
    moved = points.copy()
    chest = _ClothedChest.of(edge.mean(0) - [0.0, 0.0, _DEEP], torso, cloth)
    moved[low] = chest.keep_out(points.take(low, axis=0).astype(np.float32))
    return moved


@dataclass(frozen=True)
class _ClothedChest:
    """How far chest and cloth reach by direction, seen from inside.

    centre (3,); reach (UP, WRAPPED) metres: some directions at the back stand twice, so that each
    has its neighbours beside it.
    """

    centre: Annotated[FloatArray, "3"]
    reach: Annotated[FloatArray, "_ _"]

    @classmethod
    def of(cls, centre: FloatArray, torso: Torso, cloth: Piece) -> _ClothedChest:
        sampled = (_ON_A_QUAD @ cloth.vertices[cloth.quads]).reshape(-1, 3)
        points = np.concatenate([sampled, torso.points.reshape(-1, 3)])
        around, up, length = _directions(points - centre)
        cell = np.rint(up).astype(np.intp).clip(0) * _AROUND
        cell += np.rint(around).astype(np.intp) % _AROUND
        reach = np.zeros(_UP * _AROUND)
        np.maximum.at(reach, cell, length)
        table = reach.reshape(_UP, _AROUND)[:, _COLUMNS]
        return cls(centre.astype(np.float32), table.astype(np.float32))

    def keep_out(self, points: Annotated[FloatArray, "M 3"]) -> Annotated[FloatArray, "M 3"]:
        """Points of hair (M, 3), those inside moved away from the centre."""
        offset = points - self.centre
        around, up, length = _directions(offset)
        missing = np.maximum(self._at(around, up) + _HAIR - length, 0.0) * (up > 0)
        return points + (missing / np.maximum(length, 1e-6))[:, None] * offset

    def _at(self, around: FloatArray, up: FloatArray) -> FloatArray:
        left, low = np.floor(around), held(np.floor(up), 0, _UP - 2)
        p, q = around - left, held(up - low, 0, 1)
        first = (low * _WRAPPED + left).astype(np.intp) + _BEFORE
        table = self.reach.ravel()
        rest = 1 - p
        below = table.take(first) * rest + table.take(first + 1) * p
        first += _WRAPPED
        above = table.take(first) * rest + table.take(first + 1) * p
        return below * (1 - q) + above * q


def _directions(offset: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where offsets (N, 3) lie in the table: round, up, and metres away."""
    x, y, z = offset.T
    length = np.sqrt(x * x + y * y + z * z)
    around = np.arctan2(x, -y) * (_AROUND / (2 * np.pi))
    up = np.arcsin(held(z / np.maximum(length, 1e-9), -1, 1))
    return around, _LEVEL + up * ((_UP - 1 - _LEVEL) / (0.5 * np.pi)), length
