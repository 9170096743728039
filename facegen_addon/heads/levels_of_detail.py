# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of detail: a model's mesh with fewer triangles, the same for all of its heads.

Edges are drawn together onto one of their ends, cheapest first by quadric error (after Garland and
Heckbert, "Surface simplification using quadric error metrics", SIGGRAPH 1997). So the vertices that
remain are the model's own, and keep shape keys, weights, colours and texture coordinates.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, FloatArray, IntArray
from .head_model import HeadModel
from .surface import Surface

SHARES = (1.0, 0.5, 0.2, 0.1)
"""Of the triangles that each level keeps."""
_WEIGHTS = {"lid": 16.0, "lips": 16.0, "orbit": 4.0, "nose": 3.0, "ears": 0.5}
"""What errors count more in regions that are looked at, and that expressions move."""
_UNSEEN = {"teeth": 0.1, "gums": 0.02, "tongue": 0.05, "cornea_left": 0.5, "cornea_right": 0.5}
"""What they count in parts that are hardly seen."""
_EDGE_WEIGHT = 4.0  # of borders and of the texture's seams, against what a face counts
_UPRIGHT = 0.4  # cosine of the angle by which a triangle may turn at most
_SLIVER = 0.15  # shape below which none may come to be worse: 1 is equilateral, 0 a line


@dataclass(frozen=True)
class Level:
    """T triangles: which polygon each was, face (T,), and which corner of the mesh's polygons each
    of its corners takes, corner (T, 3), counted through all of them."""

    face: Annotated[IntArray, "T"]
    corner: Annotated[IntArray, "T 3"]

    def of_corners(self, values: Annotated[AnyArray, "F C ..."]) -> Annotated[AnyArray, "T 3 ..."]:
        """Values of the polygons' corners (F, C, ...) -> those of the level's (T, 3, ...)."""
        return values.reshape(-1, *values.shape[2:])[self.corner]


def level_of_detail(model: HeadModel, number: int) -> Level:
    """The level ``number`` of a model's mesh, from 1 on; computed once for a model."""
    return _levels(model)[number - 1]


@cache
def _levels(model: HeadModel) -> tuple[Level, ...]:
    return simplify(model.surface, [share * len(model.surface.faces) for share in SHARES[1:]])


def simplify(surface: Surface, targets: Iterable[float]) -> tuple[Level, ...]:
    """Levels of so many triangles or a few more, the finest first."""
    mesh = _Mesh(surface)
    levels = []
    for target in targets:
        mesh.reduce(int(target))
        levels.append(mesh.level())
    return tuple(levels)


