# SPDX-License-Identifier: GPL-3.0-or-later
"""Strands as flat ribbons of triangles, for file formats that know no curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, Int32Array, IntArray
from .strands import Strands


@dataclass(frozen=True)
class Ribbons:
    """The ribbons of the R strands that show, two triangles a segment.

    strand (R,): the index of each in the set it grew from; sizes (R,): points of each; vertices
    (K, 3) metres: left and right of each of their points; faces (T, 3); uv (T, 3, 2): across a
    ribbon and from its root to its tip.
    """

    strand: Annotated[IntArray, "R"]
    sizes: Annotated[IntArray, "R"]
    vertices: Annotated[Float32Array, "K 3"]
    faces: Annotated[Int32Array, "T 3"]
    uv: Annotated[Float32Array, "T 3 2"]

    def of_vertices(self, values: Annotated[AnyArray, "S ..."]) -> Annotated[AnyArray, "K ..."]:
        """Repeat values of all strands (S, ...) for the ribbons' vertices (K, ...)."""
        return np.repeat(values[self.strand], 2 * self.sizes, axis=0)


def ribbons(strands: Strands) -> Ribbons:
    """Make ribbons as wide as the strands are thick, the broad side turned away from the head."""
    first = np.cumsum(strands.sizes) - strands.sizes
    middle = strands.points[first].mean(0)  # roots surround the head's middle
    shown = np.flatnonzero(strands.radius[first] > 0)
    parts, count = [], 0
    for size in np.unique(strands.sizes):
        chosen = shown[strands.sizes[shown] == size]
        rows = first[chosen, None] + np.arange(size)
        vertices = _widened(strands.points[rows].astype(np.float64), strands.radius[rows], middle)
        faces = _ribbon_faces(size)
        starts = count + 2 * size * np.arange(len(chosen))
        uv = np.tile(_ribbon_uv(size)[faces], (len(chosen), 1, 1))
        parts.append((chosen, vertices, (starts[:, None, None] + faces).reshape(-1, 3), uv))
        count += len(vertices)
    strand, vertices, faces, uv = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Ribbons(
        strand=strand,
        sizes=strands.sizes[strand],
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        uv=uv.astype(np.float32),
    )


def _widened(points: FloatArray, radius: FloatArray, middle: FloatArray) -> FloatArray:
    """Vertices (2 R K, 3) left and right of points (R, K, 3)."""
    along = np.gradient(points, axis=1)
    across = np.cross(along, points - middle)
    across /= np.maximum(np.linalg.norm(across, axis=2, keepdims=True), 1e-12)
    half = across * radius[..., None]
    widened: FloatArray = np.stack([points - half, points + half], axis=2).reshape(-1, 3)
    return widened


def _ribbon_faces(size: int) -> IntArray:
    """The triangles (2 K - 2, 3) of a ribbon of K points, its front looking away from the head."""
    left = 2 * np.arange(size - 1)
    right, left_above, right_above = left + 1, left + 2, left + 3
    lower = np.stack([left, right, right_above], axis=1)
    upper = np.stack([left, right_above, left_above], axis=1)
    return np.concatenate([lower, upper])


def _ribbon_uv(size: int) -> FloatArray:
    """Texture coordinates (2 K, 2) of a ribbon of K points."""
    height = np.repeat(np.linspace(0.0, 1.0, size), 2)
    return np.stack([np.tile([0.0, 1.0], size), height], axis=1)
