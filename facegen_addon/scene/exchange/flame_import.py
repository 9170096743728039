# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in the scene from a FLAME parameter file."""

from __future__ import annotations

from pathlib import Path

import bpy
from mathutils import Vector

from ...heads.exchange.flame_sliders import import_sliders
from ...heads.head_model import HeadModel
from .imported_heads import ImportedHeads, add_heads


def import_heads(
    path: Path,
    model: HeadModel,
    collection: bpy.types.Collection,
    origin: Vector | None = None,
    *,
    start: int = 1,
    fps: float | None = None,
) -> ImportedHeads:
    """Add the heads of a FLAME parameter file to ``collection``: a grid from ``origin`` (metres),
    or one that moves from the scene's frame ``start`` where the file is a sequence.

    ``path``: a parameter file or folder (see docs/parameter_files.md); ``model``: a FLAME head;
    ``fps``: the file's rows are frames, so many a second, whatever it says. UserError, before
    anything is added, if the file or the model is none.
    """
    sliders = import_sliders(path, model).at_rate(fps)
    label, scene = f"Imported from {path.name}", bpy.context.scene
    return add_heads(sliders, label, model, collection, origin or Vector(), scene, start)
