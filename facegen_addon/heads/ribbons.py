# SPDX-License-Identifier: GPL-3.0-or-later
"""Strands as flat ribbons of triangles, for file formats that know no curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, Int32Array, IntArray
from .strands import POINTS, Strands

_CORNERS = 2 * POINTS  # vertices of a ribbon: left and right of each point


@dataclass(frozen=True)
class Ribbons:
    """The ribbons of the R strands that show, two triangles a segment.

    strand (R,): the index of each in the set it grew from; vertices (12 R, 3) metres; faces
    (10 R, 3); uv (10 R, 3, 2): across a ribbon and from its root to its tip.
    """

    strand: Annotated[IntArray, "R"]
    vertices: Annotated[Float32Array, "12*R 3"]
    faces: Annotated[Int32Array, "10*R 3"]
    uv: Annotated[Float32Array, "10*R 3 2"]

    def of_vertices(self, values: Annotated[AnyArray, "S ..."]) -> Annotated[AnyArray, "K ..."]:
        """Repeat values of all strands (S, ...) for the ribbons' vertices (K = 12 R, ...)."""
        return np.repeat(values[self.strand], _CORNERS, axis=0)


def ribbons(strands: Strands) -> Ribbons:
    """Make ribbons as wide as the strands are thick, the broad side turned away from the head."""
    shown = np.flatnonzero(strands.radius[:, 0] > 0)
    points = strands.points[shown].astype(np.float64)
    along = np.gradient(points, axis=1)
    outward = points - strands.points[:, 0].mean(0)  # roots surround the head's middle
    across = np.cross(along, outward)
    across /= np.maximum(np.linalg.norm(across, axis=2, keepdims=True), 1e-12)
    half = across * strands.radius[shown][..., None]
    vertices = np.stack([points - half, points + half], axis=2)
    faces = _ribbon_faces()
    first = _CORNERS * np.arange(len(shown))
    return Ribbons(
        strand=shown,
        vertices=vertices.reshape(-1, 3).astype(np.float32),
        faces=(first[:, None, None] + faces).reshape(-1, 3).astype(np.int32),
        uv=np.tile(_ribbon_uv()[faces], (len(shown), 1, 1)).astype(np.float32),
    )


def _ribbon_faces() -> IntArray:
    """The triangles (10, 3) of one ribbon, its front looking away from the head."""
    left = 2 * np.arange(POINTS - 1)
    right, left_above, right_above = left + 1, left + 2, left + 3
    lower = np.stack([left, right, right_above], axis=1)
    upper = np.stack([left, right_above, left_above], axis=1)
    return np.concatenate([lower, upper])


def _ribbon_uv() -> FloatArray:
    """Texture coordinates (12, 2) of one ribbon."""
    height = np.repeat(np.linspace(0.0, 1.0, POINTS), 2)
    return np.stack([np.tile([0.0, 1.0], POINTS), height], axis=1)
