# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in the scene from a file of slider values, and such a file from heads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ...errors import UserError
from ...heads.catalogue import load_head_model
from ...heads.exchange.slider_file import read_slider_file, write_slider_file
from ..head import history
from ..head.head_object import HeadObject
from ..head.placement import stand, taken_room


def import_sliders(
    path: Path, fallback: str, collection: bpy.types.Collection, origin: Vector
) -> list[HeadObject]:
    """Add the heads of a slider file to ``collection``: a grid from ``origin`` (metres), or
    beside what stands there.

    ``fallback``: the model's name where the file does not say it. UserError, before anything is
    added, if the file is none or its model cannot be loaded.
    """
    file = read_slider_file(path)
    model = load_head_model(file.model or fallback)
    rows = file.rows(model.table)
    outfits = file.outfits(len(rows)) if model.dressed else None
    heads = []
    taken = taken_room(bpy.context.view_layer)
    for number, row in enumerate(rows):
        head = HeadObject.create(model, collection, parameters=row)
        if outfits is not None:
            head.wear(outfits[number])
        history.record(head, "Imported")
        heads.append(head)
    stand([head.mesh_object for head in heads], origin, taken)
    return heads


def export_sliders(path: Path, heads: Sequence[HeadObject]) -> None:
    """Write the slider values of heads of one model, and what they wear, to a .json or .npz file.

    UserError if there are none, their models differ or the file cannot be written.
    """
    if not heads:
        raise UserError("no head is selected; select the heads to export")
    names = sorted({head.model.name for head in heads})
    if len(names) > 1:
        raise UserError(f"the heads have different models, {', '.join(names)}; select those of one")
    outfits = [head.outfit for head in heads]
    wear = None if all(outfit.is_bare for outfit in outfits) else outfits
    write_slider_file(path, heads[0].model, np.stack([head.parameters for head in heads]), wear)
