# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the frames of a moving head as keyframes on its sliders."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import bpy
import numpy as np

from ...arrays import BoolArray, FloatArray
from ...errors import UserError
from ...heads.parameters import ParameterTable
from .head_object import HeadObject

MAXIMUM_KEYS = 20_000_000
"""Keyframes of one import: Blender takes 72 bytes for each."""
_LAST_FRAME = 1_048_574
"""Blender's last frame."""
_WHOLE = 0.01  # of a frame: as near as timecodes are, so that keys lie on whole frames
_LINEAR = 1  # Blender's number for linear interpolation


@dataclass(frozen=True)
class Keys:
    """Keyframes to write.

    first: parameters (P,) of the first frame; by_name: frames (K,) and values (K,) of each slider
    that moves; start, end: of the scene's range.
    """

    first: Annotated[FloatArray, "P"]
    by_name: dict[str, tuple[Annotated[FloatArray, "_"], Annotated[FloatArray, "_"]]]
    start: int
    end: int


def sliders_name(model_name: str) -> str:
    """Name of the property of an object that holds the sliders of a model."""
    return "facegen_sliders_" + re.sub(r"\W", "_", model_name)


def slider_path(model_name: str, name: str) -> str:
    """Path of a slider from its head's object, for F-curves and drivers."""
    return f"{sliders_name(model_name)}.{name}"


def frame_rate(scene: bpy.types.Scene) -> float:
    """Frames a second of a scene."""
    return float(scene.render.fps / scene.render.fps_base)


def set_frame_rate(scene: bpy.types.Scene, rate: float) -> None:
    """Give a scene this many frames a second; 59.94 as 60 through 1.001, as Blender does."""
    scene.render.fps = max(math.ceil(rate - 1e-6), 1)
    scene.render.fps_base = scene.render.fps / rate


def key_frames(
    times: Annotated[FloatArray, "N"] | None, count: int, rate: float, start: int
) -> Annotated[FloatArray, "N"]:
    """The frames of a scene (N,) at which a file's rows come, from ``start``.

    ``times`` (N,): seconds; None: a row a frame. ``rate``: the scene's frames a second. UserError
    if they go beyond Blender's last frame.
    """
    frames = start + (np.arange(count, dtype=np.float64) if times is None else times * rate)
    if frames[-1] > _LAST_FRAME:
        raise UserError(
            f"its frames go up to {frames[-1]:.0f}, Blender's last is {_LAST_FRAME}; cut the file"
            " or lower the scene's frame rate"
        )
    whole = np.rint(frames)
    return np.where(np.abs(frames - whole) < _WHOLE, whole, frames)


def plan_keys(
    table: ParameterTable, rows: Annotated[FloatArray, "N P"], frames: Annotated[FloatArray, "N"]
) -> Keys:
    """Keyframes that give a head the parameters (N, P) at a scene's frames (N,).

    Sliders that never move get none, others one wherever they do. UserError for more than Blender
    can take.
    """
    rows = table.validate(rows)
    by_name, total = {}, 0
    for column in np.flatnonzero((rows != rows[0]).any(axis=0)):
        points = _turning_points(rows[:, column])
        total += int(points.sum())
        by_name[table.names[column]] = frames[points], rows[points, column]
    if total > MAXIMUM_KEYS:
        raise UserError(
            f"{len(rows)} frames make {total} keyframes, more than {MAXIMUM_KEYS}; cut the file"
        )
    return Keys(rows[0], by_name, math.floor(frames[0]), math.ceil(frames[-1]))


def animate(head: HeadObject, keys: Keys, scene: bpy.types.Scene) -> None:
    """Write keyframes on a head's sliders; between them values run straight.

    They replace those that the same sliders had. The scene's range becomes that of the keyframes,
    and the scene goes to its first frame; where nothing moves, it is left alone.
    """
    head.set_parameters(keys.first)
    if not keys.by_name:
        return
    curves = _curves(head.mesh_object)
    for name, (frames, values) in keys.by_name.items():
        _write(curves, slider_path(head.model.name, name), frames, values)
    scene.frame_start, scene.frame_end = keys.start, keys.end
    scene.frame_set(keys.start)


def driven(mesh_object: bpy.types.Object, model_name: str, names: Iterable[str]) -> set[str]:
    """The sliders of these names that follow a driver, which overrules keyframes."""
    data = mesh_object.animation_data
    paths = {curve.data_path for curve in data.drivers} if data is not None else set()
    return {name for name in names if slider_path(model_name, name) in paths}


def _turning_points(values: FloatArray) -> BoolArray:
    """Mask (N,) of the values that need a keyframe: all but those within a run of the same one."""
    same = np.diff(values) == 0.0
    inside = np.zeros(len(values), np.bool_)
    inside[1:-1] = same[:-1] & same[1:]
    return ~inside


def _write(curves: Any, path: str, frames: FloatArray, values: FloatArray) -> None:
    """Write one F-curve, in the place of a former one of the same path."""
    former = curves.find(path)
    if former is not None:
        curves.remove(former)
    points = (curve := curves.new(path)).keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=1).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
    curve.update()


def _curves(mesh_object: bpy.types.Object) -> Any:
    """The F-curves of an object's action, which is made where it has none of its own.

    From Blender 4.4 on an action has a slot for each object; from 5.0 on nothing else.
    """
    data = mesh_object.animation_data_create()
    if data.action is None or not data.action.is_editable:
        data.action = bpy.data.actions.new(mesh_object.name)
    elif data.action.users - data.action.use_fake_user > 1:  # a copy's, too
        data.action = data.action.copy()
    action = data.action
    if not hasattr(action, "slots"):
        return action.fcurves
    if data.action_slot is None:
        data.action_slot = action.slots.new(id_type="OBJECT", name=mesh_object.name)
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(data.action_slot, ensure=True).fcurves
