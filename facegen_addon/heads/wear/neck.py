# SPDX-License-Identifier: GPL-3.0-or-later
"""The rings of a neck, from where it is cut off upwards; its end closed, or made to fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray
from ...errors import UserError
from ..appearance import smoothstep
from ..head_model import HeadModel
from ..surface import Surface, neck_edge
from .pieces import grid

_RINGS = 7
"""The edge, and the rings above it that a neck of quads has in one piece."""
_CAP = np.array([(0.86, 0.002), (0.6, 0.006), (0.3, 0.009), (0.0, 0.010)])
"""Rings that close a neck: share of the edge's size, and metres above it."""


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


def closed_neck(
    model: HeadModel, vertices: Annotated[Float32Array, "V 3"]
) -> tuple[Annotated[FloatArray, "C 3"], Annotated[IntArray, "Q 4"]]:
    """What closes a head's neck towards the inside: more vertices (C, 3), metres, and quads (Q, 4)
    that count from the head's own first vertex, and go on after its last one."""
    rings = neck_rings(model).vertices
    edge = vertices[rings[0]].astype(float)
    middle = edge.mean(0)
    share, raised = _CAP.T[:, :, None, None]
    more = middle + share * (edge - middle) + raised * np.array([0.0, 0.0, 1.0])
    count = rings.shape[1]
    quads = grid(1 + len(_CAP), count, closed=True)
    index = np.concatenate([rings[0], len(vertices) + np.arange(len(_CAP) * count)])
    return more.reshape(-1, 3), index[quads]


def with_same_edge(
    model: HeadModel, vertices: Annotated[Float32Array, "... V 3"]
) -> Annotated[Float32Array, "... V 3"]:
    """Heads whose necks end in the edge of the mean head, wherever their own end.

    Blended over the rings above it, so that all of them fit one body.
    """
    rings = neck_rings(model).vertices
    mean = model.forward(model.table.default())[0]
    result = np.array(vertices, np.float32)
    share = smoothstep(1.0, 0.0, np.arange(len(rings)) / (len(rings) - 1.0))
    moved = mean[rings[0]] - result[..., rings[0], :]
    for ring, weight in zip(rings, share, strict=True):
        result[..., ring, :] += np.float32(weight) * moved
    return result
