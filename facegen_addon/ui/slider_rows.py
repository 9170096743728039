# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels of the active head have in common: its sliders in sections, with padlocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import bpy
import numpy as np

from ..arrays import BoolArray, IntArray
from ..heads.characteristics import Characteristic, Characteristics
from ..heads.parameters import Parameter, ParameterTable
from ..heads.plain_words import is_asymmetry, words_of
from ..heads.sections import Section, section_columns, sections
from ..scene.head.head_object import MODEL_KEY, PARAMETERS_KEY
from ..scene.head.locks import locked
from .head_operator import active_head
from .properties import Sliders, model_sliders, obstacle, sliders_of
from .short_lists import viewed
from .slider_ends import draw_end
from .slider_operators import chosen_columns
from .translations import filled

FIRST = 20
"""Sliders of a long section that show without asking for all."""


@dataclass(frozen=True)
class Shown:
    """The active head, its sliders and their state, read once for a drawing of a panel."""

    head: bpy.types.Object
    sliders: Sliders
    settings: bpy.types.PropertyGroup
    parameters: Sequence[float]
    locked: BoolArray
    viewed: BoolArray

    @property
    def kept(self) -> BoolArray:
        """Mask (P,) of sliders that a section's reset and padlock leave alone: locked or hidden."""
        return self.locked | ~self.viewed

    @property
    def table(self) -> ParameterTable:
        """The parameters of the head's model."""
        return self.sliders.model.table

    @property
    def characteristics(self) -> Characteristics | None:
        """What is known of age, nose and so on, where the model has sliders of them."""
        # Not of the model itself where their file is damaged, as was said when it was loaded.
        return self.sliders.model.characteristics if self.sliders.characteristics else None

    def value(self, name: str) -> float:
        """The value of the slider of this name."""
        return self.parameters[self.table.index(name)]

    def has(self, *names: str) -> bool:
        """Whether the model has sliders of these names."""
        return all(name in self.table.names for name in names)


def shown_head(context: bpy.types.Context) -> Shown | None:
    """The active head; None where there is none, or none whose sliders can be moved now, which the
    Head panel says."""
    head = active_head(context)
    sliders = model_sliders(head[MODEL_KEY]) if head is not None else None
    if head is None or sliders is None or sliders_of(head) is None:
        return None
    if obstacle(head, sliders.model):
        return None
    settings, table = context.window_manager.facegen, sliders.model.table
    in_view = viewed(table, sliders.ranking, settings.view)
    parameters = head[PARAMETERS_KEY].to_list()
    return Shown(head, sliders, settings, parameters, locked(head, table), in_view)


