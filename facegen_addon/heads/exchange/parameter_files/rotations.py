# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts rotations as other programs store them to axis-angle, radians."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ....arrays import FloatArray

_TOLERANCE = 1e-3  # by which a stored matrix may miss being a rotation; float16 misses by 5e-4


def axis_angle_from_six(six: Annotated[FloatArray, "... 6"]) -> Annotated[FloatArray, "... 3"]:
    """Axis-angle (..., 3) of rotations in six numbers (..., 6).

    Zhou et al., "On the Continuity of Rotation Representations in Neural Networks" (2019), laid
    out as PyTorch3D does: the matrix's first two rows before they are made orthonormal.
    """
    first, second = _normalised(six[..., :3]), six[..., 3:]
    second = _normalised(second - (first * second).sum(-1, keepdims=True) * first)
    return axis_angle_from_matrices(np.stack([first, second, np.cross(first, second)], axis=-2))


def are_rotations(matrices: Annotated[FloatArray, "... 3 3"]) -> bool:
    """Whether all of these (..., 3, 3) are orthonormal and none mirrors."""
    products = matrices @ np.swapaxes(matrices, -1, -2)
    return bool(
        np.abs(products - np.eye(3)).max(initial=0.0) < _TOLERANCE
        and (np.linalg.det(matrices) > 0.0).all()
    )


def axis_angle_from_matrices(
    matrices: Annotated[FloatArray, "... 3 3"],
) -> Annotated[FloatArray, "... 3"]:
    """Axis-angle (..., 3), angles from 0 to pi, of rotation matrices (..., 3, 3).

    By way of the unit quaternion, of which the largest component is found first: so that half
    turns, which trackers' cameras are full of, keep their axis.
    """
    m = matrices
    trace = np.trace(m, axis1=-2, axis2=-1)
    diagonal = np.diagonal(m, axis1=-2, axis2=-1)
    # 4 q q^T, each row a multiple of the quaternion (w, x, y, z)
    products = np.empty((*m.shape[:-2], 4, 4))
    products[..., 0, 0] = 1.0 + trace
    for axis in range(3):
        after, last = (axis + 1) % 3, (axis + 2) % 3
        products[..., axis + 1, axis + 1] = 1.0 + 2.0 * diagonal[..., axis] - trace
        skew = m[..., last, after] - m[..., after, last]
        products[..., 0, axis + 1] = products[..., axis + 1, 0] = skew
        even = m[..., axis, after] + m[..., after, axis]
        products[..., axis + 1, after + 1] = products[..., after + 1, axis + 1] = even
    largest = np.diagonal(products, axis1=-2, axis2=-1).argmax(-1)
    quaternion = np.take_along_axis(products, largest[..., None, None], axis=-2)[..., 0, :]
    quaternion = _normalised(quaternion * np.where(quaternion[..., :1] < 0.0, -1.0, 1.0))
    axis_sine = quaternion[..., 1:]
    sine = np.linalg.norm(axis_sine, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternion[..., :1])
    return axis_sine * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def _normalised(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
