# SPDX-License-Identifier: GPL-3.0-or-later
"""Where eyes look: directions as the sliders of head models, by Listing's law.

An eye that looks somewhere has turned from straight ahead about one axis at right angles to both
directions, without twisting (Helmholtz, "Handbuch der physiologischen Optik", volume 3, 1867). Yaw
is positive to the subject's left, pitch upwards, as those of a head.
"""

import numpy as np

from facegen_addon.heads.parameters import FloatArray, IntArray, ParameterTable
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import View

_SLIDERS = (
    (("leye_pose_x", "leye_pose_y"), ("reye_pose_x", "reye_pose_y")),
    (("eye_left_x", "eye_left_z"), ("eye_right_x", "eye_right_z")),
)
"""FLAME's and Anny's: of the left and the right eye, the turn downwards and to the left, radians
of an axis-angle rotation."""
_EYES = np.array([[0.0315, 0.013, 0.022], [-0.0315, 0.013, 0.022]])
"""The left and the right eye's centre from the middle of the face, metres: half the mean distance
between pupils of Dodgson, "Variation and extrema of human interpupillary distance" (2004), and as
on the open head's mean."""
LIDS = (("eyeBlinkLeft", "eyeBlinkRight"), ("eyeWideLeft", "eyeWideRight"))
"""What follows a gaze downwards, and upwards."""
_LIDS_PER_RADIAN = np.array([1.0, 2.0])
"""So that the upper lids move by as much as with ARKit's own eyeLookDown and eyeLookUp, which turn
the eyes, too, but not by a stated angle. Without it the eye would hide behind its lids; in people
they follow it almost degree by degree (Becker and Fuchs, "Lid-eye coordination during vertical gaze
changes in man and monkey", Journal of Neurophysiology 60, 1988)."""


def eye_columns(table: ParameterTable) -> IntArray | None:
    """Columns (2, 2) of a model: left and right eye, turn downwards and to the left; None if its
    eyes do not turn."""
    for sliders in _SLIDERS:
        if all(name in table.names for eye in sliders for name in eye):
            return np.array([[table.index(name) for name in eye] for eye in sliders])
    return None


def eye_turn(yaw: float, pitch: float) -> FloatArray:
    """Yaw and pitch, radians, of a gaze -> turn (2,) downwards and to the left, radians."""
    return _turn_to(
        np.array(
            [np.sin(yaw) * np.cos(pitch), -np.cos(yaw) * np.cos(pitch), np.sin(pitch)],
        )
    )


def turns_to_camera(view: View, width: int, height: int) -> FloatArray:
    """Turns (2, 2) of the left and the right eye that make both look into the camera, for an image
    of some size in pixels."""
    camera = Camera.of(view, np.zeros(3), width, height).position
    rays = camera - _EYES
    return np.stack([_turn_to(ray / np.linalg.norm(ray)) for ray in rays])


def _turn_to(direction: FloatArray) -> FloatArray:
    """The turn (2,) from straight ahead, -Y, to a direction (3,) of unit norm."""
    axis = np.array([-direction[2], direction[0]])  # its x and z; about y there is no turn
    sine = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, -direction[1])
    turn: FloatArray = axis * (angle / sine) if sine > 0 else np.zeros(2)
    return turn


def lid_values(down: float) -> FloatArray:
    """Values (2,) of the units of LIDS for a turn downwards, radians, negative for upwards."""
    values: FloatArray = _LIDS_PER_RADIAN * np.maximum([down, -down], 0.0)
    return np.minimum(values, 1.0)
