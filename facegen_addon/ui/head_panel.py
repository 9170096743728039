# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's tab: add a head, move its sliders, see what they do."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import bpy
import numpy as np

from ..heads.parameters import Parameter, ParameterTable
from ..mapping.influence import Influence, SliderInfluence
from ..scene.head_object import MODEL_KEY, PARAMETERS_KEY
from . import thumbnails
from .head_operator import active_head
from .properties import Sliders, missing_model, model_sliders, obstacle, sliders_of

FIRST = 20
"""Sliders of a long group that show without asking for all."""
_THUMBNAIL_SCALE = 4.5


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


def moved(table: ParameterTable, parameters: Sequence[float], group: str) -> bool:
    """Whether a slider of this group, or any where it is empty, is away from the mean head."""
    differs = np.asarray(parameters) != table.mean
    return bool((differs[table.columns(group)] if group else differs).any())


def shown_figure(sliders: Sliders, name: str) -> SliderInfluence | None:
    """The figures to show: of the slider called ``name``, else of the most influential one."""
    figures = sliders.influence
    if figures is None or not figures.sliders:
        return None
    return figures.slider(name) or figures.ranked()[0]


def shown_value(value: float, parameter: Parameter) -> str:
    """A slider's value as Blender shows it: angles in degrees."""
    return f"{math.degrees(value):.0f}°" if parameter.unit == "rad" else f"{value:.2f}"


def figure_lines(figures: Influence, figure: SliderInfluence) -> tuple[str, ...]:
    """What a slider does, in lines that are short enough for a narrow sidebar."""
    return (
        f"Per {figure.step_words}:",
        f"Cosine distance {figures.cosine_words(figure)}",
        f"Skin moves {figure.mean_mm:.1f} mm",
    )


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
            missing = missing_model(head[MODEL_KEY])
            _draw_message(layout, missing or f"the sliders of {head[MODEL_KEY]} are not loaded")
            layout.operator("facegen.load_sliders", icon="FILE_REFRESH")
            return
        hindrance = obstacle(head, sliders.model)
        if hindrance:
            _draw_message(layout, hindrance)
            return
        _draw_influence(layout, sliders, settings.slider)
        row = layout.row(align=True)
        row.prop(settings, "search", text="", icon="VIEWZOOM")
        _draw_reset(row, head, sliders, "", emboss=True)
        if settings.search.strip():
            rows = found(sliders.model.table, settings.search)
            _draw_rows(layout, head, sliders, rows, settings)
            if not rows:
                layout.label(text="No slider of that name", icon="INFO")
            return
        _draw_groups(layout, head, sliders, settings)


class FACEGEN_PT_files(bpy.types.Panel):
    """Heads from and for other programs."""

    bl_label = "Import and Export"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a button for each direction."""
        column = self.layout.column(align=True)
        column.operator("facegen.import_flame", icon="IMPORT")
        column.operator("facegen.export_flame", icon="EXPORT")


def _draw_message(layout: bpy.types.UILayout, message: str) -> None:
    """Say why there are no sliders, in as many lines as a narrow sidebar needs."""
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(message[:1].upper() + message[1:], 34)):
        column.label(text=line, icon="BLANK1" if number else "ERROR")


def _draw_influence(layout: bpy.types.UILayout, sliders: Sliders, name: str) -> None:
    """What the slider last touched or chosen does, by figures and at both ends.

    Another's place is kept, so that the sliders below do not move under the mouse.
    """
    figure = shown_figure(sliders, name)
    if figure is None or sliders.influence is None:
        return
    parameter = sliders.model.table.parameters[sliders.model.table.index(figure.name)]
    header, body = layout.panel("FACEGEN_influence")
    header.label(text=f"Influence: {parameter.label}")
    icons = thumbnails.icons(sliders.model.name, figure.name)
    if body is None or icons is None:
        return
    row = body.row()
    for icon, value in zip(icons, (figure.low, figure.high), strict=True):
        column = row.column(align=True)
        column.template_icon(icon, scale=_THUMBNAIL_SCALE)
        ends = column.row()
        ends.alignment = "CENTER"
        ends.label(text=shown_value(value, parameter))
    lines = body.column(align=True)
    lines.scale_y = 0.8
    for line in figure_lines(sliders.influence, figure):
        lines.label(text=line)


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
        _draw_reset(header, head, sliders, group)
        if body is None:
            continue
        rows, more = group_rows(table, group, settings.show_all)
        _draw_rows(body, head, sliders, rows, settings)
        if more or (settings.show_all and len(rows) > FIRST):
            text = f"Show {more} More" if more else "Show Fewer"
            body.prop(settings, "show_all", text=text, toggle=True)


def _draw_reset(
    layout: bpy.types.UILayout,
    head: bpy.types.Object,
    sliders: Sliders,
    group: str,
    emboss: bool = False,
) -> None:
    """A reset button, grey where there is nothing to reset: it tells what has been moved."""
    row = layout.row(align=True)
    row.enabled = moved(sliders.model.table, head[PARAMETERS_KEY].to_list(), group)
    row.operator("facegen.reset_sliders", text="", icon="LOOP_BACK", emboss=emboss).group = group


def _draw_rows(
    layout: bpy.types.UILayout,
    head: bpy.types.Object,
    sliders: Sliders,
    parameters: Sequence[Parameter],
    settings: bpy.types.PropertyGroup,
) -> None:
    values = sliders_of(head)
    figures = sliders.influence
    column = layout.column(align=True)
    for parameter in parameters:
        row = column.row(align=True)
        row.prop(values, parameter.name, slider=True)
        if figures is None:
            continue
        if figures.slider(parameter.name) is None:
            row.label(text="", icon="BLANK1")  # so that all sliders are equally long
            continue
        chosen = settings.slider == parameter.name
        show = row.operator("facegen.show_slider", text="", icon="QUESTION", depress=chosen)
        show.name = parameter.name


CLASSES = (FACEGEN_PT_head, FACEGEN_PT_files)
