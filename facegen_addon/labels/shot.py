# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that decides one image, as plain numbers: no random draw is left to the renderer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..arrays import FloatArray
from ..heads.wear.outfit import Outfit

SENSOR_WIDTH = 36.0
"""Millimetres, of the full-frame camera that focal lengths are given for."""
PORTRAIT_DISTANCE = 1.6
"""Metres from the face, as for a portrait."""
PORTRAIT_FRAME = 0.31
"""Metres that a portrait spans at the face."""


@dataclass(frozen=True)
class View:
    """How the camera sees the head; angles in radians.

    yaw, pitch, roll: the head's own turns before a camera that stands still, in this order about
    its own axes; yaw turns it to its left (the viewer's right), pitch up, roll clockwise as seen.
    distance: metres from the camera to the middle of the face; focal_length: millimetres, of a
    sensor 36 mm wide; shift_x, shift_y: where the middle of the face lies, in widths and heights
    of the image right of and below its middle.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = PORTRAIT_DISTANCE
    focal_length: float = SENSOR_WIDTH * PORTRAIT_DISTANCE / PORTRAIT_FRAME
    shift_x: float = 0.0
    shift_y: float = 0.0


@dataclass(frozen=True)
class Light:
    """A preset of scene.render.lights.LIGHTS, or an HDRI; both keep their place before the camera.

    azimuth, elevation: radians by which the preset's lamp is moved, to the viewer's right and up;
    strength: factor on everything; hdri: path of an equirectangular picture that lights instead,
    empty for none; rotation: radians by which it is turned about the vertical.
    """

    preset: str = "studio"
    azimuth: float = 0.0
    elevation: float = 0.0
    strength: float = 1.0
    hdri: str = ""
    rotation: float = 0.0


@dataclass(frozen=True)
class Background:
    """What is seen behind the head; it lights nothing.

    picture: path of an image that fills the frame, cut to its shape, empty for none; else colour:
    linear RGB in [0, 1]; None: the light preset's own backdrop, or the HDRI itself.
    """

    picture: str = ""
    colour: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Shot:
    """One image: parameters (P,) of the head, and how it is seen; seed of the renderer's noise;
    outfit: what it wears, None for the plain one."""

    parameters: Annotated[FloatArray, "P"]
    view: View = field(default_factory=View)
    light: Light = field(default_factory=Light)
    background: Background = field(default_factory=Background)
    seed: int = 0
    outfit: Outfit | None = None
