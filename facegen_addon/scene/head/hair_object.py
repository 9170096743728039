# SPDX-License-Identifier: GPL-3.0-or-later
"""The curves of a head's strands, and how they take light."""

from __future__ import annotations

from typing import Annotated

import bpy

from ...arrays import RealArray
from ...heads.appearance import Appearance
from ...heads.hair.colour import from_afar
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
    hair.materials.append(_material(model, seen_colour(model.appearance(model.table.default()))))
    return hair


def seen_colour(look: Appearance) -> Annotated[RealArray, "3"]:
    """The colour (3,) of all hair together, linear RGB: grey strands among the others."""
    return from_afar(look.hair, look.grey)


def show_colour(hair_object: bpy.types.Object, model: HeadModel, look: Appearance) -> None:
    """Have Solid mode and Workbench show strands in the head's colour.

    By Object that is its own, and in Blender 4 by Attribute; by Material, and in Blender 5 by
    Attribute, the named one nearest to it. A material of the user's own stays.
    """
    colour = seen_colour(look)
    hair_object.color = (*colour, 1.0)
    slots, wanted = hair_object.data.materials, _material(model, colour)
    if slots and slots[0] not in (None, wanted) and materials.is_hair_material(slots[0]):
        slots[0] = wanted


def _material(model: HeadModel, colour: RealArray) -> bpy.types.Material:
    return materials.hair_material(colour, groomed=model.skin is not None)
