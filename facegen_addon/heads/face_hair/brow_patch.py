# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin around the brows as a grid, seen from the front: where brows are laid on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ...arrays import BoolArray, FloatArray, IndexArray, IntArray, RealArray
from ..surface import Surface

_HALF_WIDTH, _BOTTOM, _TOP = 0.066, 0.734, 0.776
"""The grid's box on the template in front view, metres."""
_SPACING = 0.002  # metres between its nodes
_BEHIND = -0.05  # metres: what is farther back is not of the face
_AT_ONCE = 64  # nodes that are looked through together: what is computed fits the cache
_ROUNDS = 3
"""Steps of a fixed point: the error shrinks by a factor of about five at each."""


@dataclass(frozen=True)
class BrowPatch:
    """A grid of R x C = N nodes on the skin between eyes and forehead.

    triangle (N,): what each node lies on, of the surface's; corners (N, 3): its vertices, and
    weights (N, 3). A place (..., 2) on it is in metres on the template in front view: x, and z
    upwards.
    """

    triangle: Annotated[IntArray, "N"]
    corners: Annotated[IntArray, "N 3"]
    weights: Annotated[FloatArray, "N 3"]
    shape: tuple[int, int]

    @classmethod
    def of(cls, surface: Surface) -> BrowPatch:
        """The grid on a surface's template."""
        columns = round(2 * _HALF_WIDTH / _SPACING) + 1
        rows = round((_TOP - _BOTTOM) / _SPACING) + 1
        x = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, columns)
        z = _BOTTOM + _SPACING * np.arange(rows)
        nodes = np.stack(np.meshgrid(x, z), axis=-1).reshape(-1, 2)
        rest = surface.rest_position.astype(np.float64)
        spots = rest[surface.faces]
        near = (surface.part == 0)[surface.faces].all(1) & (spots[..., 1] < _BEHIND).all(1)
        near &= (spots[..., 2].max(1) > _BOTTOM) & (spots[..., 2].min(1) < _TOP)
        chosen = np.flatnonzero(near)
        blocks = [nodes[first : first + _AT_ONCE] for first in range(0, len(nodes), _AT_ONCE)]
        seen = [_seen_from_the_front(spots[chosen], block) for block in blocks]
        best, weights = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        triangle = chosen[best]
        corners = surface.faces[triangle].astype(np.intp)
        return cls(triangle, corners, weights, (rows, columns))

    @cached_property
    def vertices(self) -> IndexArray:
        """The vertices that it hangs on, (K,), sorted."""
        return np.unique(self.corners)

    @cached_property
    def _own_corners(self) -> IntArray:
        return np.searchsorted(self.vertices, self.corners)

    def nodes(self, vertices: Annotated[RealArray, "K 3"]) -> Annotated[FloatArray, "R C 3"]:
        """Where the nodes are, if these are the positions of ``self.vertices``."""
        a, b, c = (vertices[self._own_corners[:, k]] * self.weights[:, k, None] for k in range(3))
        return np.asarray(a + b + c, np.float64).reshape(*self.shape, 3)

    def sampled(
        self, values: Annotated[RealArray, "R C D"], places: Annotated[FloatArray, "M 2"]
    ) -> Annotated[RealArray, "M D"]:
        """Values of the nodes at places (M, 2), held beyond the edges."""
        column = np.clip((places[:, 0] + _HALF_WIDTH) / _SPACING, 0.0, self.shape[1] - 1.001)
        row = np.clip((places[:, 1] - _BOTTOM) / _SPACING, 0.0, self.shape[0] - 1.001)
        left, below = column.astype(np.intp), row.astype(np.intp)
        right = (column - left).astype(values.dtype)[:, None]
        above = (row - below).astype(values.dtype)[:, None]
        flat = values.reshape(-1, values.shape[-1])
        at = below * self.shape[1] + left

        def along(first: IntArray) -> RealArray:
            start = flat.take(first, axis=0)
            return start + right * (flat.take(first + 1, axis=0) - start)

        lower = along(at)
        return lower + above * (along(at + self.shape[1]) - lower)

    def nearest(self, places: Annotated[FloatArray, "M 2"]) -> Annotated[IntArray, "M"]:
        """The node nearest to each place (M, 2)."""
        column = np.round((places[:, 0] + _HALF_WIDTH) / _SPACING)
        row = np.round((places[:, 1] - _BOTTOM) / _SPACING)
        held = np.clip(row, 0, self.shape[0] - 1) * self.shape[1]
        return np.asarray(held + np.clip(column, 0, self.shape[1] - 1), np.intp)

    @staticmethod
    def has(rest: Annotated[RealArray, "M 3"]) -> Annotated[BoolArray, "M"]:
        """Which places of the template (M, 3) are on it."""
        inside = (np.abs(rest[:, 0]) < _HALF_WIDTH) & (rest[:, 1] < _BEHIND)
        found: BoolArray = inside & (rest[:, 2] > _BOTTOM) & (rest[:, 2] < _TOP)
        return found

    def places(
        self, nodes: Annotated[FloatArray, "R C 3"], seen: Annotated[FloatArray, "M 2"]
    ) -> Annotated[FloatArray, "M 2"]:
        """The places that a head with these nodes has at x and z (M, 2), metres, in front view."""
        moved = nodes[..., [0, 2]] - self._lattice
        place = seen - moved.mean((0, 1))
        for _ in range(_ROUNDS):
            place = seen - self.sampled(moved, place)
        return place

    @cached_property
    def _lattice(self) -> Annotated[FloatArray, "R C 2"]:
        """The nodes' own places."""
        x = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, self.shape[1])
        return np.stack(np.meshgrid(x, _BOTTOM + _SPACING * np.arange(self.shape[0])), axis=-1)

    @staticmethod
    def outward(nodes: Annotated[FloatArray, "R C 3"]) -> Annotated[FloatArray, "R C 3"]:
        """Unit vectors away from the head at nodes (R, C, 3)."""
        a, b = np.empty_like(nodes), np.empty_like(nodes)
        a[:, 1:-1], b[1:-1] = nodes[:, 2:] - nodes[:, :-2], nodes[2:] - nodes[:-2]
        a[:, 0], a[:, -1] = nodes[:, 1] - nodes[:, 0], nodes[:, -1] - nodes[:, -2]
        b[0], b[-1] = nodes[1] - nodes[0], nodes[-1] - nodes[-2]
        (ax, ay, az), (bx, by, bz) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
        n = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
        return n / np.maximum(np.sqrt((n * n).sum(-1, keepdims=True)), 1e-15)