class HeadPanel:
    """A panel of the active head's sliders: there where it has some that can be moved.

    A base beside bpy.types.Panel, which Blender wants each registered class to name itself.
    """

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether such a head is active."""
        return shown_head(context) is not None


def matches(row: Parameter | Characteristic, search: str) -> bool:
    """Whether the label, name or group of a slider contains every word of ``search``."""
    words = words_of(row).label if isinstance(row, Parameter) else ""
    text = f"{words} {row.label} {row.name} {row.group}".lower()
    return all(word in text for word in search.lower().split())


def found(
    table: ParameterTable, search: str, viewed: Annotated[BoolArray, "P"]
) -> tuple[list[Parameter], int]:
    """The parameters that a search finds among those viewed (P,), and how many of the others."""
    matching = [matches(parameter, search) for parameter in table.parameters]
    rows = [p for p, chosen in zip(table.parameters, matching & viewed, strict=True) if chosen]
    return rows, sum(matching) - len(rows)


def section_rows(
    table: ParameterTable, section: Section, viewed: Annotated[BoolArray, "P"], show_all: bool
) -> tuple[list[Parameter], int]:
    """The sliders of a section that show, and how many more of those viewed (P,) there are: what
    moves the sides of a face apart comes last."""
    rows = [table.parameters[c] for c in section_columns(table, section.key) if viewed[c]]
    even = [row for row in rows if not is_asymmetry(row)]
    odd = [row for row in rows if is_asymmetry(row)]
    shown = [*even, *odd] if show_all else even[:FIRST]
    return shown, len(rows) - len(shown)


def moved(
    table: ParameterTable,
    parameters: Sequence[float],
    kept: Annotated[BoolArray, "P"],
    columns: Annotated[IntArray, "K"],
) -> bool:
    """Whether a slider of these columns (K,) can be reset to the mean head.

    `kept` (P,): those that a reset leaves alone.
    """
    differs = (np.asarray(parameters) != table.mean) & ~kept
    return bool(differs[columns].any())


def draw_sections(layout: bpy.types.UILayout, shown: Shown, panel: str) -> None:
    """The sections of a panel, closed at first: what lies below would be out of sight."""
    settings = shown.settings
    for section in sections(shown.table, panel):
        rows, more = section_rows(shown.table, section, shown.viewed, settings.show_all)
        if not rows:
            continue
        identifier = f"FACEGEN_{shown.sliders.model.name}_{section.key}"
        header, body = layout.panel(identifier, default_closed=True)
        header.label(text=section.title)
        draw_lock(header, shown, section.key)
        draw_reset(header, shown, section.key)
        if body is None:
            continue
        draw_rows(body, shown, rows)
        if more or (settings.show_all and len(rows) > FIRST):
            text = filled("Show {count} More", count=more) if more else filled("Show Fewer")
            body.prop(settings, "show_all", text=text, toggle=True, translate=False)


def draw_lock(layout: bpy.types.UILayout, shown: Shown, section: str, emboss: bool = False) -> None:
    """The padlock of a section, or of all sliders: closed where all of them are locked."""
    closed = shown.kept[chosen_columns(shown.table, section=section)].all()
    button = _draw_padlock(layout, bool(closed), emboss)
    button.section, button.view = section, shown.settings.view


def _draw_padlock(layout: bpy.types.UILayout, closed: bool, emboss: bool) -> Any:
    icon = "LOCKED" if closed else "UNLOCKED"
    return layout.operator("facegen.toggle_lock", text="", icon=icon, emboss=emboss)


def draw_reset(
    layout: bpy.types.UILayout, shown: Shown, section: str, emboss: bool = False
) -> None:
    """A reset button, grey where there is nothing to reset: it tells what has been moved."""
    row = layout.row(align=True)
    columns = chosen_columns(shown.table, section=section)
    row.enabled = moved(shown.table, shown.parameters, shown.kept, columns)
    button = row.operator("facegen.reset_sliders", text="", icon="LOOP_BACK", emboss=emboss)
    button.section, button.view = section, shown.settings.view


def draw_rows(layout: bpy.types.UILayout, shown: Shown, parameters: Sequence[Parameter]) -> None:
    """A slider, a padlock and, where there are pictures of it, a button for each parameter."""
    values = sliders_of(shown.head)
    column = layout.column(align=True)
    for parameter in parameters:
        row = column.row(align=True)
        slider = row.row(align=True)
        # Grey where it is locked, but it can be moved by hand and keyframed.
        slider.active = not is_locked(shown, parameter.name)
        slider.prop(values, parameter.name, slider=True)
        draw_padlock_of(row, shown, parameter.name)
        _draw_figure_button(row, shown, parameter.name)


def is_locked(shown: Shown, name: str) -> bool:
    """Whether the slider of this name is locked."""
    return bool(shown.locked[shown.table.index(name)])


def draw_padlock_of(row: bpy.types.UILayout, shown: Shown, name: str) -> None:
    """The padlock of one slider."""
    _draw_padlock(row, is_locked(shown, name), emboss=True).name = name


def draw_between(layout: bpy.types.UILayout, shown: Shown, name: str) -> None:
    """A slider between the words for its two ends, with its padlock."""
    words = words_of(shown.table.parameters[shown.table.index(name)])
    row = layout.row(align=True)
    draw_end(row, words.low, "RIGHT")
    slider = row.row(align=True)
    slider.active = not is_locked(shown, name)
    slider.prop(sliders_of(shown.head), name, text="", slider=True)
    draw_end(row, words.high, "LEFT")
    draw_padlock_of(row, shown, name)


def _draw_figure_button(row: bpy.types.UILayout, shown: Shown, name: str) -> None:
    figures = shown.sliders.influence
    if figures is None:
        return
    if figures.slider(name) is None:
        row.label(text="", icon="BLANK1")  # so that all sliders are equally long
        return
    chosen = shown.settings.slider == name
    row.operator("facegen.show_slider", text="", icon="QUESTION", depress=chosen).name = name
