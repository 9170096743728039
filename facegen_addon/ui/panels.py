# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's tab: add a head, move its sliders, see what they do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import bpy

from ..heads.parameters import Parameter, ParameterTable
from ..scene.head_object import MODEL_KEY
from . import thumbnails
from .properties import Sliders, missing_model, model_sliders, sliders_of

FIRST = 20
"""Sliders of a long group that show without asking for all."""
_THUMBNAIL_SCALE = 5.0


def active_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The head that is active, or whose hair is."""
    active = context.active_object
    if active is not None and MODEL_KEY not in active:
        active = active.parent
    return active if active is not None and MODEL_KEY in active else None


def matches(parameter: Parameter, search: str) -> bool:
    """Whether a slider's label, name or group contains every word of ``search``."""
    text = f"{parameter.label} {parameter.name} {parameter.group}".lower()
    return all(word in text for word in search.lower().split())


def found(table: ParameterTable, search: str) -> list[Parameter]:
    """The parameters that a search finds."""
    return [parameter for parameter in table.parameters if matches(parameter, search)]


def group_rows(table: ParameterTable, group: str, show_all: bool) -> tuple[list[Parameter], int]:
    """The sliders of a group that show, and how many more there are."""
    rows = [table.parameters[column] for column in table.columns(group)]
    shown = rows if show_all else rows[:FIRST]
    return shown, len(rows) - len(shown)


class FACEGEN_PT_head(bpy.types.Panel):
    """Heads and their sliders."""

    bl_label = "Head"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what there is for the active object."""
        layout = self.layout
        settings = context.window_manager.facegen
        row = layout.row(align=True)
        row.prop(settings, "model", text="")
        row.operator("facegen.choose_flame_file", text="", icon="FILE_FOLDER")
        layout.operator("facegen.add_head", icon="ADD").model = settings.model
        head = active_head(context)
        if head is None:
            return
        sliders = model_sliders(head[MODEL_KEY])
        if sliders is None or sliders_of(head) is None:
            _draw_missing(layout, head[MODEL_KEY])
            return
        _draw_pictures(layout, sliders, settings.slider)
        layout.prop(settings, "search", text="", icon="VIEWZOOM")
        if settings.search.strip():
            _draw_rows(layout, head, found(sliders.model.table, settings.search))
            return
        _draw_groups(layout, head, sliders, settings)
        layout.operator("facegen.reset_sliders", text="Reset All", icon="LOOP_BACK").group = ""


def _draw_missing(layout: bpy.types.UILayout, model_name: str) -> None:
    """Say why there are no sliders, and offer to look again."""
    message = missing_model(model_name) or f"the sliders of {model_name} are not loaded"
    column = layout.column(align=True)
    for number, line in enumerate(_wrapped(message)):
        column.label(text=line, icon="NONE" if number else "ERROR")
    layout.operator("facegen.load_sliders", icon="FILE_REFRESH")


def _wrapped(text: str, width: int = 40) -> list[str]:
    return textwrap.wrap(text, width)


def _draw_pictures(layout: bpy.types.UILayout, sliders: Sliders, name: str) -> None:
    """The lowest and the highest believable value of the slider last touched or chosen."""
    figure = sliders.influence.slider(name) if sliders.influence else None
    icons = thumbnails.icons(sliders.model.name, name)
    if figure is None or icons is None:
        return
    parameter = sliders.model.table.parameters[sliders.model.table.index(name)]
    box = layout.box()
    box.label(text=parameter.label)
    row = box.row()
    for icon, value in zip(icons, (figure.low, figure.high), strict=True):
        column = row.column()
        column.template_icon(icon, scale=_THUMBNAIL_SCALE)
        column.label(text=f"{value:.2f}")


def _draw_groups(
    layout: bpy.types.UILayout,
    head: bpy.types.Object,
    sliders: Sliders,
    settings: bpy.types.PropertyGroup,
) -> None:
    table = sliders.model.table
    for number, group in enumerate(table.groups):
        identifier = f"FACEGEN_{sliders.model.name}_{group}"
        header, body = layout.panel(identifier, default_closed=number > 0)
        header.label(text=group.replace("_", " ").capitalize())
        header.operator(
            "facegen.reset_sliders", text="", icon="LOOP_BACK", emboss=False
        ).group = group
        if body is None:
            continue
        rows, more = group_rows(table, group, settings.show_all)
        _draw_rows(body, head, rows)
        if more or (settings.show_all and len(rows) > FIRST):
            text = f"Show {more} More" if more else "Show Fewer"
            body.prop(settings, "show_all", text=text, toggle=True)


def _draw_rows(
    layout: bpy.types.UILayout, head: bpy.types.Object, parameters: Sequence[Parameter]
) -> None:
    values = sliders_of(head)
    column = layout.column(align=True)
    for parameter in parameters:
        row = column.row(align=True)
        row.prop(values, parameter.name, slider=True)
        show = row.operator("facegen.show_slider", text="", icon="IMAGE_DATA", emboss=False)
        show.name = parameter.name
