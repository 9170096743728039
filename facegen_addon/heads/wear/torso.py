# SPDX-License-Identifier: GPL-3.0-or-later
"""Chest and shoulders below a neck, as a surface that clothes are laid on.

Columns run down the neck and on over the chest, shoulders and back; a point is given by its column
and its way from the neck's edge: metres, downwards, negative on the neck.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray
from ..appearance import smoothstep
from ..head_model import HeadModel
from .neck import neck_rings

COLUMNS = 84
"""Twice the vertices of a neck's edge."""
_STEPS = 4
"""Points between two rings."""
# Rings below the edge, of the mean head and chosen by eye, metres: of the front y and z, of the
# sides x, y and z, of the back y and z; then by how much the ring is boxed.
_BODY = np.array(
    [
        (-0.0685, -0.056, 0.0890, 0.005, -0.0130, 0.0475, -0.020, 1.00),
        (-0.0790, -0.090, 0.1180, 0.009, -0.0280, 0.0600, -0.050, 0.95),
        (-0.0930, -0.126, 0.1480, 0.011, -0.0410, 0.0700, -0.086, 0.90),
        (-0.1050, -0.162, 0.1770, 0.011, -0.0550, 0.0780, -0.126, 0.85),
        (-0.1130, -0.202, 0.2030, 0.008, -0.0770, 0.0830, -0.170, 0.80),
        (-0.1170, -0.246, 0.2190, 0.004, -0.1200, 0.0850, -0.220, 0.76),
        (-0.1170, -0.300, 0.2270, 0.000, -0.2050, 0.0830, -0.284, 0.74),
        (-0.1120, -0.360, 0.2310, -0.004, -0.3600, 0.0790, -0.360, 0.74),
    ]
)
_EDGE = np.array([0.0, -0.0190995, -0.0120219])
"""The middle of the mean head's neck edge there, metres: `person`'s."""
_RIDGE = 1.6
"""How a shoulder falls off to front and back: 1 as a roof, 2 as a round."""
_ARM = np.array([0.0, 0.0, 0.0, 0.002, 0.012, 0.026, 0.036, 0.040])
"""How deep the crease between chest and arm is in each ring, metres."""
_ARM_AT, _ARM_WIDE = 0.78, 0.14
"""Where it lies, radians from the front and from behind, and how wide it is."""
_WIDER, _WIDTHS = 1.5, (0.87, 1.14)
"""Shoulders' width grows by this power of the neck's girth, within these bounds."""


@dataclass(frozen=True)
class Torso:
    """The surface under one head's clothes.

    points (COLUMNS, N, 3) and normals, along each column; way (COLUMNS, N): metres from the edge;
    turned (COLUMNS,): the angle of each column from the front, radians, positive on the
    subject's left.
    """

    points: Annotated[FloatArray, "C N 3"]
    normals: Annotated[FloatArray, "C N 3"]
    way: Annotated[FloatArray, "C N"]
    turned: Annotated[FloatArray, "C"]

    @classmethod
    def of(cls, model: HeadModel, vertices: Annotated[Float32Array, "V 3"]) -> Torso:
        """The torso below a head's vertices (V, 3), which may be posed."""
        rings = neck_rings(model).vertices
        neck = vertices[rings[::-1]].astype(float)  # from above down to the edge
        columns = np.concatenate([neck, _body(model, neck[-1])]).transpose(1, 0, 2)
        points = _smooth(_between(columns), _STEPS)
        length = np.linalg.norm(np.diff(points, axis=1), axis=2).cumsum(1)
        way = np.pad(length, ((0, 0), (1, 0)))
        way -= way[:, [(len(rings) - 1) * _STEPS]]
        around = np.roll(points, -1, 0) - np.roll(points, 1, 0)
        normals = np.cross(np.gradient(points, axis=1), around)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        return cls(points, normals, way, _angles(model, 2))

    def at(
        self, column: FloatArray | IntArray, way: FloatArray, out: FloatArray | float = 0.0
    ) -> Annotated[FloatArray, "... 3"]:
        """Points (..., 3), metres, ``out`` metres over the surface; columns count from behind."""
        column, way = np.broadcast_arrays(np.asarray(column, float), np.asarray(way, float))
        low = np.floor(column).astype(np.intp)
        share = (column - low)[..., None]
        first = self._in_column(low % COLUMNS, way, out)
        second = self._in_column((low + 1) % COLUMNS, way, out)
        return first + share * (second - first)

    def _in_column(self, column: IntArray, way: FloatArray, out: FloatArray | float) -> FloatArray:
        ways = self.way[column]
        above = np.clip((ways <= way[..., None]).sum(-1) - 1, 0, ways.shape[-1] - 2)[..., None]
        lower, upper = (np.take_along_axis(ways, above + k, -1) for k in (0, 1))
        share = np.clip((way[..., None] - lower) / (upper - lower), 0.0, 1.0)
        first, k = above[..., 0], column
        points = self.points[k, first] + share * (self.points[k, first + 1] - self.points[k, first])
        normals = self.normals[k, first]
        normals = normals + share * (self.normals[k, first + 1] - normals)
        return points + np.broadcast_to(out, way.shape)[..., None] * normals


