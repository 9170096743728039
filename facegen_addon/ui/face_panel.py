# SPDX-License-Identifier: GPL-3.0-or-later
"""The Face panel: named areas, the search among all sliders, and what a slider does."""

from __future__ import annotations

import math

import bpy
from bpy.app.translations import pgettext_iface as translated

from ..heads.parameters import Parameter
from ..heads.plain_words import words_of
from ..heads.sections import FACE
from ..mapping.influence import Influence, SliderInfluence
from . import characteristics, jobs, thumbnails
from .head_panel import draw_message
from .properties import Sliders, first_figure
from .short_lists import VIEW_SHARES
from .slider_operators import RANKING
from .slider_rows import (
    HeadPanel,
    Shown,
    draw_lock,
    draw_reset,
    draw_rows,
    draw_sections,
    found,
    matches,
    shown_head,
)
from .translations import filled

_THUMBNAIL_SCALE = 4.5
_SEEN_MM = 0.05  # what rounds to less than 0.1 mm is no movement


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
    step = "By as much as people differ:" if figure.step_is_std else "A quarter of the range:"
    return (
        translated(step),
        _distance_words(figures, figure),
        filled("Skin moves {size} mm", size=f"{figure.mean_mm:.1f}")
        if figure.mean_mm >= _SEEN_MM
        else translated("Colour or hair: the shape stays"),
    )


def _distance_words(figures: Influence, figure: SliderInfluence) -> str:
    """How much less alike the face is for it, to FaceNet."""
    if math.isnan(figure.cosine):
        return str(translated("Distance not to be measured"))
    if figures.is_noise(figure):
        return str(translated("Distance too small to tell"))
    return filled("Distance {far}", far=figures.cosine_words(figure))


class FACEGEN_PT_face(HeadPanel, bpy.types.Panel):
    """The face of the active head, area by area."""

    bl_label = "Face"
    bl_translation_context = "FaceGen"  # not a mesh's
    bl_order = 12

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the search, and what it finds or the areas."""
        shown = shown_head(context)
        assert shown is not None, "poll has seen to it"
        layout = self.layout
        _draw_influence(layout, shown.sliders, shown.settings.slider)
        row = layout.row(align=True)
        row.prop(shown.settings, "search", text="", icon="VIEWZOOM")
        draw_lock(row, shown, "", emboss=True)
        draw_reset(row, shown, "", emboss=True)
        if shown.settings.search.strip():
            _draw_found(layout, shown)
        else:
            if shown.characteristics is not None:
                characteristics.draw_measures(
                    layout, shown.head, shown.characteristics, shown.settings
                )
            draw_sections(layout, shown, FACE)
        _draw_view(layout, shown)


def _draw_influence(layout: bpy.types.UILayout, sliders: Sliders, name: str) -> None:
    """Draw the influence of the slider last touched or chosen: figures, and both ends.

    Another's place is kept, so that the sliders below do not move under the mouse.
    """
    figure = shown_figure(sliders, name)
    if figure is None or sliders.influence is None:
        return
    parameter = sliders.model.table.parameters[sliders.model.table.index(figure.name)]
    header, body = layout.panel("FACEGEN_influence")
    named = filled("Influence: {slider}", slider=translated(words_of(parameter).label))
    header.label(text=named, translate=False)
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
        lines.label(text=line, translate=False)


def _draw_found(layout: bpy.types.UILayout, shown: Shown) -> None:
    """The sliders of any panel that the search finds."""
    search, known = shown.settings.search, shown.characteristics
    described = [row for row in known.rows if matches(row, search)] if known else []
    characteristics.draw_rows(layout, shown.head, described)
    rows, others = found(shown.table, search, shown.viewed)
    draw_rows(layout, shown, rows)
    if others:
        outside = filled("{count} outside the short list", count=others)
        layout.label(text=outside, icon="INFO", translate=False)
    elif not rows and not described:
        layout.label(text="No slider of that name", icon="INFO")


def _draw_view(layout: bpy.types.UILayout, shown: Shown) -> None:
    """The choice between all sliders and short lists, and how long the list is."""
    header, body = layout.panel("FACEGEN_short_lists", default_closed=True)
    header.label(text="Short Lists")
    if body is None:
        return
    body.row(align=True).prop(shown.settings, "view", expand=True)
    if shown.settings.view not in VIEW_SHARES:
        return
    job = jobs.current()
    if job is not None and job.label == RANKING:
        jobs.draw(body)
    elif shown.sliders.ranking is None:
        draw_message(body, "these sliders are not ranked yet: all of them show")
        body.operator("facegen.rank_sliders", icon="SORTSIZE")
    else:
        ranked = shown.sliders.ranking
        count = ranked.count(VIEW_SHARES[shown.settings.view])
        listed = filled("{count} of {total} sliders", count=count, total=len(ranked.names))
        body.label(text=listed, icon="SORTSIZE", translate=False)


CLASSES = (FACEGEN_PT_face,)
