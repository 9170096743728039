# SPDX-License-Identifier: GPL-3.0-or-later
"""Directions of the eyes' gaze, and the sliders that make them do so.

Identity turns the eyes, too: at rest they look up to ten degrees down and a few outwards, each head
otherwise. So where an eye looks is read from its vertices, and the turn is what is left from there.
It follows Listing's law as far as an eye that starts elsewhere can: about an axis at right angles
to straight ahead, without twist (Helmholtz, "Handbuch der physiologischen Optik", volume 3, 1867).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facegen_addon.arrays import FloatArray, IntArray
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.rig import at_rest
from facegen_addon.heads.skinning import rotation_matrices
from facegen_addon.labels.camera import Camera, middle_of_face

_PARTS = ("eye_left", "eye_right")
_AHEAD = np.array([0.0, -1.0, 0.0])
_STEPS = 6  # each leaves about a tenth of the error

LIDS = (("eyeBlinkLeft", "eyeBlinkRight"), ("eyeWideLeft", "eyeWideRight"))
"""What follows a gaze downwards, and upwards."""
_LIDS_PER_RADIAN = np.array([1.0, 2.0])
"""So that the upper lids move by about as much as with ARKit's own eyeLookDown and eyeLookUp, which
turn the eyes, too, but not by a stated angle. Without it the eye would hide behind its lids; in
people they follow it almost degree by degree (Becker and Fuchs, "Lid-eye coordination during
vertical gaze changes in man and monkey", Journal of Neurophysiology 60, 1988)."""


@dataclass(frozen=True)
class Eyes:
    """The two eyes of a posed head, left first.

    axes (2, 3, 3): from directions in the template's eye to metres in the world; centre (2, 3),
    metres.
    """

    axes: Annotated[FloatArray, "2 3 3"]
    centre: Annotated[FloatArray, "2 3"]

    @classmethod
    def of(cls, model: HeadModel, vertices: Annotated[FloatArray, "V 3"]) -> "Eyes":
        """The eyes of vertices (V, 3), by least squares over each eye's."""
        surface = model.surface
        axes, centres = [], []
        for name in _PARTS:
            eye = surface.part == surface.part_names.index(name)
            known = np.column_stack([surface.gaze[eye], np.ones(int(eye.sum()))])
            fitted = np.linalg.lstsq(known.astype(np.float64), vertices[eye], rcond=None)[0]
            axes.append(fitted[:3].T)
            centres.append(fitted[3])
        return cls(np.stack(axes), np.stack(centres))

    @property
    def directions(self) -> Annotated[FloatArray, "2 3"]:
        """Directions of gaze (2, 3), unit norm."""
        looks = self.axes @ _AHEAD
        directions: FloatArray = looks / np.linalg.norm(looks, axis=1, keepdims=True)
        return directions


def eye_columns(model: HeadModel) -> Annotated[IntArray, "2 3"] | None:
    """Columns (2, 3) of a model: left and right eye; turn down, to the subject's left, and roll.
    None if its eyes do not turn."""
    sliders = model.joint_sliders
    if not set(_PARTS) <= sliders.keys():
        return None
    return np.stack([sliders[eye].columns(model.table) for eye in _PARTS])


def direction_of(yaw: float, pitch: float) -> Annotated[FloatArray, "3"]:
    """The direction (3,) of a gaze: radians to the subject's left, and up."""
    return np.array([np.sin(yaw) * np.cos(pitch), -np.cos(yaw) * np.cos(pitch), np.sin(pitch)])


def turns_to(
    model: HeadModel, parameters: Annotated[FloatArray, "P"], direction: Annotated[FloatArray, "3"]
) -> Annotated[FloatArray, "2 2"]:
    """Turns (2, 2), down and left, that make both eyes look in a direction (3,) of the head."""
    at_ease = Eyes.of(model, _vertices(model, at_rest(model.table, parameters)))
    return _turns(at_ease.directions, np.stack([direction, direction]))


def turns_to_camera(
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"],
    camera_of: Callable[[Annotated[FloatArray, "P"]], Camera],
) -> Annotated[FloatArray, "2 2"]:
    """Turns (2, 2), down and left, that make both eyes look into a camera.

    parameters (P,): with the eyes unturned; camera_of: the camera for the middle of the face (3,).
    """
    vertices = _vertices(model, parameters)
    at_ease = Eyes.of(model, _vertices(model, at_rest(model.table, parameters)))
    posed = Eyes.of(model, vertices)
    middle = middle_of_face(model.five_points(vertices.astype(np.float32)))
    rays = camera_of(middle).position - posed.centre
    # Sliders turn the eyes in the head, which neck and all may have turned in the world.
    into_head = at_ease.axes @ np.linalg.inv(posed.axes)
    rays = (into_head @ rays[..., None])[..., 0]
    return _turns(at_ease.directions, rays / np.linalg.norm(rays, axis=1, keepdims=True))


def lid_values(down: float) -> Annotated[FloatArray, "2"]:
    """Values (2,) of the units of LIDS for a turn down, radians, negative for up."""
    values: FloatArray = _LIDS_PER_RADIAN * np.maximum([down, -down], 0.0)
    return np.minimum(values, 1.0)


def _vertices(model: HeadModel, parameters: FloatArray) -> FloatArray:
    return model.forward(parameters)[0].astype(np.float64)


def _turns(directions: FloatArray, wanted: FloatArray) -> FloatArray:
    """Turns (2, 2), down and left, that take directions (2, 3) to others, by fixed-point steps."""
    turns = np.zeros((len(directions), 2))
    for _ in range(_STEPS):
        axes = np.stack([turns[:, 0], np.zeros(len(turns)), turns[:, 1]], axis=1)
        looks = (rotation_matrices(axes) @ directions[..., None])[..., 0]
        turns += _from_ahead(wanted) - _from_ahead(looks)
    return turns


def _from_ahead(directions: FloatArray) -> FloatArray:
    """Turns (N, 2), down and left, from straight ahead to directions (N, 3) of unit norm."""
    across = np.stack([-directions[:, 2], directions[:, 0]], axis=1)
    sine = np.linalg.norm(across, axis=1, keepdims=True)
    angle = np.arctan2(sine, -directions[:, 1:2])
    turns: FloatArray = across * np.where(sine > 0, angle / np.where(sine > 0, sine, 1.0), 0.0)
    return turns


def turn_from_ahead(yaw: float, pitch: float) -> Annotated[FloatArray, "2"]:
    """The turn (2,), down and left, radians, of an eye that looked straight ahead."""
    turn: FloatArray = _from_ahead(direction_of(yaw, pitch)[None])[0]
    return turn
