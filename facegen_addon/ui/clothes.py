# SPDX-License-Identifier: GPL-3.0-or-later
"""Clothes, glasses and headwear of the active head: properties of its object, and their panel.

The text that scene.head.worn keeps on the object is the truth; the properties read and write it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bpy
from bpy.props import EnumProperty, FloatVectorProperty, PointerProperty

from ..errors import UserError
from ..heads.catalogue import load_head_model
from ..heads.wear.outfit import NONE, Outfit
from ..heads.wear.outfit_text import COLOURS, FIELDS, NAMES
from ..scene.head.head_object import MODEL_KEY
from ..scene.head.worn import outfit_of
from .head_operator import active_head, movable_head
from .properties import obstacle
from .remedies import explain

_logger = logging.getLogger(__name__)

_LABELS = {
    "garment": ("Garment", "Its neckline; None: bare neck, as the head's mesh ends"),
    "colour": ("Colour", "Of the garment"),
    "pattern": ("Pattern", "Of the garment's cloth"),
    "second_colour": ("Second Colour", "Of the pattern's stripes and flecks"),
    "glasses": ("Glasses", "Sized by eyes, nose and ears"),
    "frame_colour": ("Frame", "Colour of the glasses' frame"),
    "headwear": ("Headwear", "Sits on the skull; hair beneath it lies flat"),
    "hat_colour": ("Colour", "Of the headwear"),
}
"""Word of an outfit's text -> its label and description."""


def _reader(field: str) -> Callable[[Any], Any]:
    return lambda owner: getattr(outfit_of(owner.id_data), field)


def _writer(field: str) -> Callable[[Any, Any], None]:
    def write(owner: Any, value: Any) -> None:
        mesh_object = owner.id_data
        try:
            wear(mesh_object, replace(outfit_of(mesh_object), **{field: value}))
        except UserError as error:
            _logger.error("%s", explain(error))

    return write


def wear(mesh_object: bpy.types.Object, outfit: Outfit) -> None:
    """Have the head that this object is wear an outfit; UserError where it cannot."""
    if MODEL_KEY not in mesh_object:
        raise UserError(f"{mesh_object.name!r} is no head; choose one to dress")
    movable_head(mesh_object).wear(outfit)


def _choice(word: str) -> Any:
    """A menu of the names that a word accepts."""
    names, (label, text) = NAMES[word], _LABELS[word]
    read, write = _reader(FIELDS[word]), _writer(FIELDS[word])
    return EnumProperty(
        name=label,
        description=text,
        items=[(name, name.replace("_", " ").capitalize(), "") for name in names],
        get=lambda owner: names.index(read(owner)),
        set=lambda owner, number: write(owner, names[number]),
        options=set(),
    )


def _swatch(word: str) -> Any:
    label, text = _LABELS[word]
    write = _writer(FIELDS[word])
    return FloatVectorProperty(
        name=label,
        description=text,
        subtype="COLOR",
        size=3,
        min=0.0,
        max=1.0,
        get=_reader(FIELDS[word]),
        set=lambda owner, colour: write(owner, tuple(map(float, colour))),
        options=set(),
    )


class _Words:
    __annotations__ = {word: (_swatch if word in COLOURS else _choice)(word) for word in FIELDS}


class FACEGEN_PG_outfit(_Words, bpy.types.PropertyGroup):
    """What a head wears; neither keyed nor driven, as its parts are made anew when it changes."""


class FACEGEN_PT_clothes(bpy.types.Panel):
    """What the active head wears."""

    bl_label = "Clothes"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 18
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw menus with their swatches, or why there are none."""
        layout, mesh_object = self.layout, active_head(context)
        if mesh_object is None:
            layout.label(text="Select a head to dress", icon="INFO")
            return
        if not _can_dress(mesh_object):
            layout.label(text="Only heads of model person", icon="INFO")
            return
        outfit, column = mesh_object.facegen_outfit, layout.column()
        column.enabled = _can_move(mesh_object)
        column.use_property_split, column.use_property_decorate = True, False
        _draw_rows(column, outfit, "garment", "colour", "pattern")
        if outfit.garment != NONE and outfit.pattern != "plain":
            column.prop(outfit, "second_colour")
        _draw_rows(column, outfit, "glasses", "frame_colour")
        _draw_rows(column, outfit, "headwear", "hat_colour")


def _draw_rows(layout: bpy.types.UILayout, outfit: Any, choice: str, *more: str) -> None:
    """A menu, and what there is to choose of what is worn."""
    layout.prop(outfit, choice)
    if getattr(outfit, choice) != NONE:
        for word in more:
            layout.prop(outfit, word)


def _can_dress(mesh_object: bpy.types.Object) -> bool:
    try:
        return load_head_model(mesh_object[MODEL_KEY]).dressed
    except UserError:  # its file has gone
        return False


def _can_move(mesh_object: bpy.types.Object) -> bool:
    """Whether the head can be dressed now; where not, the Head panel says why."""
    return mesh_object.is_editable and not obstacle(
        mesh_object, load_head_model(mesh_object[MODEL_KEY])
    )


CLASSES = (FACEGEN_PG_outfit, FACEGEN_PT_clothes)


def register() -> None:
    """Give objects the properties."""
    bpy.types.Object.facegen_outfit = PointerProperty(type=FACEGEN_PG_outfit)


def unregister() -> None:
    """Undo register; heads go on wearing what they do."""
    del bpy.types.Object.facegen_outfit
