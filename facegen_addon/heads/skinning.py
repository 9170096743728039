# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear blend skinning: every point follows the joints by its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, Real


def rotation_matrices(
    axis_angle: Annotated[FloatArray, "... 3"],
) -> Annotated[FloatArray, "... 3 3"]:
    """Rotation matrices (..., 3, 3) of axis-angles (..., 3) in radians, by Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(axis_angle / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    cross = cross.reshape(*axis_angle.shape[:-1], 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def joint_transforms(
    turns: Annotated[FloatArray, "N J 3 3"],
    joints: Annotated[FloatArray, "N J 3"],
    parents: Sequence[int],
) -> Annotated[FloatArray, "N J 3 4"]:
    """Transforms [R | t] (N, J, 3, 4) of the joints: each takes a point x at rest to R x + t.

    `turns` (N, J, 3, 3) rotate about `joints` (N, J, 3), children after their parents; `parents`
    come before their children, the root's is -1.
    """
    transforms = np.empty((*turns.shape[:2], 3, 4))
    for joint, parent in enumerate(parents):
        about = joints[:, joint, :, None]
        turn = turns[:, joint]
        shift = about - turn @ about
        if parent >= 0:
            above = transforms[:, parent]
            turn, shift = above[..., :3] @ turn, above[..., :3] @ shift + above[..., 3:]
        transforms[:, joint, :, :3], transforms[:, joint, :, 3:] = turn, shift
    return transforms


def posed_joints(
    transforms: Annotated[FloatArray, "N J 3 4"], joints: Annotated[FloatArray, "N J 3"]
) -> Annotated[FloatArray, "N J 3"]:
    """The joints (N, J, 3) themselves, moved by their transforms (N, J, 3, 4)."""
    posed: FloatArray = (transforms[..., :3] @ joints[..., None] + transforms[..., 3:])[..., 0]
    return posed


def blend_skin(
    rest: Annotated[NDArray[Real], "3 V"],
    transforms: Annotated[FloatArray, "J 3 4"],
    weights: Annotated[NDArray[Real], "J V"],
) -> Annotated[NDArray[Real], "3 V"]:
    """Pose points at rest (3, V) -> (3, V), by transforms (J, 3, 4) and weights (J, V).

    One head at a time and by planes, so that all of it stays in the processor's cache.
    """
    flat = transforms.reshape(len(weights), 12).astype(weights.dtype)
    blended = (flat.T @ weights).reshape(3, 4, -1)
    blended[:, :3] *= rest
    posed: NDArray[Real] = blended.sum(1)
    return posed