def _seen_from_the_front(spots: FloatArray, nodes: FloatArray) -> tuple[IntArray, FloatArray]:
    """Which of triangles (T, 3, 3) is foremost at each x and z (M, 2), (M,), and weights (M, 3)."""
    a, b, c = spots[:, 0], spots[:, 1], spots[:, 2]
    e, f = (b - a)[:, [0, 2]], (c - a)[:, [0, 2]]
    area = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]
    area = np.where(np.abs(area) < 1e-12, np.inf, area)
    x, z = (nodes[:, None, k] - a[:, 2 * k] for k in range(2))
    of_b = (x * f[:, 1] - z * f[:, 0]) / area
    of_c = (e[:, 0] * z - e[:, 1] * x) / area
    of_a = 1.0 - of_b - of_c
    depth = of_a * a[:, 1] + of_b * b[:, 1] + of_c * c[:, 1]
    # Where none is right behind a node, the nearest does.
    outside = np.maximum(-np.minimum(np.minimum(of_a, of_b), of_c), 0.0)
    best = np.argmin(np.where(outside < 1e-9, depth, 1.0 + outside), axis=1)
    rows = np.arange(len(nodes))
    chosen = np.stack([of[rows, best] for of in (of_a, of_b, of_c)], axis=-1).clip(0.0, None)
    return best, chosen / chosen.sum(1, keepdims=True)
