# SPDX-License-Identifier: GPL-3.0-or-later
"""The Head panel: a new head, the gallery of heads, and why a head cannot be moved."""

from __future__ import annotations

import textwrap

import bpy

from ..scene.head.head_object import MODEL_KEY
from . import new_face, presets, sculpting
from .capitals import capital
from .head_operator import active_head
from .properties import missing_model, model_sliders, obstacle, sliders_of


class FACEGEN_PT_head(bpy.types.Panel):
    """Heads: new ones, and those of the gallery."""

    bl_label = "Head"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what adds a head, and what hinders the active one."""
        layout = self.layout
        settings = context.window_manager.facegen
        new_face.draw(layout, context)
        row = layout.row(align=True)
        row.prop(settings, "model", text="")
        row.operator("facegen.choose_flame_file", text="", icon="FILE_FOLDER")
        layout.operator("facegen.add_head", icon="ADD").model = settings.model
        presets.draw_gallery(layout, context)
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


def draw_message(layout: bpy.types.UILayout, message: str) -> None:
    """Say why there are no sliders, in as many lines as a narrow sidebar needs."""
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(capital(message), 34)):
        column.label(text=line, icon="BLANK1" if number else "ERROR")


def draw_sentences(layout: bpy.types.UILayout, *sentences: str) -> None:
    """Explain something, in as many lines as a narrow sidebar needs, in Blender's language."""
    for sentence in sentences:
        column = layout.column(align=True)
        column.scale_y = 0.8
        for line in textwrap.wrap(bpy.app.translations.pgettext_iface(sentence), 38):
            column.label(text=line, translate=False)


CLASSES = (FACEGEN_PT_head,)
