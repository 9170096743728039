# SPDX-License-Identifier: GPL-3.0-or-later
"""A pinhole camera in OpenCV's convention: x right, y down, z forward; the world is Z up.

Pixel (i, j), row and column, covers [j, j + 1) x [i, i + 1): the image's corner is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Float32Array, FloatArray
from .shot import SENSOR_WIDTH, View

# The world as seen from the front: the face looks along -Y, at the camera.
_FRONTAL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Camera:
    """intrinsics (3, 3) pixels; extrinsics (3, 4): world (metres) -> camera; size in pixels."""

    intrinsics: Annotated[FloatArray, "3 3"]
    extrinsics: Annotated[FloatArray, "3 4"]
    width: int
    height: int

    @classmethod
    def of(cls, view: View, middle: ArrayLike, width: int, height: int) -> Camera:
        """The camera that sees the middle (3,) of a face, metres, as `view` says."""
        focal = width * view.focal_length / SENSOR_WIDTH
        intrinsics = np.array(
            [[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]]
        )
        rotation = _FRONTAL @ head_rotation(view)
        seen_at = view.distance * np.array(
            [view.shift_x * width / focal, view.shift_y * height / focal, 1.0]
        )
        shift = seen_at - rotation @ np.asarray(middle, np.float64)
        return cls(intrinsics, np.column_stack([rotation, shift]), width, height)

    @property
    def rotation(self) -> Annotated[FloatArray, "3 3"]:
        """World -> camera (3, 3)."""
        return self.extrinsics[:, :3]

    @property
    def position(self) -> Annotated[FloatArray, "3"]:
        """Where it stands in the world (3,), metres."""
        position: FloatArray = -self.rotation.T @ self.extrinsics[:, 3]
        return position

    def seen(self, points: ArrayLike) -> Annotated[FloatArray, "... 3"]:
        """World points (..., 3) -> camera coordinates (..., 3), metres; z is the depth."""
        seen: FloatArray = np.asarray(points, np.float64) @ self.rotation.T + self.extrinsics[:, 3]
        return seen

    def project(self, points: ArrayLike) -> Annotated[FloatArray, "... 2"]:
        """World points (..., 3) -> pixels (..., 2), x right and y down."""
        rays = self.seen(points) @ self.intrinsics.T
        pixels: FloatArray = rays[..., :2] / rays[..., 2:]
        return pixels


def middle_of_face(points: Annotated[Float32Array, "5 3"]) -> Annotated[FloatArray, "3"]:
    """What a portrait has in its middle (3,), metres, of the five points (5, 3) of a face: the
    face's box ends up a little above."""
    middle = points[:2].mean(0) * 0.62 + points[3:].mean(0) * 0.38
    return np.array([float(middle[0]), float(middle[1]), float(middle[2]) + 0.006])


def head_rotation(view: View) -> Annotated[FloatArray, "3 3"]:
    """The turn (3, 3) of a head that is seen so, in the world of a camera that stands still."""
    return _about(2, view.yaw) @ _about(0, -view.pitch) @ _about(1, view.roll)


def angles_of(rotation: Annotated[FloatArray, "3 3"]) -> Annotated[FloatArray, "3"]:
    """Yaw, pitch and roll (3,), radians, of a head that a camera sees turned so: `rotation` (3, 3)
    is world -> camera, as a Camera has it."""
    turned = _FRONTAL.T @ rotation
    yaw = np.arctan2(-turned[0, 1], turned[1, 1])
    pitch = -np.arcsin(np.clip(turned[2, 1], -1.0, 1.0))
    roll = np.arctan2(-turned[2, 0], turned[2, 2])
    return np.array([yaw, pitch, roll])


def _about(axis: int, angle: float) -> FloatArray:
    """Right-handed rotation (3, 3) about a coordinate axis, radians."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = np.cos(angle)
    rotation[second, first] = np.sin(angle)
    rotation[first, second] = -rotation[second, first]
    return rotation
