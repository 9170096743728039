# SPDX-License-Identifier: GPL-3.0-or-later
"""The curves of a head's strands, and how they take light."""

from __future__ import annotations

import bpy

from ...heads.head_model import HeadModel
from . import materials


def light_hair(hair_object: bpy.types.Object, model: HeadModel) -> None:
    """Have groomed hair lit as one mass: strands that shade each other are grain and wool."""
    if model.skin is not None:
        hair_object.visible_shadow = hair_object.visible_diffuse = False


def new_hair(model: HeadModel) -> bpy.types.ID:
    """The curves of a model's strands, which have not grown yet."""
    hair = bpy.data.hair_curves.new("Hair")
    hair.add_curves(model.strand_sizes.tolist())
    if "radius" not in hair.attributes:
        hair.attributes.new("radius", "FLOAT", "POINT")
    hair.attributes.new(materials.COLOUR, "FLOAT_COLOR", "CURVE")
    hair.materials.append(
        materials.hair_material() if model.skin is None else materials.sheen_hair_material()
    )
    return hair
