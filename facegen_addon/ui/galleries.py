# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels Hair and Beard, and Expression: pictures to choose from, colours, gaze, sliders.

What is chosen is read off the head's parameters and never stored: what no picture shows is "Own".
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import bpy
import numpy as np
from bpy.props import EnumProperty, FloatProperty, FloatVectorProperty, PointerProperty

from ..arrays import FloatArray
from ..errors import UserError
from ..heads.expressions import gaze_of, has_units, looking, named_expression
from ..heads.named_styles import name_of_style
from ..heads.sections import EXPRESSION, HAIR
from ..scene.head import locks
from ..scene.head.head_object import MODEL_KEY, PARAMETERS_KEY, HeadObject
from ..scene.workflows import presets
from .head_operator import movable_head
from .person_panel import draw_swatches
from .properties import Sliders, model_sliders, move
from .remedies import explain
from .shipped_pictures import STYLE_NAMES, items
from .slider_rows import HeadPanel, Shown, draw_sections, shown_head

_logger = logging.getLogger(__name__)
_LABELS = {"hair": "Hair", "brows": "Brows", "beard": "Beard", "expression": "Expression"}
_POPUP_SCALE, _SCALE = 5.0, 5.0
_REACH = 0.75
"""How far from the middle the ball of the gaze is turned at most, as a share of its radius."""


def _state(owner: Any) -> tuple[Sliders, Sequence[float]] | None:
    mesh_object = owner.id_data
    sliders = model_sliders(mesh_object.get(MODEL_KEY, ""))
    return None if sliders is None else (sliders, mesh_object[PARAMETERS_KEY].to_list())


def _reader(kind: str) -> Callable[[Any], int]:
    def read(owner: Any) -> int:
        state = _state(owner)
        if state is None:
            return 0
        (sliders, parameters), table = state, state[0].model.table
        free = ~locks.locked(owner.id_data, table)
        if kind == "expression":
            name = named_expression(table, parameters, free) if has_units(table) else ""
        else:
            name = name_of_style(sliders.model, parameters, kind, free)
        return STYLE_NAMES[kind].index(name) + 1 if name else 0

    return read


def _writer(kind: str) -> Callable[[Any, int], None]:
    def write(owner: Any, number: int) -> None:
        if not number:  # its own: it stays as it is
            return
        name = STYLE_NAMES[kind][number - 1]
        try:
            head = movable_head(owner.id_data)
            if kind == "expression":
                presets.wear_expression(head, name)
            else:
                presets.wear_style(head, kind, name)
        except UserError as error:
            _logger.error("%s", explain(error))

    return write


def _gallery(kind: str) -> Any:
    return EnumProperty(
        name=_LABELS[kind],
        description="Click for pictures; locked sliders and colours stay",
        items=lambda owner, context: items(kind),
        get=_reader(kind),
        set=_writer(kind),
        options=set(),
    )


def _look(owner: Any) -> tuple[float, float]:
    state = _state(owner)
    if state is None or not has_units(state[0].model.table):
        return 0.0, 0.0
    return gaze_of(state[0].model.table, state[1])


def _look_to(owner: Any, sideways: float, upwards: float) -> None:
    def with_gaze(head: HeadObject) -> FloatArray:
        table, before = head.model.table, head.parameters
        kept = locks.locked(head.mesh_object, table)
        found: FloatArray = np.where(kept, before, looking(table, before, sideways, upwards))
        return found

    move(owner.id_data, owner.id_data.get(MODEL_KEY, ""), with_gaze)


def _read_ball(owner: Any) -> tuple[float, float, float]:
    x, y = (_REACH * share for share in _look(owner))
    length = math.hypot(x, y)
    if length > _REACH:
        x, y = x * _REACH / length, y * _REACH / length
    return x, y, math.sqrt(1.0 - x * x - y * y)


def _write_ball(owner: Any, direction: Sequence[float]) -> None:
    x, y = (float(np.clip(share / _REACH, -1.0, 1.0)) for share in direction[:2])
    _look_to(owner, x, y)


