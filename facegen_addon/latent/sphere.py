# SPDX-License-Identifier: GPL-3.0-or-later
"""Geometry of the unit sphere on which face latents lie.

Latents are rows of unit norm, `(N, D)`; a single latent is `(D,)`. Everything is computed in
float64, whatever comes in, so that a distance does not depend on the caller's precision.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import FloatArray, RealArray

# Below this, a vector has no direction worth keeping.
_TINY = 1e-12


def normalise(vectors: Annotated[RealArray, "... D"]) -> Annotated[FloatArray, "... D"]:
    """Rows scaled to unit norm, (..., D) float64; ValueError if a row is zero or not finite."""
    vectors = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not np.all(np.isfinite(norms)) or np.any(norms < _TINY):
        raise ValueError("a vector that is zero or not finite has no direction on the sphere")
    return vectors / norms


def cosine_distance(
    a: Annotated[RealArray, "... D"], b: Annotated[RealArray, "... D"]
) -> Annotated[FloatArray, "..."]:
    """1 - cos between unit rows of `a` and `b` (..., D), row by row: (...) in [0, 2]."""
    products = np.sum(np.asarray(a, np.float64) * np.asarray(b, np.float64), axis=-1)
    return np.clip(1.0 - products, 0.0, 2.0)


def cosine_distance_matrix(
    a: Annotated[RealArray, "N D"], b: Annotated[RealArray, "M D"] | None = None
) -> Annotated[FloatArray, "N M"]:
    """1 - cos between all unit rows of `a` (N, D) and of `b` (M, D): (N, M) in [0, 2].

    Without `b`, the distances within `a`, symmetric and with a diagonal of exactly 0.
    """
    a = np.asarray(a, np.float64)
    other = a if b is None else np.asarray(b, np.float64)
    distances = np.clip(1.0 - a @ other.T, 0.0, 2.0)
    if b is None:
        distances = np.minimum(distances, distances.T)
        np.fill_diagonal(distances, 0.0)
    return distances


def angle(
    a: Annotated[RealArray, "... D"], b: Annotated[RealArray, "... D"]
) -> Annotated[FloatArray, "..."]:
    """Angle between unit rows, radians in [0, pi]; exact for near and for opposite rows too."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return 2.0 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))


def log_map(
    base: Annotated[RealArray, "... D"], points: Annotated[RealArray, "... D"]
) -> Annotated[FloatArray, "... D"]:
    """Tangent vectors at `base` that lead to `points` (..., D), their length the angle in radians.

    ValueError where a point is opposite to its base: every direction leads there.
    """
    base, points = np.broadcast_arrays(np.asarray(base, np.float64), np.asarray(points, np.float64))
    across = points - np.sum(base * points, axis=-1, keepdims=True) * base
    angles = angle(base, points)[..., None]
    if np.any(angles > np.pi - 1e-7):
        raise ValueError("opposite points have no single shortest way between them")
    lengths = np.linalg.norm(across, axis=-1, keepdims=True)
    return across * np.where(lengths > _TINY, angles / np.maximum(lengths, _TINY), 1.0)


def exp_map(
    base: Annotated[RealArray, "... D"], tangents: Annotated[RealArray, "... D"]
) -> Annotated[FloatArray, "... D"]:
    """Points reached from `base` along `tangents` (..., D), whose length is an angle in radians."""
    base, tangents = np.asarray(base, np.float64), np.asarray(tangents, np.float64)
    angles = np.linalg.norm(tangents, axis=-1, keepdims=True)
    # np.sinc(x / pi) is sin(x) / x, with its limit of 1 at zero.
    return normalise(np.cos(angles) * base + np.sinc(angles / np.pi) * tangents)


def geodesic(
    a: Annotated[RealArray, "... D"],
    b: Annotated[RealArray, "... D"],
    t: float | Annotated[RealArray, "N"],
) -> Annotated[FloatArray, "... D"]:
    """Points at fraction `t` (scalar or (N,)) of the great circle from rows of `a` to `b`."""
    fractions = np.asarray(t, np.float64)[..., None]
    return exp_map(a, fractions * log_map(a, b))


def rotation_between(
    a: Annotated[RealArray, "D"], b: Annotated[RealArray, "D"]
) -> Annotated[FloatArray, "D D"]:
    """The rotation (D, D) in the plane of unit vectors `a` and `b` (D,) that takes `a` to `b`.

    Everything across that plane stays. For opposite vectors one such plane is chosen.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if angle(a, b) > np.pi - 1e-7:
        axis = np.zeros_like(a)
        axis[np.argmin(np.abs(a))] = 1.0
        axis = normalise(axis - (axis @ a) * a)
        return np.eye(len(a)) - 2.0 * (np.outer(a, a) + np.outer(axis, axis))
    middle = a + b
    return np.eye(len(a)) - np.outer(middle, middle) / (1.0 + a @ b) + 2.0 * np.outer(b, a)


def procrustes_rotation(
    a: Annotated[RealArray, "N D"], b: Annotated[RealArray, "N D"]
) -> Annotated[FloatArray, "D D"]:
    """The rotation R (D, D), determinant +1, least in sum of squares of `a @ R.T - b`, (N, D)."""
    left, _, right = np.linalg.svd(np.asarray(b, np.float64).T @ np.asarray(a, np.float64))
    signs = np.ones(len(left))
    signs[-1] = np.sign(np.linalg.det(left) * np.linalg.det(right))
    return (left * signs) @ right
