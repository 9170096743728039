# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a sample: degrees, metres, and names of files without folders.

All records have the same keys, and each key values of one type: readers (Hugging Face's datasets)
take the types of the first records for those of all, and end where null stands beside a number.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import SENSOR_WIDTH, Shot

NONE = -1.0
"""Stands for a number that a sample does not have; those that may lack are never negative."""
_NO_COLOUR = [NONE, NONE, NONE]


def describe_shot(shot: Shot, camera: Camera) -> dict[str, Any]:
    """Camera, pose, shift, light, background and, where the recipe draws it, wear as plain data."""
    view = shot.view
    light, background = asdict(shot.light), asdict(shot.background)
    for name in ("azimuth", "elevation", "rotation"):
        light[name] = float(np.degrees(light[name]))
    colour = shot.background.colour
    outfit = {} if shot.outfit is None else {"wear": asdict(shot.outfit)}
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
            "colour": _NO_COLOUR if colour is None else list(map(float, colour)),
        },
        **outfit,
    }


def describe_check(check: Mapping[str, Any] | None) -> dict[str, Any]:
    """Findings of the label check in an accepted sample; None if it was not checked."""
    worst = NONE if check is None else check["worst_depth_mm"]
    return {"done": check is not None, "worst_depth_mm": worst}


def known(value: Any) -> Any:
    """A number of a record, or a list of some; None where the sample has none."""
    first = value[0] if isinstance(value, list) else value
    return None if first == NONE else value


def of_current_format(record: Mapping[str, Any], face_seen: bool) -> dict[str, Any]:
    """A record of format 1, which had null for what is not there, as it would be written now."""
    distance, colour = record["cosine_distance"], record["background"]["colour"]
    return {
        **record,
        "background": record["background"] | {"colour": colour or _NO_COLOUR},
        "face_seen": face_seen,
        "cosine_distance": NONE if distance is None else distance,
        "label_check": describe_check(record["label_check"]),
    }
