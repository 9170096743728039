# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the heads of another program's file into the scene: one a row, or one that moves."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Vector

from ...arrays import FloatArray
from ...heads.exchange.flame_sliders import ImportedSliders
from ...heads.head_model import HeadModel
from ..head import history, locks
from ..head.animation import Keys, animate, driven, frame_rate, key_frames, plan_keys
from ..head.head_object import HeadObject
from ..head.placement import stand, taken_room


@dataclass(frozen=True)
class ImportedHeads:
    """The heads added or moved, what was recognised, ignored and clamped in their file, and lines
    on the animation."""

    heads: list[HeadObject]
    sliders: ImportedSliders
    lines: list[str] = field(default_factory=list)


def add_heads(
    sliders: ImportedSliders,
    label: str,
    model: HeadModel,
    collection: bpy.types.Collection,
    origin: Vector,
    scene: bpy.types.Scene,
    start: int,
) -> ImportedHeads:
    """Add the heads of a file to ``collection``: a grid from ``origin`` (metres), or, of a
    sequence, one with keyframes from the scene's frame ``start``.

    ``label``: what their history calls them. UserError, before anything is added, for more frames
    or keyframes than Blender can take.
    """
    if not sliders.sequence:
        return ImportedHeads(_grid(sliders.values, label, model, collection, origin), sliders)
    keys = _keys(sliders, model, sliders.values, scene, start)
    (head,) = _grid(sliders.values[:1], label, model, collection, origin)
    animate(head, keys, scene)
    return ImportedHeads([head], sliders, _lines(sliders, keys, scene))


def move_head(
    head: HeadObject, sliders: ImportedSliders, label: str, scene: bpy.types.Scene, start: int
) -> ImportedHeads:
    """Animate a head by a file's expressions and poses, as keyframes from frame ``start``.

    Identity and appearance stay, and so do sliders that are locked or follow a driver.
    """
    table = head.model.table
    locked = locks.locked(head.mesh_object, table)
    follows = driven(head.mesh_object, head.model.name, table.names)
    free = [c for c in table.moving if not locked[c] and table.names[c] not in follows]
    rows = np.tile(head.parameters, (len(sliders.values), 1))
    rows[:, free] = sliders.values[:, free]
    keys = _keys(sliders, head.model, rows, scene, start)
    history.before_change(head)
    animate(head, keys, scene)
    history.record(head, label)
    lines = _lines(sliders, keys, scene)
    for kind, columns in (
        ("locked", [c for c in table.moving if locked[c]]),
        ("driven", [c for c in table.moving if table.names[c] in follows]),
    ):
        lost = [table.names[c] for c in columns if (sliders.values[:, c] != table.mean[c]).any()]
        if lost:
            lines.append(f"{kind} sliders stay as they are: {', '.join(lost)}")
    return ImportedHeads([head], sliders, lines)


def _grid(
    rows: FloatArray,
    label: str,
    model: HeadModel,
    collection: bpy.types.Collection,
    origin: Vector,
) -> list[HeadObject]:
    heads = []
    taken = taken_room(bpy.context.view_layer)
    for row in rows:
        head = HeadObject.create(model, collection, parameters=row)
        history.record(head, label)
        heads.append(head)
    stand([head.mesh_object for head in heads], origin, taken)
    return heads


def _keys(
    sliders: ImportedSliders,
    model: HeadModel,
    rows: FloatArray,
    scene: bpy.types.Scene,
    start: int,
) -> Keys:
    frames = key_frames(sliders.moments, len(rows), frame_rate(scene), start)
    return plan_keys(model.table, rows, frames)


def _lines(sliders: ImportedSliders, keys: Keys, scene: bpy.types.Scene) -> list[str]:
    if len(sliders.values) == 1:
        return []
    rate = sliders.fps
    said = (
        f"{rate:.6g} frames a second, the scene has {frame_rate(scene):.6g}"
        if rate is not None
        else "the file does not say how many a second: one a frame of the scene"
    )
    return [
        f"{len(sliders.values)} frames animate {len(keys.by_name)} sliders from frame {keys.start}"
        f" to {keys.end}; {said}"
    ]
