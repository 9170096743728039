# SPDX-License-Identifier: GPL-3.0-or-later
"""The points of a head that are labelled: 68 landmarks and a dense cloud over its face.

All are read on the subdivided surface that is rendered, in the place of the vertices given:
metres, Z up, the face looks along -Y.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray, RealArray
from ..errors import UserError
from ..heads.correspondence import SurfacePoints
from ..heads.head_model import HeadModel
from ..heads.strands import vertex_normals
from .subdivision import Stencils, Subdivision

DENSE_POINTS = 512

_LATTICE = 4
"""Candidates lie in a triangle as the middles of its parts when each side is cut into as many."""
_NOSE_TIP, _CHIN = 30, 8
_FACING = 0.5
"""Cosine between a direction that a point is seen from and its normal, at least."""
_SIDE = np.radians(45.0)
"""What cannot be seen from the front, nor turned by this much to either side, is left out."""
_CELL, _BEHIND = 0.003, 0.006
"""Metres: squares in which the nearest points hide those that lie further behind than this."""
_NECK = 0.04
"""Metres below the chin that still get points."""


@dataclass(frozen=True)
class LabelPoints:
    """The 68 iBUG landmarks, then D dense points, in an order whose every beginning is even."""

    surface_points: SurfacePoints
    stencils: Stencils

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, model: HeadModel, dense: int = DENSE_POINTS) -> LabelPoints:
        """Those of a model, always the same; UserError if its face has no room for so many."""
        landmarks, cloud = model.landmark_embedding, _spread(model, dense)
        points = SurfacePoints(
            np.concatenate([landmarks.triangle, cloud.triangle]),
            np.concatenate([landmarks.bary, cloud.bary]),
        )
        surface = model.surface
        mesh = Subdivision.of(surface.polygons, len(surface.part))
        return cls(points, mesh.points(points))

    def __len__(self) -> int:
        return len(self.stencils)

    def read(self, vertices: Annotated[RealArray, "... V 3"]) -> Annotated[FloatArray, "... K 3"]:
        """Vertices of any number of heads (..., V, 3) -> the points (..., 68 + D, 3), metres."""
        return self.stencils.read(vertices)


def _spread(model: HeadModel, count: int) -> SurfacePoints:
    """Points on the face, spread evenly over the mean head by farthest-point sampling.

    Gonzalez, "Clustering to minimize the maximum intercluster distance" (Theoretical Computer
    Science 38, 1985), from the tip of the nose.
    """
    vertices = model.forward(model.table.default())[0].astype(np.float64)
    faces = model.surface.faces
    lattice = _lattice(len(faces))
    points = lattice.read(vertices, faces)
    allowed = np.flatnonzero(_on_face(model, vertices, lattice, points))
    if not 0 <= count <= len(allowed):
        raise UserError(f"{count} dense points: give a number from 0 to {len(allowed)}")
    tip = model.landmarks(vertices.astype(np.float32))[_NOSE_TIP]
    chosen = allowed[_farthest(points[allowed], tip.astype(np.float64), count)]
    return SurfacePoints(lattice.triangle[chosen], lattice.bary[chosen])


def _lattice(triangles: int) -> SurfacePoints:
    """Candidates in each triangle, away from its edges."""
    steps = np.arange(_LATTICE)
    i, j = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    i, j = i[i + j < _LATTICE], j[i + j < _LATTICE]
    bary = (np.stack([i, j, _LATTICE - 1 - i - j], axis=1) + 1 / 3) / _LATTICE
    return SurfacePoints(np.repeat(np.arange(triangles), len(bary)), np.tile(bary, (triangles, 1)))


def _farthest(points: FloatArray, start: FloatArray, count: int) -> IntArray:
    """The point nearest to ``start``, then each time the one farthest from all before: (count,)."""
    chosen = np.empty(count, np.intp)
    distance = np.full(len(points), np.inf)
    following = int(((points - start) ** 2).sum(1).argmin())
    for k in range(count):
        chosen[k] = following
        distance = np.minimum(distance, ((points - points[following]) ** 2).sum(1))
        following = int(distance.argmax())
    return chosen


def _on_face(
    model: HeadModel, vertices: FloatArray, lattice: SurfacePoints, points: FloatArray
) -> BoolArray:
    """Which candidates (N,) are skin of the face, ears or upper neck that a camera can see."""
    surface = model.surface
    normals = lattice.read(vertex_normals(vertices, surface.faces), surface.faces)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    skin = surface.part_names.index("skin")
    inner = np.maximum(surface.masks["mouth"], surface.masks["scalp"])
    allowed = surface.part[surface.faces[lattice.triangle, 0]] == skin
    allowed &= lattice.read(inner, surface.faces) < 0.5
    chin = float(model.landmarks(vertices.astype(np.float32))[_CHIN, 2])
    allowed &= points[:, 2] > chin - _NECK
    allowed &= normals[:, 1] < 0
    directions = [np.array([np.sin(turn), -np.cos(turn), 0.0]) for turn in (0.0, -_SIDE, _SIDE)]
    seen = [_seen_from(direction, points, normals) for direction in directions]
    return allowed & np.logical_or.reduce(seen)


def _seen_from(direction: FloatArray, points: FloatArray, normals: FloatArray) -> BoolArray:
    """Which points (N, 3) can be seen from far away in a level direction (3,)."""
    sideways = np.array([-direction[1], direction[0], 0.0])
    cell = np.floor(np.stack([points @ sideways, points[:, 2]], axis=1) / _CELL).astype(np.intp)
    cell -= cell.min(0)
    place = cell[:, 0] * (cell[:, 1].max() + 1) + cell[:, 1]
    nearness = points @ direction
    nearest = np.full(int(place.max()) + 1, -np.inf)
    np.maximum.at(nearest, place, nearness)
    return (normals @ direction > _FACING) & (nearness > nearest[place] - _BEHIND)