class _Mesh:
    """Triangles of wedges: a vertex has one for each of its texture coordinates."""

    def __init__(self, surface: Surface) -> None:
        faces = surface.faces
        keys = np.concatenate([faces.reshape(-1, 1), surface.uv.reshape(-1, 2)], axis=1)
        _, self._first, wedges = np.unique(
            keys.astype(np.float64), axis=0, return_index=True, return_inverse=True
        )
        self._surface = surface
        self._vertex: list[int] = faces.ravel()[self._first].tolist()
        self._triangles: list[tuple[int, ...]] = list(
            map(tuple, wedges.reshape(faces.shape).tolist())
        )
        self._alive = set(range(len(faces)))
        self._place: list[list[float]] = surface.rest_position.astype(np.float64).tolist()
        self._around: list[set[int]] = [set() for _ in self._place]
        for number, corners in enumerate(faces.tolist()):
            for vertex in corners:
                self._around[vertex].add(number)
        self._quadrics: list[FloatArray] = list(_quadrics(surface, wedges.reshape(faces.shape)))
        self._stamp = [0] * len(self._place)
        self._heap: list[tuple[float, int, int, int, int]] = []
        for vertex in range(len(self._place)):
            self._offer(vertex, both=False)

    def level(self) -> Level:
        """The triangles that are left."""
        alive = sorted(self._alive)
        wedges = np.array([self._triangles[number] for number in alive], np.intp)
        triangle, place = np.divmod(self._first[wedges], 3)
        if self._surface.corners == 3:
            return Level(np.array(alive, np.intp), 3 * triangle + place)
        half = np.array([[0, 1, 2], [0, 2, 3]])
        corner = 4 * (triangle // 2) + half[triangle % 2, place]
        return Level(np.array(alive, np.intp) // 2, corner)

    def reduce(self, target: int) -> None:
        """Draw edges together until so many triangles are left, or none can be any more."""
        while len(self._alive) > target and self._heap:
            _, gone, kept, gone_stamp, kept_stamp = heapq.heappop(self._heap)
            if (gone_stamp, kept_stamp) == (self._stamp[gone], self._stamp[kept]):
                self._try(gone, kept)

    def _try(self, gone: int, kept: int) -> None:
        shared = self._around[gone] & self._around[kept]
        moves = self._moves(gone, kept, shared)
        if moves is None or not self._keeps_shape(gone, kept, shared):
            return
        for number in shared:
            self._alive.discard(number)
            for wedge in self._triangles[number]:
                self._around[self._vertex[wedge]].discard(number)
        for number in self._around[gone]:
            corners = self._triangles[number]
            self._triangles[number] = tuple(moves.get(wedge, wedge) for wedge in corners)
            self._around[kept].add(number)
        self._around[gone] = set()
        self._quadrics[kept] = self._quadrics[kept] + self._quadrics[gone]
        self._stamp[gone] += 1
        self._stamp[kept] += 1
        self._offer(kept, both=True)

    def _moves(self, gone: int, kept: int, shared: set[int]) -> dict[int, int] | None:
        """Where each wedge of a vertex goes; None where the mesh or its layout would tear."""
        moves: dict[int, int] = {}
        for number in shared:
            at = {self._vertex[wedge]: wedge for wedge in self._triangles[number]}
            if moves.setdefault(at[gone], at[kept]) != at[kept]:
                return None
        around = self._around[gone]
        own = {w for t in around for w in self._triangles[t] if self._vertex[w] == gone}
        if own != moves.keys():
            return None  # only along a seam may what lies on it move
        opposite = self._neighbours(gone) & self._neighbours(kept)
        if len(opposite) != len(shared):
            return None  # two sheets would be glued together
        on_border = len(self._neighbours(gone)) != len(around)
        if len(shared) != (1 if on_border else 2):
            return None
        return moves

    def _keeps_shape(self, gone: int, kept: int, shared: set[int]) -> bool:
        """Whether no triangle would be turned over or lose its area."""
        to = self._place[kept]
        for number in self._around[gone] - shared:
            vertices = [self._vertex[wedge] for wedge in self._triangles[number]]
            old = [self._place[v] for v in vertices]
            new = [to if v == gone else p for v, p in zip(vertices, old, strict=True)]
            before, after = _normal(*old), _normal(*new)
            sizes = _dot(before, before) * _dot(after, after)
            turned = _dot(before, after)
            if sizes < 1e-30 or turned <= 0.0 or turned * turned < _UPRIGHT**2 * sizes:
                return False
            if _squeezed(after, new, _SLIVER) and not _squeezed(before, old, _SLIVER):
                return False
        return True

    def _neighbours(self, vertex: int) -> set[int]:
        corners = (self._triangles[number] for number in self._around[vertex])
        found = {self._vertex[wedge] for three in corners for wedge in three}
        found.discard(vertex)
        return found

    def _offer(self, vertex: int, both: bool) -> None:
        """Offer to draw a vertex to its neighbours, and, of ``both`` ways, them to it."""
        for other in self._neighbours(vertex):
            pairs = ((vertex, other), (other, vertex)) if both else ((vertex, other),)
            joined = self._quadrics[vertex] + self._quadrics[other]
            for gone, kept in pairs:
                cost = _error(joined, self._place[kept])
                entry = (cost, gone, kept, self._stamp[gone], self._stamp[kept])
                heapq.heappush(self._heap, entry)


def _normal(a: list[float], b: list[float], c: list[float]) -> tuple[float, float, float]:
    x, y, z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    u, v, w = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return y * w - z * v, z * u - x * w, x * v - y * u


def _squeezed(normal: tuple[float, float, float], corners: list[list[float]], least: float) -> bool:
    """Whether a triangle's shape is below ``least``."""
    a, b, c = corners
    lengths = sum(
        (p[axis] - q[axis]) ** 2 for p, q in ((a, b), (b, c), (c, a)) for axis in range(3)
    )
    return 12.0 * _dot(normal, normal) < (least * lengths) ** 2


def _dot(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _error(quadric: FloatArray, place: list[float]) -> float:
    """The squared distance of a place from the planes of a quadric (10,), by their weights."""
    x, y, z = place
    xx, xy, xz, xw, yy, yz, yw, zz, zw, ww = quadric.tolist()
    return float(
        x * (xx * x + 2.0 * (xy * y + xz * z + xw))
        + y * (yy * y + 2.0 * (yz * z + yw))
        + z * (zz * z + 2.0 * zw)
        + ww
    )


def _quadrics(surface: Surface, wedges: IntArray) -> FloatArray:
    """The quadrics (V, 10) of the vertices: planes of their faces, and walls on their borders."""
    place, faces = surface.rest_position.astype(np.float64), surface.faces
    weight = _weights(surface)
    a, b, c = (place[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(area, 1e-20)[:, None]
    total = np.zeros((len(place), 10))
    planes = _planes(normal, a) * area[:, None]
    for corner in range(3):
        np.add.at(total, faces[:, corner], planes * weight[faces[:, corner], None])
    ends, triangle = _open_edges(wedges)
    first, second = (surface.faces.ravel()[_first_of(wedges)][ends[:, k]] for k in range(2))
    along = place[second] - place[first]
    wall = np.cross(along, normal[triangle])
    length = np.linalg.norm(wall, axis=1)
    wall /= np.maximum(length, 1e-20)[:, None]
    planes = _planes(wall, place[first]) * (_EDGE_WEIGHT * length**2)[:, None]
    for end in (first, second):
        np.add.at(total, end, planes * weight[end, None])
    return total


def _weights(surface: Surface) -> FloatArray:
    """What errors at each vertex count, (V,)."""
    weight = np.ones(len(surface.part))
    for name, more in _WEIGHTS.items():
        weight += more * surface.masks[name]
    for part, less in _UNSEEN.items():
        weight[surface.vertices_of(part)] *= less
    return weight


def _planes(normal: FloatArray, point: FloatArray) -> FloatArray:
    """Quadrics (N, 10) of planes through points (N, 3) with unit normals (N, 3)."""
    plane = np.concatenate([normal, -(normal * point).sum(1, keepdims=True)], axis=1)
    row, column = np.triu_indices(4)
    product: FloatArray = plane[:, row] * plane[:, column]
    return product


def _first_of(wedges: IntArray) -> IntArray:
    """A corner that has each wedge."""
    return np.unique(wedges.ravel(), return_index=True)[1]


def _open_edges(wedges: IntArray) -> tuple[IntArray, IntArray]:
    """Edges (E, 2) of wedges that one triangle has alone, borders and seams, and which (E,)."""
    ends = np.concatenate([wedges[:, [k, (k + 1) % 3]] for k in range(3)])
    triangle = np.tile(np.arange(len(wedges)), 3)
    _, place, uses = np.unique(
        np.sort(ends, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    alone = uses[place.reshape(-1)] == 1
    return ends[alone], triangle[alone]
