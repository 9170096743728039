# SPDX-License-Identifier: GPL-3.0-or-later
"""How a shot stands in a sample's record: degrees, metres, and names of files without folders."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import SENSOR_WIDTH, Shot


def describe_shot(shot: Shot, camera: Camera) -> dict[str, Any]:
    """Camera, pose, shift, light and background as plain data."""
    view = shot.view
    light, background = asdict(shot.light), asdict(shot.background)
    for name in ("azimuth", "elevation", "rotation"):
        light[name] = float(np.degrees(light[name]))
    colour = shot.background.colour
    return {
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "intrinsics": camera.intrinsics.tolist(),
            "extrinsics": camera.extrinsics.tolist(),
            "sensor_width_mm": SENSOR_WIDTH,
            "focal_length_mm": view.focal_length,
            "distance_m": view.distance,
        },
        "pose": {n: float(np.degrees(getattr(view, n))) for n in ("yaw", "pitch", "roll")},
        "shift": [view.shift_x, view.shift_y],
        "light": light | {"hdri": Path(shot.light.hdri).name},
        "background": background
        | {
            "picture": Path(shot.background.picture).name,
            "colour": None if colour is None else list(colour),
        },
    }
