# SPDX-License-Identifier: GPL-3.0-or-later
"""One head's skeleton, for programs that pose by linear blend skinning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import FloatArray, IntArray, RealArray
from .parameters import ParameterTable
from .skinning import blend_skin, joint_transforms, posed_joints, rotation_matrices

INFLUENCES = 4
"""Joints that a vertex follows at most: what games and glTF readers can do."""


@dataclass(frozen=True)
class Rig:
    """J joints in the place of the model's ``forward``: metres, Z up, the face looks along -Y.

    names and parents (J), parents first, the root's is -1; joints (J, 3) of the head without pose;
    turns (J, 3): the head's pose, axis-angle in radians about the axes of the whole; weights
    (V, J), rows sum to 1.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    joints: Annotated[FloatArray, "J 3"]
    turns: Annotated[FloatArray, "J 3"]
    weights: Annotated[FloatArray, "V J"]

    def posed(self, rest: Annotated[RealArray, "V 3"]) -> Annotated[FloatArray, "V 3"]:
        """Vertices at rest (V, 3) -> posed (V, 3) by linear blend skinning alone."""
        return blend_skin(rest.T.astype(np.float64), self._transforms(), self.weights.T).T

    def posed_joints(self) -> Annotated[FloatArray, "J 3"]:
        """Where the joints (J, 3) are in the head's pose."""
        return posed_joints(self._transforms()[None], self.joints[None])[0]

    def unposed(self, posed: Annotated[RealArray, "V 3"]) -> Annotated[FloatArray, "V 3"]:
        """The inverse of ``posed``."""
        blended = np.tensordot(self.weights, self._transforms(), 1)
        shifted = posed - blended[..., 3]
        return np.linalg.solve(blended[..., :3], shifted[..., None])[..., 0]

    def _transforms(self) -> FloatArray:
        turns = rotation_matrices(self.turns)[None]
        return joint_transforms(turns, self.joints[None], self.parents)[0]


@dataclass(frozen=True)
class JointSliders:
    """The three sliders of a joint: an axis-angle turn, radians.

    names: about the axis to the subject's left, which turns a face down; about the upright one, to
    the subject's left; about the one straight ahead, to the subject's right shoulder, or to the
    left one where ``roll_sign`` is -1.
    """

    names: tuple[str, str, str]
    roll_sign: int = 1

    def columns(self, table: ParameterTable) -> Annotated[IntArray, "3"]:
        """Columns (3,) of the sliders in a table: down, left, roll."""
        return np.array([table.index(name) for name in self.names], np.intp)

    def values(self, turns: Annotated[FloatArray, "... 3"]) -> Annotated[FloatArray, "... 3"]:
        """Axis-angles (..., 3) about left, up and ahead -> values of the sliders (..., 3)."""
        return turns * np.array([1.0, 1.0, self.roll_sign])


def at_rest(
    table: ParameterTable, parameters: Annotated[FloatArray, "... P"]
) -> Annotated[FloatArray, "... P"]:
    """Parameters (..., P) with a pose of zero: those in radians turn joints."""
    is_pose = np.array([parameter.unit == "rad" for parameter in table.parameters])
    return np.where(is_pose, 0.0, parameters)


def strongest(
    weights: Annotated[FloatArray, "V J"], count: int = INFLUENCES
) -> Annotated[FloatArray, "V J"]:
    """Weights (V, J) of which the ``count`` largest of each row are kept; rows sum to 1."""
    ranks = np.argsort(np.argsort(-weights, axis=1, kind="stable"), axis=1, kind="stable")
    kept = np.where(ranks < count, weights, 0.0)
    kept_share: FloatArray = kept / kept.sum(1, keepdims=True)
    return kept_share
