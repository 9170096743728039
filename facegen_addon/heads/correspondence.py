# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of one surface found again on another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, Float32Array, FloatArray, IndexArray, IntArray, RealArray
from .products import product
from .strands import vertex_normals

NORMAL_LENGTH = 0.02
"""Metres that a unit of the normal counts for: the two sides of a lip are 4 cm apart."""

_CANDIDATE_VERTICES = 3
_BLOCK = 512


@dataclass(frozen=True)
class SurfacePoints:
    """N points on a triangle mesh: the triangle and the barycentric coordinates of each."""

    triangle: Annotated[IntArray, "N"]
    bary: Annotated[FloatArray, "N 3"]

    def read(
        self, values: Annotated[RealArray, "V ..."], faces: Annotated[IndexArray, "T 3"]
    ) -> Annotated[FloatArray, "N ..."]:
        """Interpolate values at vertices (V, ...) -> values at the points (N, ...)."""
        weights = self.bary.reshape(*self.bary.shape, *[1] * (values.ndim - 1))
        found: FloatArray = (values[faces[self.triangle]] * weights).sum(1)
        return found

    def points(
        self, vertices: Annotated[Float32Array, "... V 3"], faces: Annotated[IndexArray, "T 3"]
    ) -> Annotated[Float32Array, "... N 3"]:
        """Place the points on any number of heads: vertices (..., V, 3) -> points (..., N, 3)."""
        corners = vertices[..., faces[self.triangle], :]
        found: Float32Array = (corners * self.bary[..., None].astype(np.float32)).sum(-2)
        return found


class Target:
    """A surface to find points on: vertices (V, 3) metres, faces (T, 3).

    ``label`` (V, L) metres holds further coordinates that corresponding points share, such as the
    jaw's skinning weight, which keeps an upper lip off the lower one. ``usable`` (T,) leaves
    triangles out.
    """

    def __init__(
        self,
        vertices: Annotated[FloatArray, "V 3"],
        faces: Annotated[IndexArray, "T 3"],
        label: Annotated[FloatArray, "V L"],
        usable: Annotated[BoolArray, "T"],
    ) -> None:
        self.vertices = vertices
        self.faces = faces
        self._usable = usable
        self._corners = np.unique(faces[usable])
        # Single precision is enough to find the nearest vertices, and twice as fast.
        self._features = features(vertices, faces, label)[self._corners].astype(np.float32)

    @cached_property
    def _triangles_of(self) -> IntArray:
        """Usable triangles at each vertex (V, K), -1 where it has fewer."""
        triangles = np.repeat(np.flatnonzero(self._usable), 3)
        corners = self.faces[self._usable].ravel()
        order = np.argsort(corners, kind="stable")
        counts = np.bincount(corners, minlength=len(self.vertices))
        place = np.arange(len(corners)) - np.repeat(np.cumsum(counts) - counts, counts)
        table = np.full((len(self.vertices), int(counts.max())), -1, np.intp)
        table[corners[order], place] = triangles[order]
        return table

    def closest(
        self, points: Annotated[FloatArray, "N 3"], point_features: Annotated[FloatArray, "N F"]
    ) -> SurfacePoints:
        """Find points (N, 3) with `features` (N, F) on this surface: near in all of these."""
        blocks = [
            self._closest_block(points[i : i + _BLOCK], point_features[i : i + _BLOCK])
            for i in range(0, len(points), _BLOCK)
        ]
        return SurfacePoints(
            np.concatenate([block.triangle for block in blocks]),
            np.concatenate([block.bary for block in blocks]),
        )

    def _closest_block(self, points: FloatArray, point_features: FloatArray) -> SurfacePoints:
        mine = self._features
        squared = (mine**2).sum(1) - 2.0 * product(point_features.astype(np.float32), mine.T)
        near = np.argpartition(squared, _CANDIDATE_VERTICES, axis=1)[:, :_CANDIDATE_VERTICES]
        candidates = self._triangles_of[self._corners[near]].reshape(len(points), -1)
        triangles = self.vertices[self.faces[candidates]]
        bary = closest_barycentric(points[:, None], triangles)
        distance = np.where(candidates < 0, np.inf, _squared(bary, triangles, points[:, None]))
        best = distance.argmin(1)
        rows = np.arange(len(points))
        return SurfacePoints(candidates[rows, best], bary[rows, best])


def features(
    vertices: Annotated[FloatArray, "V 3"],
    faces: Annotated[IndexArray, "T 3"],
    label: Annotated[FloatArray, "V L"],
) -> Annotated[FloatArray, "V 6+L"]:
    """Features (V, 6 + L) that corresponding points share, in metres: position, normal, label."""
    return stack_features(vertices, vertex_normals(vertices, faces), label)


def stack_features(
    points: Annotated[FloatArray, "N 3"],
    normals: Annotated[FloatArray, "N 3"],
    label: Annotated[FloatArray, "N L"],
) -> Annotated[FloatArray, "N 6+L"]:
    """Features (N, 6 + L) of points (N, 3) that are no vertices, with their unit normals (N, 3)."""
    return np.concatenate([points, NORMAL_LENGTH * normals, label], axis=1)


def closest_barycentric(
    points: Annotated[FloatArray, "... 3"], triangles: Annotated[FloatArray, "... 3 3"]
) -> Annotated[FloatArray, "... 3"]:
    """Barycentric coordinates (..., 3) of the points of triangles (..., 3, 3) nearest to points.

    The foot on the plane where it lies inside, else the nearest of the feet on the three edges.
    """
    inside = plane_barycentric(points, triangles)
    nearest = np.where((inside >= 0).all(-1)[..., None], inside, np.nan)
    least = np.where(np.isnan(nearest[..., 0]), np.inf, _squared(nearest, triangles, points))
    for k in range(3):
        start, following = triangles[..., k, :], (k + 1) % 3
        edge = triangles[..., following, :] - start
        t = np.clip(_dot(points - start, edge) / np.maximum(_dot(edge, edge), 1e-18), 0.0, 1.0)
        bary = np.zeros_like(inside)
        bary[..., k], bary[..., following] = 1.0 - t, t
        squared = _squared(bary, triangles, points)
        closer = squared < least
        nearest[closer] = bary[closer]
        least = np.minimum(least, squared)
    return nearest


def plane_barycentric(
    points: Annotated[FloatArray, "... 3"], triangles: Annotated[FloatArray, "... 3 3"]
) -> Annotated[FloatArray, "... 3"]:
    """Barycentric coordinates (..., 3) of the feet of points on the triangles' planes."""
    a, b, c = np.moveaxis(triangles, -2, 0)
    u, v, w = b - a, c - a, points - a
    uu, uv, vv, wu, wv = _dot(u, u), _dot(u, v), _dot(v, v), _dot(w, u), _dot(w, v)
    area = np.maximum(uu * vv - uv * uv, 1e-24)
    second, third = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    return np.stack([1.0 - second - third, second, third], axis=-1)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Dot products along the last axis: sums of three, which NumPy's own sum is slow at."""
    product = a * b
    total: FloatArray = product[..., 0] + product[..., 1] + product[..., 2]
    return total


def _squared(bary: FloatArray, triangles: FloatArray, points: FloatArray) -> FloatArray:
    """Squared distances (...) of points from points of triangles."""
    weighted = bary[..., None] * triangles
    offset = weighted[..., 0, :] + weighted[..., 1, :] + weighted[..., 2, :] - points
    return _dot(offset, offset)
