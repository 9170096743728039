# SPDX-License-Identifier: GPL-3.0-or-later
"""The Head panel: add a head, move its sliders, see what they do."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import bpy
import numpy as np

from ..arrays import BoolArray
from ..heads.characteristics import Characteristic
from ..heads.parameters import Parameter, ParameterTable
from ..mapping.influence import Influence, SliderInfluence
from ..scene.head.head_object import MODEL_KEY, PARAMETERS_KEY
from ..scene.head.locks import locked
from . import characteristics, jobs, new_face, sculpting, thumbnails
from .head_operator import active_head
from .properties import (
    VIEW_SHARES,
    Sliders,
    first_figure,
    missing_model,
    model_sliders,
    obstacle,
    sliders_of,
    viewed,
)
from .slider_operators import RANKING, chosen_columns

FIRST = 20
"""Sliders of a long group that show without asking for all."""
_THUMBNAIL_SCALE = 4.5
_SEEN_MM = 0.05  # what rounds to less than 0.1 mm is no movement


def matches(row: Parameter | Characteristic, search: str) -> bool:
    """Whether the label, name or group of a slider contains every word of ``search``."""
    text = f"{row.label} {row.name} {row.group}".lower()
    return all(word in text for word in search.lower().split())


def found(
    table: ParameterTable, search: str, viewed: Annotated[BoolArray, "P"]
) -> tuple[list[Parameter], int]:
    """The parameters that a search finds among those viewed (P,), and how many of the others."""
    matching = [matches(parameter, search) for parameter in table.parameters]
    rows = [p for p, chosen in zip(table.parameters, matching & viewed, strict=True) if chosen]
    return rows, sum(matching) - len(rows)


def group_rows(
    table: ParameterTable, group: str, viewed: Annotated[BoolArray, "P"], show_all: bool
) -> tuple[list[Parameter], int]:
    """The sliders of a group that show, and how many more of those viewed (P,) there are."""
    rows = [table.parameters[column] for column in table.columns(group) if viewed[column]]
    shown = rows if show_all else rows[:FIRST]
    return shown, len(rows) - len(shown)


def moved(
    table: ParameterTable, parameters: Sequence[float], kept: Annotated[BoolArray, "P"], group: str
) -> bool:
    """Whether a slider of this group, or any where it is empty, can be reset to the mean head.

    `kept` (P,): those that a reset leaves alone.
    """
    differs = (np.asarray(parameters) != table.mean) & ~kept
    return bool(differs[chosen_columns(table, "", group)].any())


@dataclass(frozen=True)
class _Shown:
    """The active head, its sliders and their state, read once for a drawing of the panel."""

    head: bpy.types.Object
    sliders: Sliders
    settings: bpy.types.PropertyGroup
    parameters: Sequence[float]
    locked: BoolArray
    viewed: BoolArray

    @property
    def kept(self) -> BoolArray:
        """Mask (P,) of sliders that a group's reset and padlock leave alone: locked or hidden."""
        return self.locked | ~self.viewed

    @property
    def table(self) -> ParameterTable:
        """The parameters of the head's model."""
        return self.sliders.model.table


def shown_figure(sliders: Sliders, name: str) -> SliderInfluence | None:
    """The figures to show: of the slider called ``name``, else those that the panel begins with."""
    figures = sliders.influence
    if figures is None:
        return None
    return figures.slider(name) or first_figure(sliders.model.table, figures)


def shown_value(value: float, parameter: Parameter) -> str:
    """A slider's value as Blender shows it: angles in degrees."""
    return f"{math.degrees(value):.0f}°" if parameter.unit == "rad" else f"{value:.2f}"


def figure_lines(figures: Influence, figure: SliderInfluence) -> tuple[str, ...]:
    """The figures of a slider's influence, in lines that are short enough for a narrow sidebar."""
    return (
        f"Per {figure.step_words}:",
        f"Cosine distance {figures.cosine_words(figure)}",
        f"Skin moves {figure.mean_mm:.1f} mm"
        if figure.mean_mm >= _SEEN_MM
        else "Colour or hair: the shape stays",
    )


class FACEGEN_PT_head(bpy.types.Panel):
    """Heads and their sliders."""

    bl_label = "Head"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what there is for the active object."""
        layout = self.layout
        settings = context.window_manager.facegen
        new_face.draw(layout, context)
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
            draw_message(layout, missing or f"the sliders of {head[MODEL_KEY]} are not loaded")
            layout.operator("facegen.load_sliders", icon="FILE_REFRESH")
            return
        hindrance = obstacle(head, sliders.model)
        if hindrance:
            draw_message(layout, hindrance)
            return
        sculpting.draw(layout, head)
        _draw_influence(layout, sliders, settings.slider)
        table, parameters = sliders.model.table, head[PARAMETERS_KEY].to_list()
        in_view = viewed(table, sliders.ranking, settings.view)
        shown = _Shown(head, sliders, settings, parameters, locked(head, table), in_view)
        _draw_view(layout, shown)
        _draw_sliders(layout, shown)


def draw_message(layout: bpy.types.UILayout, message: str) -> None:
    """Say why there are no sliders, in as many lines as a narrow sidebar needs."""
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(message[:1].upper() + message[1:], 34)):
        column.label(text=line, icon="BLANK1" if number else "ERROR")


def _draw_influence(layout: bpy.types.UILayout, sliders: Sliders, name: str) -> None:
    """Draw the influence of the slider last touched or chosen: figures, and both ends.

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


