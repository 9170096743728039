# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair, brows and beard as strands that grow from the head's surface."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32Array, FloatArray, IntArray

SCALP, BROW, BEARD, MOUSTACHE = range(4)
POINTS = 6
"""Points along each strand, the root included."""

RECESSION = 0.030
"""Metres by which the hairline rises when hair_recession goes from 0 to 1."""
BEARD_RANGE = 0.030
"""Metres by which the beard's edge falls when beard_extent goes from 1 to 0."""

_GRAVITY = np.array([0.0, 0.0, -1.0])
_FRONT = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class StrandSet:
    """Where S strands grow, the same for every head.

    triangle (S,) and bary (S, 3): the root on the surface; region (S,): SCALP, BROW, BEARD or
    MOUSTACHE; field (S,) metres: above the hairline, from the brow's line, below the beard's
    edge; rank (S,) in [0, 1]: the strand shows while the density exceeds it; jitter (S, 3):
    standard normal, the strand's own character.
    """

    triangle: IntArray
    bary: Float32Array
    region: NDArray[np.uint8]
    field: Float32Array
    rank: Float32Array
    jitter: Float32Array

    def __len__(self) -> int:
        return len(self.triangle)

    def subset(self, chosen: NDArray[np.bool_]) -> StrandSet:
        """The strands where ``chosen`` (S,) holds."""
        return StrandSet(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Strands:
    """The strands of one head: points (S, POINTS, 3) metres, radius (S, POINTS) metres (zero
    where a strand does not show)."""

    points: Float32Array
    radius: Float32Array


@dataclass(frozen=True)
class HairStyle:
    """What the strands of one head need to know; each in [0, 1], directions in [-1, 1]."""

    hair_density: float
    hair_length: float
    hair_recession: float
    hair_volume: float
    hair_curl: float
    hair_forward: float
    hair_sideways: float
    brow_density: float
    brow_thickness: float
    beard_density: float
    beard_length: float
    beard_extent: float
    moustache_density: float


def _lengths_of(vectors: FloatArray) -> FloatArray:
    """Lengths (..., 1) of vectors (..., 3), written out: NumPy is slow at sums of three."""
    x, y, z = (vectors[..., axis] for axis in range(3))
    return np.sqrt(x * x + y * y + z * z)[..., None]


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    product = a * b
    return (product[..., 0] + product[..., 1] + product[..., 2])[..., None]


def _normalise(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(_lengths_of(vectors), 1e-12)


def _interpolated(
    values: NDArray[np.floating], corners: NDArray[np.integer], bary: FloatArray
) -> FloatArray:
    """Values (V, 3) at points on the surface: corners (S, 3), weights (S, 3) -> (S, 3)."""
    a, b, c = (values[corners[:, k]] * bary[:, k : k + 1] for k in range(3))
    return a + b + c


def vertex_normals(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray:
    """Area-weighted unit normals (V, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    normals: FloatArray = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices))
            for axis in range(3)
        ],
        axis=1,
    )
    return _normalise(normals)


def grow(
    strands: StrandSet,
    style: HairStyle,
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
) -> Strands:
    """The strands of a head with these vertices (V, 3) and faces (T, 3)."""
    corners = faces[strands.triangle]
    weights = strands.bary.astype(np.float64)
    roots = _interpolated(vertices, corners, weights)
    normals = _normalise(_interpolated(vertex_normals(vertices, faces), corners, weights))
    lengths, visible = _lengths(strands, style)
    # Some renderers draw a hair's width even where the radius is zero, but nothing of no length.
    points = np.repeat(roots[:, None], POINTS, axis=1)
    points[visible] = _march(
        strands.subset(visible),
        style,
        roots[visible],
        normals[visible],
        lengths[visible],
        roots[strands.region == SCALP],
    )
    taper = np.array([1.0, 1.0, 0.95, 0.85, 0.7, 0.4])
    thickness = np.select(
        [strands.region == SCALP, strands.region == BROW], [4.0e-4, 2.3e-4], 1.7e-4
    )
    radius = thickness[:, None] * taper * visible[:, None]
    return Strands(points.astype(np.float32), radius.astype(np.float32))


def _lengths(strands: StrandSet, style: HairStyle) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Length of each strand (S,) in metres and whether it shows (S,)."""
    own = 1.0 + 0.18 * strands.jitter[:, 0].astype(np.float64)
    scalp = 0.004 + 0.030 * style.hair_length + 0.16 * max(style.hair_length - 0.45, 0.0) ** 1.5 * 2
    edge = RECESSION * style.hair_recession
    near_edge = np.clip((strands.field - edge) / 0.02, 0.25, 1.0)
    brow = np.full(len(strands), 0.0062)
    beard = np.full(len(strands), 0.002 + 0.016 * style.beard_length**1.5)
    length: FloatArray = np.select(
        [strands.region == SCALP, strands.region == BROW], [scalp * near_edge, brow], beard
    )
    beard_edge = BEARD_RANGE * (1.0 - style.beard_extent)
    half_width = 0.0018 + 0.0030 * style.brow_thickness
    shown = np.select(
        [strands.region == SCALP, strands.region == BROW, strands.region == MOUSTACHE],
        [
            (strands.rank < 1.25 * style.hair_density - 0.1) & (strands.field > edge),
            (strands.rank < style.brow_density) & (np.abs(strands.field) < half_width),
            strands.rank < style.moustache_density - 0.1,
        ],
        (strands.rank < style.beard_density - 0.1) & (strands.field > beard_edge),
    )
    return length * np.clip(own, 0.5, 1.5), shown


def _comb(
    strands: StrandSet, style: HairStyle, roots: FloatArray, centre: FloatArray
) -> FloatArray:
    """Which way each strand lies (S, 3), before it is laid onto the surface."""
    offset = roots - centre
    side = np.tanh(offset[:, :1] / 0.02)
    outward = np.concatenate([side, np.zeros((len(roots), 2))], axis=1)
    frontness = np.clip(-offset[:, 1:2] / 0.08 + 0.3, 0.0, 1.0)
    back = -_FRONT * (1.0 - style.hair_forward) + _FRONT * max(style.hair_forward, 0.0) * frontness
    scalp = 0.6 * outward + back * 0.8 + 0.5 * _GRAVITY
    scalp[:, 0] += 1.2 * style.hair_sideways * np.clip(offset[:, 2] / 0.08, 0.0, 1.0)
    brow = 1.0 * outward + 0.35 * (-_GRAVITY) * np.clip(1.6 - np.abs(roots[:, :1]) / 0.022, -0.5, 1)
    beard = _GRAVITY + 0.25 * outward
    region = strands.region[:, None]
    return np.select([region == SCALP, region == BROW], [scalp, brow], beard)


def _march(
    strands: StrandSet,
    style: HairStyle,
    roots: FloatArray,
    normals: FloatArray,
    lengths: FloatArray,
    scalp_roots: FloatArray,
) -> FloatArray:
    """Points (S, POINTS, 3): each strand leaves along the normal, is combed and falls.

    Scalp strands are kept outside an ellipsoid around the scalp, so that long hair lies on the
    head and hangs beside it; ``scalp_roots`` (R, 3) are those of hair that does not show, too.
    """
    scalp = strands.region == SCALP
    low, high = scalp_roots.min(0), scalp_roots.max(0)
    centre = np.array([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), high[2] - 0.085])
    comb = _comb(strands, style, roots, centre)
    comb = _normalise(comb - normals * _dot(comb, normals))
    lift = np.select([scalp, strands.region == BROW], [0.35 + 0.9 * style.hair_volume, 0.25], 0.5)
    curl = np.where(scalp, style.hair_curl, 0.15)[:, None]
    jitter = strands.jitter.astype(np.float64)
    step = (lengths / (POINTS - 1))[:, None]
    points = np.empty((len(roots), POINTS, 3))
    points[:, 0] = roots
    radii = _scalp_radii(scalp_roots, centre)
    for k in range(1, POINTS):
        age = k / (POINTS - 1)
        fall = 30.0 * lengths[:, None] * age * np.where(scalp, 0.35, 0.1)[:, None]
        twist = np.stack(
            [np.sin(5.0 * age * (1 + curl[:, 0]) + 3 * jitter[:, axis]) for axis in range(3)],
            axis=1,
        )
        direction = (
            normals * lift[:, None] * (1.0 - 0.8 * age)
            + comb * (0.4 + age)
            + _GRAVITY * fall
            + 0.07 * jitter
            + curl * twist * 0.7
        )
        points[:, k] = points[:, k - 1] + _normalise(direction) * step
        points[scalp, k] = _keep_outside(points[scalp, k], centre, radii)
    return points


def _scalp_radii(roots: FloatArray, centre: FloatArray) -> FloatArray:
    """Half axes (3,) of an upright ellipsoid fitted to the scalp's roots by least squares."""
    squared = (roots - centre) ** 2
    solution, *_ = np.linalg.lstsq(squared, np.ones(len(squared)), rcond=None)
    return 1.0 / np.sqrt(np.maximum(solution, 1.0 / 0.16**2))


def _keep_outside(points: FloatArray, centre: FloatArray, radii: FloatArray) -> FloatArray:
    offset = (points - centre) / (radii + 0.002)
    distance = _lengths_of(offset)
    inside = distance < 1.0
    return np.where(inside, centre + offset / distance * (radii + 0.002), points)