@lru_cache(maxsize=4)
def _mean_edge(model: HeadModel) -> FloatArray:
    vertices = model.forward(model.table.default())[0]
    edge: FloatArray = vertices[neck_rings(model).vertices[0]].astype(float)
    return edge


@lru_cache(maxsize=8)
def _angles(model: HeadModel, columns: int = 1) -> FloatArray:
    """The angle of each column from the front, or of those between, too: from -pi, behind, by the
    subject's right, which is negative, to the left."""
    edge = _mean_edge(model)
    low, high = edge.min(0), edge.max(0)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    points = edge if columns == 1 else _between(edge[:, None])[:, 0]
    x, y = ((points - middle) / half)[:, :2].T
    angle = np.arctan2(x, -y)
    angle[0] = -np.pi
    return angle


def _body(model: HeadModel, edge: FloatArray) -> Annotated[FloatArray, "R K 3"]:
    """Rings below an edge (K, 3)."""
    mean = _mean_edge(model)
    wide = _girth(edge) / _girth(mean)
    middle = edge.mean(0) - _EDGE
    angle = _angles(model)[None]
    front_y, front_z, side_x, side_y, side_z, back_y, back_z, box = _BODY.T[:, :, None]
    ahead, aside = np.cos(angle), np.sin(angle)
    to_front = ahead > 0.0
    end_y, end_z = np.where(to_front, front_y, back_y), np.where(to_front, front_z, back_z)
    # What is near the neck is as wide as it.
    far = smoothstep(side_x[0], side_x[4], side_x)
    width = wide + far * (np.clip(wide**_WIDER, *_WIDTHS) - wide)
    x = side_x * np.sign(aside) * np.abs(aside) ** box * width
    y = side_y + (end_y * wide - side_y) * np.abs(ahead) ** box
    crease = np.exp(-(((np.arccos(np.abs(ahead)) - _ARM_AT) / _ARM_WIDE) ** 2))
    y = y + np.where(to_front, 1.0, -0.5) * _ARM[:, None] * crease
    z = side_z + (end_z - side_z) * np.abs(ahead) ** _RIDGE
    return np.stack([x, y, z], axis=2) + middle


def _girth(edge: FloatArray) -> float:
    return float(np.linalg.norm(edge - np.roll(edge, 1, 0), axis=1).sum())


def _between(columns: FloatArray) -> FloatArray:
    """Twice as many columns (2 K, R, 3): cubic between those that there are."""
    before, after, beyond = (np.roll(columns, shift, 0) for shift in (1, -1, -2))
    middle = (9.0 * (columns + after) - before - beyond) / 16.0
    both = np.stack([columns, middle], axis=1)
    return both.reshape(-1, *columns.shape[1:])


def _smooth(columns: FloatArray, steps: int) -> FloatArray:
    """Points (C, R, 3) -> (C, steps (R - 1) + 1, 3) on a smooth line through them."""
    ends = np.concatenate(
        [2 * columns[:, :1] - columns[:, 1:2], columns, 2 * columns[:, -1:] - columns[:, -2:-1]], 1
    )
    a, b, c, d = (ends[:, k : k + columns.shape[1] - 1, None] for k in range(4))
    t = np.arange(steps)[None, None, :, None] / steps
    # Catmull and Rom's spline.
    line = 0.5 * (
        2.0 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    flat = line.reshape(len(columns), -1, 3)
    return np.concatenate([flat, columns[:, -1:]], axis=1)
