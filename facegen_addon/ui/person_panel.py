# SPDX-License-Identifier: GPL-3.0-or-later
"""The Who panel: woman or man, age in years, build, ancestry, and colours by swatches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np
from bpy.props import EnumProperty, IntProperty, PointerProperty, StringProperty

from ..arrays import FloatArray
from ..heads.anny.model import ANCESTRIES
from ..heads.hair.colour import mixed_colour
from ..heads.person.head import age_of, years
from ..heads.sections import WHO
from ..heads.swatches import KINDS, nearest, nearest_by_look, painted, swatches
from ..scene.head import history, locks
from ..scene.head.head_object import MODEL_KEY, PARAMETERS_KEY, HeadObject
from . import characteristics
from .head_operator import HeadOperator
from .properties import model_sliders, move
from .shipped_pictures import swatch_icon
from .slider_rows import (
    HeadPanel,
    Shown,
    draw_between,
    draw_padlock_of,
    draw_rows,
    draw_sections,
    is_locked,
    shown_head,
)

_YOUNGEST, _OLDEST = 18, 80
_ROW_UNITS = 11.0
"""Width of a row of swatches, in Blender's units of a button's height."""
_COLOURS = {
    "skin": ("Skin", ("skin_melanin",)),
    "eyes": ("Eyes", ("iris_melanin", "iris_green")),
    "hair": ("Hair", ("hair_melanin", "hair_redness", "hair_grey")),
}
"""Kind of swatches -> title, and the parameters that the chosen one is told by."""


def _read_years(owner: Any) -> int:
    mesh_object = owner.id_data
    sliders = model_sliders(mesh_object.get(MODEL_KEY, ""))
    if sliders is None or "age" not in sliders.model.table.names:
        return _YOUNGEST
    age = mesh_object[PARAMETERS_KEY][sliders.model.table.index("age")]
    return round(float(years(np.array([age]))[0]))


def _write_years(owner: Any, value: int) -> None:
    def with_age(head: HeadObject) -> FloatArray:
        parameters, table = head.parameters, head.model.table
        column = table.index("age")
        parameters[column] = np.clip(age_of(value), table.minimum[column], table.maximum[column])
        return parameters

    move(owner.id_data, owner.id_data.get(MODEL_KEY, ""), with_age)


class FACEGEN_PG_person(bpy.types.PropertyGroup):
    """What is said of a head in units that people know; read off its parameters, never stored."""

    years: IntProperty(  # type: ignore[valid-type]
        name="Age in Years",
        description="How old the face is: lids, cheeks, lips, lines. Hair turns grey by its colour",
        min=_YOUNGEST,
        max=_OLDEST,
        get=_read_years,
        set=_write_years,
        options=set(),  # not to be keyframed: parameters are
    )


class FACEGEN_OT_take_colour(HeadOperator, bpy.types.Operator):
    """Give the active head this colour; locked sliders stay"""

    bl_idname = "facegen.take_colour"
    bl_label = "Take Colour"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(  # type: ignore[valid-type]
        name="Of", items=[(kind, kind.capitalize(), "") for kind in KINDS]
    )
    name: StringProperty(name="Colour")  # type: ignore[valid-type]

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """The colour's name."""
        return f"{properties.name} {properties.kind}; locked sliders stay"

    def run(self, context: bpy.types.Context) -> None:
        """Take it."""
        head = self.head(context)
        table, before = head.model.table, head.parameters
        after = painted(table, before, self.kind, self.name)
        kept = locks.locked(head.mesh_object, table)
        history.before_change(head)
        head.move_to(np.where(kept, before, after))
        history.record(head, f"{self.kind.capitalize()}: {self.name}")


class FACEGEN_PT_person(HeadPanel, bpy.types.Panel):
    """Who the active head is."""

    bl_label = "Who"
    bl_order = 10

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what people say of one another first, then the sliders behind it."""
        shown = shown_head(context)
        assert shown is not None, "poll has seen to it"
        layout = self.layout
        if shown.has("gender", "age", *ANCESTRIES):
            _draw_person(layout, shown)
        if shown.characteristics is not None:
            characteristics.draw_people(layout, shown.head, shown.characteristics, shown.settings)
        for kind in ("skin", "eyes"):
            draw_swatches(layout, shown, kind)
        draw_sections(layout, shown, WHO)


def _draw_person(layout: bpy.types.UILayout, shown: Shown) -> None:
    column = layout.column(align=True)
    draw_between(column, shown, "gender")
    row = column.row(align=True)
    age = row.row(align=True)
    age.active = not is_locked(shown, "age")
    age.prop(shown.head.facegen_person, "years", slider=True)
    draw_padlock_of(row, shown, "age")
    column = layout.column(align=True)
    draw_between(column, shown, "weight")
    draw_between(column, shown, "muscle")
    table = shown.table
    layout.label(text="Ancestry")
    draw_rows(layout, shown, [table.parameters[table.index(name)] for name in ANCESTRIES])


def draw_swatches(layout: bpy.types.UILayout, shown: Shown, kind: str) -> None:
    """A row of colours, the one nearest to the head's pressed; nothing for models that are painted
    otherwise than the swatches."""
    title, names = _COLOURS[kind]
    if shown.sliders.model.skin is None or not shown.has(*names):
        return
    column = layout.column(align=True)
    row = column.row(align=True)
    row.label(text=title)
    draw_padlock_of(row, shown, names[0])
    chosen = worn_colour({name: shown.value(name) for name in names}, kind)
    row = column.row(align=True)
    row.scale_x, row.scale_y = _ROW_UNITS / len(swatches(kind)), 1.3
    for swatch in swatches(kind):
        button = row.operator(
            "facegen.take_colour",
            text="",
            icon_value=swatch_icon(kind, swatch.name),
            depress=swatch.name == chosen,
        )
        button.kind, button.name = kind, swatch.name


def worn_colour(values: Mapping[str, float], kind: str) -> str:
    """The swatch nearest to a head's values of the parameters in _COLOURS.

    Of hair the one that looks most like it, which is what Solid mode shows: a few grey strands
    among dark ones change its look far more than its numbers.
    """
    if kind == "hair":
        return nearest_by_look(mixed_colour(values), kind).name
    return nearest(values, kind)


CLASSES = (FACEGEN_PG_person, FACEGEN_OT_take_colour, FACEGEN_PT_person)


def register() -> None:
    """Give objects the properties."""
    bpy.types.Object.facegen_person = PointerProperty(type=FACEGEN_PG_person)


def unregister() -> None:
    """Undo register."""
    del bpy.types.Object.facegen_person
