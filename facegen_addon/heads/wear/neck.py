# SPDX-License-Identifier: GPL-3.0-or-later
"""The rings of a neck, from where it is cut off upwards; its end closed, or made to fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IndexArray, IntArray, RealArray
from ...errors import UserError
from ..appearance import smoothstep
from ..head_model import HeadModel
from ..surface import Surface, neck_edge
from .pieces import grid

_RINGS = 7
"""The edge, and the rings above it that a neck of quads has in one piece."""
_CAP = np.array([(0.86, 0.002), (0.6, 0.006), (0.3, 0.009), (0.0, 0.010)])
"""Rings that close a neck, the last one its middle: share of the edge's size, metres above it."""


@dataclass(frozen=True)
class NeckRings:
    """Rings of vertices round a neck.

    vertices (R, K): the edge first, each row over the one before; a row begins behind and goes
    round by the subject's right. uv (R, K, 2, 2): texture coordinates of each vertex at the
    corner before it and at the one after it, which differ at a seam.
    """

    vertices: Annotated[IntArray, "R K"]
    uv: Annotated[FloatArray, "R K 2 2"]


@lru_cache(maxsize=4)
def neck_rings(model: HeadModel) -> NeckRings:
    """The rings of a head model; UserError if its neck is not made of rings of quads."""
    surface = model.surface
    height = model.forward(model.table.default())[0]
    return _rings(surface, height)


def _rings(surface: Surface, vertices: Float32Array) -> NeckRings:
    quads, uv = surface.polygons, surface.polygon_uv
    on_edge = set(neck_edge(surface.faces, vertices[:, 2]).tolist())
    at = {}  # directed edge -> polygon and corner
    for number, polygon in enumerate(quads.tolist()):
        for corner, start in enumerate(polygon):
            at[start, polygon[(corner + 1) % len(polygon)]] = (number, corner)
    after = {a: b for a, b in at if a in on_edge and b in on_edge and (b, a) not in at}
    behind = max(on_edge, key=lambda v: float(vertices[v, 1] - abs(vertices[v, 0])))
    ring = [behind]
    while after[ring[-1]] != behind:
        ring.append(after[ring[-1]])
    rings, corners = [ring], []
    for _ in range(_RINGS - 1):
        pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
        if quads.shape[1] != 4 or any(pair not in at for pair in pairs):
            raise UserError("this head's neck is not made of rings of quads: take model person")
        places = [at[pair] for pair in pairs]
        corners.append([uv[f, (c + np.arange(4)) % 4] for f, c in places])
        ring = [int(quads[f, (c + 3) % 4]) for f, c in places]
        rings.append(ring)
    between = np.array(corners)  # (R - 1, K, corners: left, right, right above, left above, 2)
    left = np.concatenate([between[:, :, 0], between[-1:, :, 3]])
    right = np.concatenate([between[:, :, 1], between[-1:, :, 2]])
    return NeckRings(np.array(rings), np.stack([np.roll(right, 1, 1), left], axis=2))


@dataclass(frozen=True)
class NeckCap:
    """What closes a neck towards the inside: C vertices that go with the K of its edge.

    edge (K,): the vertices that it begins at; mix (C, K): each of its own as shares of these, which
    sum to 1; raised (C,): metres that it lies above that; faces (F, corners): the edge's vertices
    first, then its own; uv (F, corners, 2): the neck's texture coordinates, mirrored at the edge.
    """

    edge: Annotated[IntArray, "K"]
    mix: Annotated[FloatArray, "C K"]
    raised: Annotated[FloatArray, "C"]
    faces: Annotated[IntArray, "F N"]
    uv: Annotated[FloatArray, "F N 2"]

    def added(self, values: Annotated[RealArray, "V D"]) -> Annotated[RealArray, "W D"]:
        """Values of the head's vertices (V, D) and, after them, the cap's own, W = V + C."""
        more = self.mix @ values[self.edge]
        return np.concatenate([values, more.astype(values.dtype)])

    def added_vertices(
        self, vertices: Annotated[Float32Array, "V 3"]
    ) -> Annotated[Float32Array, "W 3"]:
        """The same of places, metres."""
        places = self.added(vertices)
        places[len(vertices) :, 2] += self.raised
        return places

    def faces_after(self, count: int) -> Annotated[IntArray, "F N"]:
        """Its faces in a mesh of ``count`` vertices that it is added to."""
        index = np.concatenate([self.edge, count + np.arange(len(self.mix))])
        return index[self.faces]


def neck_cap(model: HeadModel, faces: Annotated[IndexArray, "F N"]) -> NeckCap:
    """What closes the neck of a head with the model's quads, or with the triangles of a level of
    detail; UserError if the model's neck is not made of rings of quads."""
    rings = neck_rings(model)
    columns = np.flatnonzero(np.isin(rings.vertices[0], faces))
    uv = rings.uv[:, columns]
    count, quads = len(columns), faces.shape[1] == 4
    # Levels of detail have triangles from the edge to the middle, and nothing between.
    share, raised = (_CAP if quads else _CAP[-1:]).T
    rows, step = len(share), 2 if quads else 1
    start = np.arange(0, count, step)
    ahead = [(start + more) % count for more in range(step, -1, -1)]
    last = [(rows - 1) * count + at for at in ahead]
    fan = np.stack([np.full(len(start), rows * count), *last], 1)
    # Where the texture has a seam, a corner takes the side of it that its face lies on.
    sides = [uv[rows - 1, ahead[0], 0], *(uv[rows - 1, at, 1] for at in ahead[1:])]
    fan_uv = np.stack([uv[len(_CAP), start, 1], *sides], 1)
    left, right = uv[:rows, :, 1], np.roll(uv[:rows, :, 0], -1, axis=1)
    between = np.stack([left[1:], right[1:], right[:-1], left[:-1]], axis=2).reshape(-1, 4, 2)
    middle = np.full((1, count), 1.0 / count)
    mix = [part * np.eye(count) + (1.0 - part) * middle for part in share[:-1]]
    return NeckCap(
        edge=rings.vertices[0][columns],
        mix=np.concatenate([*mix, middle]),
        raised=np.append(np.repeat(raised[:-1], count), raised[-1]),
        faces=np.concatenate([grid(rows, count, closed=True), fan]) if quads else fan,
        uv=np.concatenate([between, fan_uv]) if quads else fan_uv,
    )


def same_edge_share(model: HeadModel) -> Annotated[FloatArray, "V"]:
    """How far each vertex (V,) is the mean head's where all necks are to end in the same edge.

    The edge and the ring above it are that wholly, so that normals at the edge are the same, too.
    """
    rings = neck_rings(model).vertices
    upwards = np.maximum(np.arange(len(rings)) - 1, 0) / (len(rings) - 2.0)
    share = np.zeros(len(model.surface.part))
    share[rings] = smoothstep(1.0, 0.0, upwards)[:, None]
    return share


def with_same_edge(
    model: HeadModel, vertices: Annotated[Float32Array, "... V 3"]
) -> Annotated[Float32Array, "... V 3"]:
    """Heads whose necks end in the edge of the mean head, wherever their own end.

    Blended over the rings above it, so that all of them fit one body.
    """
    share = same_edge_share(model).astype(np.float32)[:, None]
    mean = model.forward(model.table.default())[0]
    return (1.0 - share) * vertices + share * mean
