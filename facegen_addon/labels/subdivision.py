# SPDX-License-Identifier: GPL-3.0-or-later
"""One level of Catmull-Clark subdivision, as the renderer applies it to a head's polygons.

The rules are those of Catmull and Clark, "Recursively generated B-spline surfaces on arbitrary
topological meshes" (Computer-Aided Design 10, 1978), with open edges as cubic B-spline curves
(Blender's boundary_smooth "ALL", OpenSubdiv's VTX_BOUNDARY_EDGE_ONLY): every new vertex is a fixed
weighted sum of old ones, so that points of the rendered surface are read straight from the control
mesh. Lengths are in whatever unit the vertices are, which is metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray, IndexArray, IntArray, RealArray
from ..heads.correspondence import SurfacePoints
from ..heads.surface import sorted_edges

_SQUARE = np.array([[0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1], [1, 2, 3, 0]])
"""Where the quads at the four corners of a quad begin, and how they go on."""

_Terms = tuple[IntArray, IntArray, FloatArray]
"""Of weighted sums of vertices: which sum, which vertex, its weight; (K,) each."""


@dataclass(frozen=True)
class Stencils:
    """N weighted sums of vertices, in OpenSubdiv's word.

    Sum n has the vertices and weights from starts[n] up to starts[n + 1]: vertex (K,), weight (K,),
    starts (N + 1,); none is empty.
    """

    vertex: Annotated[IntArray, "K"]
    weight: Annotated[FloatArray, "K"]
    starts: Annotated[IntArray, "M"]

    @classmethod
    def of(
        cls,
        row: Annotated[IntArray, "K"],
        vertex: Annotated[IntArray, "K"],
        weight: Annotated[FloatArray, "K"],
        vertex_count: int,
    ) -> Stencils:
        """Sums of terms (K,) each: which sum, which vertex, its weight; terms may repeat."""
        key, place = np.unique(row * vertex_count + vertex, return_inverse=True)
        rows = key // vertex_count
        starts = np.searchsorted(rows, np.arange(int(rows[-1]) + 2))
        return cls(key % vertex_count, np.bincount(place, weight).astype(np.float64), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def read(self, values: Annotated[RealArray, "... V D"]) -> Annotated[FloatArray, "... N D"]:
        """Values at the vertices (..., V, D) -> the sums (..., N, D), float64."""
        terms = values[..., self.vertex, :] * self.weight[:, None]
        sums: FloatArray = np.add.reduceat(terms, self.starts[:-1], axis=-2)
        return sums

    def terms_of(self, rows: Annotated[IntArray, "M"]) -> _Terms:
        """The terms of some sums (M,): their place in ``rows``, vertex and weight, (K,) each."""
        counts = self.starts[rows + 1] - self.starts[rows]
        place = np.repeat(np.arange(len(rows)), counts)
        first = np.repeat(self.starts[rows] - np.cumsum(counts) + counts, counts)
        term = first + np.arange(len(place))
        return place, self.vertex[term], self.weight[term]


@dataclass(frozen=True)
class Subdivision:
    """The subdivided mesh of V vertices, E edges and F polygons: V' = V + E + F vertices.

    All polygons have as many corners C, 3 or 4. In this order: a vertex for each old one, for each
    edge, for each polygon. stencils (V'): each as a sum of old ones; quads (C F, 4), as Blender
    orders them: three of each triangle, its first corner's first, each from the corner over the
    edge that leaves it, the middle and the edge that comes to it; four of each quad, which is a
    square, its first corner at the origin: each from its own corner nearest to the origin.
    """

    stencils: Stencils
    quads: Annotated[IntArray, "Q 4"]
    vertex_count: int
    corners: int

    @classmethod
    def of(cls, faces: IndexArray, vertex_count: int) -> Subdivision:
        """The subdivision of triangles or quads (F, C) over ``vertex_count`` vertices."""
        polygons = faces.astype(np.intp)
        corners = polygons.shape[1]
        edges, edge_of = np.unique(sorted_edges(polygons), axis=0, return_inverse=True)
        corner_edges = edge_of.reshape(corners, -1).T  # the edge that leaves each corner
        mesh = _Mesh(polygons, edges, corner_edges, vertex_count)
        middle = vertex_count + len(edges) + np.arange(len(polygons))
        leaves = vertex_count + corner_edges
        middles, comes = np.repeat(middle[:, None], corners, 1), np.roll(leaves, 1, axis=1)
        quads = np.stack([polygons, leaves, middles, comes], -1)
        if corners == 4:
            quads = np.take_along_axis(quads, _SQUARE[None], 2)
        return cls(mesh.stencils(), quads.reshape(-1, 4), vertex_count, corners)

    def apply(self, vertices: Annotated[RealArray, "... V 3"]) -> Annotated[FloatArray, "... V2 3"]:
        """Control vertices (..., V, 3) -> those of the subdivided mesh (..., V', 3)."""
        return self.stencils.read(vertices)

    def points(self, points: SurfacePoints) -> Stencils:
        """Points (N) of the control triangles on the subdivided mesh."""
        rows, shares = self._of_triangles(points) if self.corners == 3 else self._of_quads(points)
        place, vertex, weight = self.stencils.terms_of(rows.ravel())
        return Stencils.of(place // 3, vertex, weight * shares.ravel()[place], self.vertex_count)

    def _of_triangles(self, points: SurfacePoints) -> tuple[IntArray, FloatArray]:
        """The three new vertices (N, 3) about points, and their weights.

        A triangle's six parts, cut by its medians, become the halves of its quads, cut from corner
        to middle: a point with barycentric coordinates u >= v >= w lies between the corner of u,
        the middle of the edge of u and v, and the middle of the triangle, with the weights u - v,
        2 (v - w) and 3 w.
        """
        order = np.argsort(-points.bary, axis=1, kind="stable")
        u, v, w = np.take_along_axis(points.bary, order, axis=1).T
        largest, second = order[:, 0], order[:, 1]
        # The edge k runs from corner k to the next.
        edge = np.where((largest + 1) % 3 == second, largest, second)
        first = 3 * points.triangle
        rows = [
            self.quads[first + largest, 0],
            self.quads[first + edge, 1],
            self.quads[first, 2],
        ]
        return np.stack(rows, axis=1), np.stack([u - v, 2.0 * (v - w), 3.0 * w], axis=1)

    def _of_quads(self, points: SurfacePoints) -> tuple[IntArray, FloatArray]:
        """The same where a triangle is half of a quad.

        Each quarter of the square that the quad is becomes a quad, cut from its first corner to its
        third: a point s to the right and t <= s above the first lies between these and the second,
        with the weights 1 - s, s - t and t.
        """
        _, second, third = points.bary.T
        is_upper = points.triangle % 2 == 1
        x = np.where(is_upper, second, second + third)
        y = np.where(is_upper, second + third, third)
        column, row = (x > 0.5).astype(np.intp), (y > 0.5).astype(np.intp)
        quarter = 4 * (points.triangle // 2) + np.where(row == 1, 3 - column, column)
        across, up = 2.0 * x - column, 2.0 * y - row
        side = np.where(across >= up, 1, 3)
        s, t = np.maximum(across, up), np.minimum(across, up)
        rows = [self.quads[quarter, 0], self.quads[quarter, side], self.quads[quarter, 2]]
        return np.stack(rows, axis=1), np.stack([1.0 - s, s - t, t], axis=1)


@dataclass(frozen=True)
class _Mesh:
    """Polygons (F, C) with their edges (E, 2); corner_edges (F, C): the edge after each corner."""

    faces: Annotated[IntArray, "F C"]
    edges: Annotated[IntArray, "E 2"]
    corner_edges: Annotated[IntArray, "F C"]
    vertex_count: int

    def stencils(self) -> Stencils:
        """Every new vertex as a sum of old ones."""
        middle = self.vertex_count + len(self.edges) + np.arange(len(self.faces))
        terms = [
            *self._vertex_terms(),
            *self._edge_terms(),
            _terms(np.repeat(middle, self._sides), self.faces.ravel(), 1 / self._sides),
        ]
        row, vertex, weight = (np.concatenate(column) for column in zip(*terms, strict=True))
        return Stencils.of(row, vertex, weight, self.vertex_count)

    @property
    def _sides(self) -> int:
        return self.faces.shape[1]

    @cached_property
    def _uses(self) -> IntArray:
        """How many polygons each edge (E,) has."""
        return np.bincount(self.corner_edges.ravel(), minlength=len(self.edges))

    @cached_property
    def _is_inner(self) -> BoolArray:
        """Which edges (E,) join two polygons that go round alike; all others are sharp."""
        upwards = (self.faces < np.roll(self.faces, -1, axis=1)).ravel()
        forth = np.bincount(self.corner_edges.ravel(), upwards, len(self.edges))
        inner: BoolArray = (self._uses == 2) & (forth == 1)
        return inner

    def _sharp_at(self, which: BoolArray) -> IntArray:
        """How many of some edges end at each vertex (V,)."""
        return np.bincount(self.edges[which].ravel(), minlength=self.vertex_count)

    def _edge_terms(self) -> list[_Terms]:
        """Inside: the mean of both ends and both polygons' middles; sharp: that of the ends."""
        row = self.vertex_count + np.arange(len(self.edges))
        ends = np.where(self._is_inner, 1 / 4, 1 / 2)
        beside = self.corner_edges.ravel()
        share = np.where(self._is_inner[beside], 1 / (4 * self._sides), 0.0)
        corners = np.repeat(self.faces, self._sides, axis=0)
        return [
            _terms(np.repeat(row, 2), self.edges.ravel(), np.repeat(ends, 2)),
            _terms(
                np.repeat(self.vertex_count + beside, self._sides),
                corners.ravel(),
                np.repeat(share, self._sides),
            ),
        ]

    def _vertex_terms(self) -> list[_Terms]:
        """Inside: (F + 2 R + (n - 3) P) / n; on an open edge: 3/4 of itself, 1/8 of each open
        neighbour; where the mesh is no surface, as it is."""
        is_open = self._uses == 1
        broken = self._sharp_at(~self._is_inner & ~is_open) + (self._sharp_at(is_open) > 2)
        on_curve = (self._sharp_at(is_open) == 2) & (broken == 0)
        valence = self._sharp_at(np.ones(len(self.edges), bool))
        inside = (broken == 0) & ~on_curve & (valence > 0)
        n = np.where(inside, valence, 1)
        own = np.select([inside, on_curve], [(n - 3) / n, 3 / 4], 1.0)
        share = np.where(inside, 1 / n**2, 0.0)
        every = np.arange(self.vertex_count)
        start, end = np.concatenate([self.edges, self.edges[:, ::-1]]).T
        along = np.where(np.tile(is_open, 2) & on_curve[start], 1 / 8, share[start])
        corner = self.faces.ravel()
        return [
            _terms(every, every, own),
            _terms(start, end, along),
            _terms(start, start, share[start]),
            _terms(
                np.repeat(corner, self._sides),
                np.repeat(self.faces, self._sides, axis=0).ravel(),
                np.repeat(share[corner] / self._sides, self._sides),
            ),
        ]


def _terms(row: IntArray, vertex: IntArray, weight: FloatArray | float) -> _Terms:
    return row, vertex, np.broadcast_to(np.asarray(weight, np.float64), row.shape)
