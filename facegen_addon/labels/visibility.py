# SPDX-License-Identifier: GPL-3.0-or-later
"""Which points of a surface a camera sees, by casting a ray to each of them."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray, RealArray

TOLERANCE = 0.0002
"""Metres that a surface must lie before a point to hide it: lids and lips cover in thin folds."""
_CELLS = 64
"""Triangles are looked up in a grid of so many cells a side, laid over the points."""


def hidden_points(
    points: Annotated[RealArray, "N 3"],
    vertices: Annotated[RealArray, "V 3"],
    triangles: Annotated[IntArray, "T 3"],
) -> Annotated[BoolArray, "N"]:
    """Which points (N, 3) lie behind triangles (T, 3) of vertices (V, 3): (N,).

    All in camera coordinates, metres, z forward. On the image plane z = 1 a ray is a point, and the
    inverse of a triangle's depth is linear, so that rays and triangles are compared in two
    dimensions. Points behind the camera are hidden; triangles behind it hide nothing.
    """
    hidden = points[:, 2] <= 0
    ahead = np.flatnonzero(~hidden)
    if len(ahead):
        depth = vertices[:, 2]
        if depth.min() <= 0:
            triangles = triangles[(depth > 0)[triangles].all(1)]
            depth = np.where(depth > 0, depth, 1.0)
        hidden[ahead] = _behind(points[ahead], vertices[:, :2] / depth[:, None], depth, triangles)
    return hidden


def _behind(
    points: FloatArray, flat: FloatArray, depth: FloatArray, triangles: IntArray
) -> BoolArray:
    """As hidden_points, of points and triangles ahead; vertices as flat (V, 2) and depth (V,)."""
    targets = points[:, :2] / points[:, 2:]
    limit = points[:, 2] - TOLERANCE
    target, triangle = _pairs(targets, flat, triangles)
    corners = triangles[triangle]
    nearer = np.flatnonzero((depth[corners] < limit[target, None]).any(1))
    target, corners = target[nearer], corners[nearer]
    inside, inverse = _crossing(targets[target], flat[corners], 1.0 / depth[corners])
    before = inside & (inverse * limit[target] > 1.0)
    behind = np.zeros(len(points), bool)
    behind[target[before]] = True
    return behind


def _crossing(
    target: FloatArray, corners: FloatArray, nearness: FloatArray
) -> tuple[BoolArray, FloatArray]:
    """Whether points (K, 2) lie in triangles (K, 3, 2), and the inverse depth there (K,)."""
    offset = corners - target[:, None]
    following = offset[:, [1, 2, 0]]
    # Twice the area between the point and the side from each corner to the next.
    areas = offset[..., 0] * following[..., 1] - offset[..., 1] * following[..., 0]
    whole = areas.sum(1)
    inside = ((areas >= 0).all(1) | (areas <= 0).all(1)) & (whole != 0)
    opposite = areas[:, [1, 2, 0]]  # of each corner
    inverse = (opposite * nearness).sum(1) / np.where(inside, whole, 1.0)
    return inside, inverse


def _pairs(targets: FloatArray, flat: FloatArray, triangles: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of points (N, 2) and of triangles (T, 3) that share a cell of a grid."""
    low = targets.min(0)
    scale = _CELLS / np.maximum(targets.max(0) - low, 1e-9)

    def cells(places: FloatArray) -> IntArray:
        return np.clip(np.floor((places - low) * scale), -1, _CELLS).astype(np.intp)

    a, b, c = (cells(flat)[triangles[:, k]] for k in range(3))
    first = np.maximum(np.minimum(np.minimum(a, b), c), 0)
    last = np.minimum(np.maximum(np.maximum(a, b), c), _CELLS - 1)
    near = np.flatnonzero((first <= last).all(1))
    rows = last[near, 1] - first[near, 1] + 1
    place, step = _counted((last[near, 0] - first[near, 0] + 1) * rows)
    column = first[near, 0][place] + step // rows[place]
    row = first[near, 1][place] + step % rows[place]
    cell_of_target = np.minimum(cells(targets), _CELLS - 1) @ [_CELLS, 1]
    return _joined(cell_of_target, column * _CELLS + row, near[place])


def _joined(
    cell_of_target: IntArray, cell: IntArray, triangle: IntArray
) -> tuple[IntArray, IntArray]:
    """Every (point, triangle) of the same cell."""
    order = np.argsort(cell_of_target, kind="stable")
    begins = np.searchsorted(cell_of_target[order], np.arange(_CELLS**2 + 1))
    place, step = _counted((begins[1:] - begins[:-1])[cell])
    return order[begins[cell[place]] + step], triangle[place]


def _counted(counts: IntArray) -> tuple[IntArray, IntArray]:
    """0 ... counts[i] - 1 for every i, one after another: which i, and where in its row."""
    place = np.repeat(np.arange(len(counts)), counts)
    return place, np.arange(len(place)) - (np.cumsum(counts) - counts)[place]