def _draw_view(layout: bpy.types.UILayout, shown: _Shown) -> None:
    """The choice between all sliders and short lists, and how long the list is."""
    layout.row(align=True).prop(shown.settings, "view", expand=True)
    if shown.settings.view not in VIEW_SHARES:
        return
    job = jobs.current()
    if job is not None and job.label == RANKING:
        jobs.draw(layout)
    elif shown.sliders.ranking is None:
        draw_message(layout, "these sliders are not ranked yet: all of them show")
        layout.operator("facegen.rank_sliders", icon="SORTSIZE")
    else:
        ranked = shown.sliders.ranking
        count = ranked.count(VIEW_SHARES[shown.settings.view])
        layout.label(text=f"{count} of {len(ranked.names)} sliders", icon="SORTSIZE")


def _draw_sliders(layout: bpy.types.UILayout, shown: _Shown) -> None:
    """The search, and the sliders that it finds or all of them in their groups."""
    row = layout.row(align=True)
    row.prop(shown.settings, "search", text="", icon="VIEWZOOM")
    _draw_lock(row, shown, "", emboss=True)
    _draw_reset(row, shown, "", emboss=True)
    search = shown.settings.search
    # Not of the model itself where their file is damaged, as was said when it was loaded.
    known = shown.sliders.model.characteristics if shown.sliders.characteristics else None
    if not search.strip():
        if known is not None:
            characteristics.draw(layout, shown.head, known, shown.settings)
        _draw_groups(layout, shown)
        return
    described = [row for row in known.rows if matches(row, search)] if known else []
    characteristics.draw_rows(layout, shown.head, described)
    rows, others = found(shown.table, search, shown.viewed)
    _draw_rows(layout, shown, rows)
    if others:
        layout.label(text=f"{others} outside the short list", icon="INFO")
    elif not rows and not described:
        layout.label(text="No slider of that name", icon="INFO")


def _draw_groups(layout: bpy.types.UILayout, shown: _Shown) -> None:
    settings = shown.settings
    for group in shown.table.groups:
        rows, more = group_rows(shown.table, group, shown.viewed, settings.show_all)
        if not rows:
            continue
        # Closed at first: the panels below would be out of sight.
        identifier = f"FACEGEN_{shown.sliders.model.name}_{group}"
        header, body = layout.panel(identifier, default_closed=True)
        header.label(text=group.replace("_", " ").capitalize())
        _draw_lock(header, shown, group)
        _draw_reset(header, shown, group)
        if body is None:
            continue
        _draw_rows(body, shown, rows)
        if more or (settings.show_all and len(rows) > FIRST):
            text = f"Show {more} More" if more else "Show Fewer"
            body.prop(settings, "show_all", text=text, toggle=True)


def _draw_lock(layout: bpy.types.UILayout, shown: _Shown, group: str, emboss: bool = False) -> None:
    """The padlock of a group, or of all sliders: closed where all of them are locked."""
    closed = shown.kept[chosen_columns(shown.table, "", group)].all()
    button = _draw_padlock(layout, bool(closed), emboss)
    button.group, button.view = group, shown.settings.view


def _draw_padlock(layout: bpy.types.UILayout, closed: bool, emboss: bool) -> Any:
    icon = "LOCKED" if closed else "UNLOCKED"
    return layout.operator("facegen.toggle_lock", text="", icon=icon, emboss=emboss)


def _draw_reset(
    layout: bpy.types.UILayout, shown: _Shown, group: str, emboss: bool = False
) -> None:
    """A reset button, grey where there is nothing to reset: it tells what has been moved."""
    row = layout.row(align=True)
    row.enabled = moved(shown.table, shown.parameters, shown.kept, group)
    button = row.operator("facegen.reset_sliders", text="", icon="LOOP_BACK", emboss=emboss)
    button.group, button.view = group, shown.settings.view


def _draw_rows(layout: bpy.types.UILayout, shown: _Shown, parameters: Sequence[Parameter]) -> None:
    values = sliders_of(shown.head)
    column = layout.column(align=True)
    for parameter in parameters:
        row = column.row(align=True)
        closed = bool(shown.locked[shown.table.index(parameter.name)])
        slider = row.row(align=True)
        slider.active = not closed  # grey, but it can be moved by hand and keyframed
        slider.prop(values, parameter.name, slider=True)
        _draw_padlock(row, closed, emboss=True).name = parameter.name
        _draw_figure_button(row, shown, parameter.name)


def _draw_figure_button(row: bpy.types.UILayout, shown: _Shown, name: str) -> None:
    figures = shown.sliders.influence
    if figures is None:
        return
    if figures.slider(name) is None:
        row.label(text="", icon="BLANK1")  # so that all sliders are equally long
        return
    chosen = shown.settings.slider == name
    row.operator("facegen.show_slider", text="", icon="QUESTION", depress=chosen).name = name


CLASSES = (FACEGEN_PT_head,)
