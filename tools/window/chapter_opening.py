# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences, and its tab in a viewport that fills the window."""

from __future__ import annotations

import bpy

from tools.window.hands import (
    DRAWN,
    FOLDER,
    MODULE,
    TAB,
    Steps,
    area,
    clear_scene,
    in_viewport,
    photograph,
    region,
)


def enable_twice() -> Steps:
    """The add-on is disabled and enabled, twice."""
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=MODULE)
        bpy.ops.preferences.addon_enable(module=MODULE)
    yield DRAWN


def preferences() -> Steps:
    """FaceNet is missing, is built from its wheel, and is found."""
    with in_viewport():
        bpy.ops.screen.screen_full_area()
    yield DRAWN
    everything = area()
    everything.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "FaceGen"
    bpy.ops.preferences.addon_expand(module=MODULE)
    yield DRAWN
    photograph("preferences_missing")
    (wheel,) = FOLDER.glob("*.whl")
    bpy.ops.facegen.locate_facenet("EXEC_DEFAULT", filepath=str(wheel))
    everything.tag_redraw()
    yield 2 * DRAWN
    photograph("preferences")
    everything.type = "VIEW_3D"
    with in_viewport():
        bpy.ops.screen.back_to_previous()
    yield DRAWN


def open_sidebar() -> Steps:
    """The viewport fills the window, its sidebar shows our tab."""
    clear_scene()
    with in_viewport():
        bpy.ops.screen.screen_full_area()
    yield DRAWN
    space = area().spaces[0]
    space.show_region_ui = True
    space.overlay.show_floor = False
    space.shading.color_type = "VERTEX"
    yield DRAWN
    region("UI").active_panel_category = TAB
    area().tag_redraw()
    yield DRAWN
    photograph("empty")