def _sideways(owner: Any) -> float:
    return _look(owner)[0]


def _look_sideways(owner: Any, value: float) -> None:
    _look_to(owner, value, _upwards(owner))


def _upwards(owner: Any) -> float:
    return _look(owner)[1]


def _look_upwards(owner: Any, value: float) -> None:
    _look_to(owner, _sideways(owner), value)


class FACEGEN_PG_styles(bpy.types.PropertyGroup):
    """Named styles, expression and gaze of a head; read off its parameters, never stored."""

    hair: _gallery("hair")  # type: ignore[valid-type]
    brows: _gallery("brows")  # type: ignore[valid-type]
    beard: _gallery("beard")  # type: ignore[valid-type]
    expression: _gallery("expression")  # type: ignore[valid-type]
    gaze: FloatVectorProperty(  # type: ignore[valid-type]
        name="Gaze",
        description="Turn the ball: both eyes look where it points, lids follow",
        subtype="DIRECTION",
        size=3,
        get=_read_ball,
        set=_write_ball,
        options=set(),
    )
    sideways: FloatProperty(  # type: ignore[valid-type]
        name="Sideways",
        description="Both eyes look to the left of the picture, -1, or to the right, 1",
        min=-1.0,
        max=1.0,
        get=_sideways,
        set=_look_sideways,
        options=set(),
    )
    upwards: FloatProperty(  # type: ignore[valid-type]
        name="Up and Down",
        description="Both eyes look down, -1, or up, 1",
        min=-1.0,
        max=1.0,
        get=_upwards,
        set=_look_upwards,
        options=set(),
    )


class FACEGEN_PT_hair(HeadPanel, bpy.types.Panel):
    """Hair, brows and beard of the active head."""

    bl_label = "Hair and Beard"
    bl_order = 14
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw galleries, colours, and the sliders one level down."""
        shown = shown_head(context)
        assert shown is not None, "poll has seen to it"
        layout, styles = self.layout, shown.head.facegen_styles
        kinds = [kind for kind in _LABELS if kind in shown.sliders.model.named_styles]
        if kinds:
            row = layout.row(align=True)
            for kind in kinds:
                _draw_gallery(row, styles, kind)
        draw_swatches(layout, shown, "hair")
        draw_sections(layout, shown, HAIR)


class FACEGEN_PT_expression(HeadPanel, bpy.types.Panel):
    """Expression, gaze and pose of the active head."""

    bl_label = "Expression"
    bl_order = 16
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the gallery and the gaze side by side, and the units one level down."""
        shown = shown_head(context)
        assert shown is not None, "poll has seen to it"
        if has_units(shown.table):
            _draw_face(self.layout, shown)
        draw_sections(self.layout, shown, EXPRESSION)


def _draw_face(layout: bpy.types.UILayout, shown: Shown) -> None:
    styles = shown.head.facegen_styles
    row = layout.row()
    _draw_gallery(row, styles, "expression")
    column = row.column(align=True)
    column.label(text="Gaze")
    column.prop(styles, "gaze", text="")
    column = layout.column(align=True)
    column.prop(styles, "sideways", slider=True)
    column.prop(styles, "upwards", slider=True)


def _draw_gallery(layout: bpy.types.UILayout, styles: Any, kind: str) -> None:
    column = layout.column(align=True)
    column.label(text=_LABELS[kind])
    column.template_icon_view(
        styles, kind, show_labels=True, scale=_SCALE, scale_popup=_POPUP_SCALE
    )
    column.prop(styles, kind, text="")


CLASSES = (FACEGEN_PG_styles, FACEGEN_PT_hair, FACEGEN_PT_expression)


def register() -> None:
    """Give objects the properties."""
    bpy.types.Object.facegen_styles = PointerProperty(type=FACEGEN_PG_styles)


def unregister() -> None:
    """Undo register."""
    del bpy.types.Object.facegen_styles
