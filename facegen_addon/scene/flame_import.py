# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in the scene from a FLAME parameter file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
from mathutils import Vector

from ..heads.flame.sliders import ImportedSliders, import_sliders
from ..heads.head_model import HeadModel
from . import history
from .head_object import HeadObject
from .placement import grid_places


@dataclass(frozen=True)
class ImportedHeads:
    """The heads added, and what was recognised, ignored and clamped in their file."""

    heads: list[HeadObject]
    sliders: ImportedSliders


def import_heads(
    path: Path,
    model: HeadModel,
    collection: bpy.types.Collection,
    origin: Vector | None = None,
) -> ImportedHeads:
    """Add the heads of a FLAME parameter file to ``collection``: a grid from ``origin`` (metres).

    ``path``: a parameter file or folder (see docs/parameter_files.md); ``model``: a FLAME head.
    UserError, before anything is added, if the file or the model is none.
    """
    sliders = import_sliders(path, model)
    heads = []
    places = grid_places(len(sliders.values), origin or Vector())
    for place, row in zip(places, sliders.values, strict=True):
        head = HeadObject.create(model, collection)
        head.set_parameters(row)
        head.mesh_object.location = place
        history.record(head, f"Imported from {path.name}")
        heads.append(head)
    return ImportedHeads(heads, sliders)
