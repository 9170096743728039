# SPDX-License-Identifier: GPL-3.0-or-later
"""Animates a head by a recording of ARKit's blend shapes."""

from __future__ import annotations

from pathlib import Path

import bpy
from mathutils import Vector

from ...heads.exchange.arkit.sliders import import_take
from ...heads.head_model import HeadModel
from ..head.head_object import HeadObject
from .imported_heads import ImportedHeads, add_heads, move_head


def import_arkit(
    path: Path,
    target: HeadModel | HeadObject,
    collection: bpy.types.Collection,
    origin: Vector | None = None,
    *,
    start: int = 1,
    fps: float | None = None,
) -> ImportedHeads:
    """Animate a head by a recording, from the scene's frame ``start``.

    ``path``: a file that exchange/arkit/files.py reads; ``target``: the head, or the model of a new
    one in ``collection`` at ``origin`` (metres); ``fps``: the file's frames a second, whatever it
    says. UserError, before anything changes, if the file is none or the model lacks the sliders.
    """
    label, scene = f"Imported from {path.name}", bpy.context.scene
    if isinstance(target, HeadObject):
        sliders = import_take(path, target.model).at_rate(fps)
        return move_head(target, sliders, label, scene, start)
    sliders = import_take(path, target).at_rate(fps)
    return add_heads(sliders, label, target, collection, origin or Vector(), scene, start)
