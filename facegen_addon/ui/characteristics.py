# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders of age, sex, nose and so on, for models whose parameters do not say such things.

They store nothing: each shows what is read off the head's parameters, and moves these when it is
moved. So undo, history, presets and locks know of parameters alone, and keyframes are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bpy
import numpy as np
from bpy.props import FloatProperty

from ..heads.areas import AREAS
from ..heads.characteristics import PEOPLE, WHOLE, Characteristic, Characteristics
from ..heads.head_model import HeadModel
from ..heads.plain_words import WORDS
from ..scene.head.animation import sliders_name
from ..scene.head.head_object import MODEL_KEY, PARAMETERS_KEY
from ..scene.head.locks import pinned
from .capitals import capital
from .slider_ends import draw_end

Moved = Callable[[bpy.types.Object, str, str, float], None]
"""Has a head (its mesh object, of this model) take a characteristic's new value."""

_BEYOND = 3.0
"""Widths of a characteristic's range that its numbers may be typed beyond either end."""
_DECIMALS = {"years": 0, "mm": 1}
_BETWEEN = {"sex": WORDS["gender"], "weight": WORDS["weight"]}
_CALLED = {"caucasian": WORDS["caucasian"].label}
"""Characteristics that are called as the sliders of other models are: those between the words for
both ends, and the others."""


def group_name(model_name: str) -> str:
    """Name of the property of an object that holds the characteristics of a model."""
    return sliders_name(model_name).replace("sliders", "characteristics", 1)


def values_of(mesh_object: bpy.types.Object) -> Any | None:
    """The characteristics of a head's object; None where its model has none or is not loaded."""
    model_name = mesh_object.get(MODEL_KEY)
    return getattr(mesh_object, group_name(model_name), None) if model_name else None


def property_group(model: HeadModel, moved: Moved) -> type | None:
    """A PropertyGroup of the model's characteristics; None for a model without."""
    known = model.characteristics
    if known is None:
        return None
    properties = {row.name: _property(model.name, known, row, moved) for row in known.rows}
    name = f"FACEGEN_PG_{group_name(model.name).removeprefix('facegen_')}"
    return type(name, (bpy.types.PropertyGroup,), {"__annotations__": properties})


def _property(model_name: str, known: Characteristics, row: Characteristic, moved: Moved) -> Any:
    def shown(self: Any) -> float:
        return _read(self.id_data, model_name, known, row.name)

    def set_to(self: Any, value: float) -> None:
        moved(self.id_data, model_name, row.name, value)

    width = row.high - row.low
    return FloatProperty(
        name=row.label,
        description=describe(row),
        default=float(known.mean[known.index(row.name)]),
        soft_min=row.low,
        soft_max=row.high,
        min=row.low - _BEYOND * width,
        max=row.high + _BEYOND * width,
        precision=_DECIMALS.get(row.unit, 2),
        options=set(),  # not to be keyframed: parameters are
        get=shown,
        set=set_to,
    )


def _read(
    mesh_object: bpy.types.Object, model_name: str, known: Characteristics, name: str
) -> float:
    """What a head has; the mean head's for an object that is none of this model."""
    parameters = known.table.mean
    if mesh_object.get(MODEL_KEY) == model_name:
        stored = np.array(mesh_object[PARAMETERS_KEY].to_list())
        parameters = stored if stored.shape == parameters.shape else parameters
    value, row = known.value(parameters, name), known.rows[known.index(name)]
    # A share that is read off a shape may be less than none, which nobody would believe.
    return min(max(value, row.low), row.high) if row.share_of else value


def describe(row: Characteristic) -> str:
    """The tooltip of a characteristic: label, range, unit, and how surely it is read."""
    text = f"{row.label}, as people have it from {row.low:.3g} to {row.high:.3g} ({row.unit})"
    if row.unit == "mm":
        return f"{text}.\nMeasured on the face at rest"
    return f"{text}.\nShape alone: {100 * row.explained:.0f} % of it can be read off a head"


def draw_people(
    layout: bpy.types.UILayout,
    head: bpy.types.Object,
    known: Characteristics,
    settings: bpy.types.PropertyGroup,
) -> None:
    """Who a head is."""
    layout.prop(settings, "others_stay")
    draw_rows(layout, head, [row for row in known.rows if row.group == PEOPLE])


def draw_measures(
    layout: bpy.types.UILayout,
    head: bpy.types.Object,
    known: Characteristics,
    settings: bpy.types.PropertyGroup,
) -> None:
    """The measures of a face, a panel for each area."""
    layout.prop(settings, "others_stay")
    for area in (WHOLE, *AREAS):
        rows = [row for row in known.rows if row.group == area]
        if not rows:
            continue
        header, body = layout.panel(f"FACEGEN_measures_{area}", default_closed=True)
        header.label(text=capital(area))
        if body is not None:
            draw_rows(body, head, rows)


def draw_rows(
    layout: bpy.types.UILayout, head: bpy.types.Object, rows: Iterable[Characteristic]
) -> None:
    """A slider and a pin for each of these characteristics; areas of the face a little apart."""
    values, kept = values_of(head), pinned(head)
    column, group = layout.column(align=True), ""
    for row in rows:
        if group and row.group != group:
            column = layout.column(align=True)
        group = row.group
        line = column.row(align=True)
        words = _BETWEEN.get(row.name)
        if words is None:
            line.prop(values, row.name, text=_CALLED.get(row.name, row.label), slider=True)
        else:
            draw_end(line, words.low, "RIGHT")
            line.prop(values, row.name, text="", slider=True)
            draw_end(line, words.high, "LEFT")
        icon = "PINNED" if row.name in kept else "UNPINNED"
        line.operator("facegen.toggle_pin", text="", icon=icon).name = row.name
