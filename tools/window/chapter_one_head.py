# SPDX-License-Identifier: GPL-3.0-or-later
"""One head: added, its sliders moved, drawn anew, kept as a preset."""

from __future__ import annotations

import bpy
import numpy as np

from tools.window.hands import (
    DRAWN,
    Place,
    Steps,
    addon,
    area,
    check_heads,
    click,
    drag,
    heads,
    hover,
    look,
    photograph,
    photograph_assets,
    point,
    positions,
    press,
    write,
)

# Pixels of a display of 1280x800 in Blender 4.3's default theme; 5.2's differ by one or two.
ADD_HEAD = (1133, 223)
SLIDER = (1080, 573)  # of age, in the Who panel of an open head
SEARCH = (1100, 581)  # in the Face panel, once the Head panel is folded
NOWHERE = (200, 600)
# Headers of panels, as they lie once those above them are folded.
HEAD, WHO, FACE, VARIETY, HISTORY = ((1040, y) for y in (97, 125, 153, 293, 321))


def head_by_mouse() -> Steps:
    """An open head added by a real click."""
    bpy.context.window_manager.facegen.model = "open_flame"
    area().tag_redraw()
    yield DRAWN
    yield from click(ADD_HEAD)
    yield from point(NOWHERE)
    assert len(heads()) == 1 and heads()[0]["facegen_model"] == "open_flame", heads()
    yield from look()
    photograph("panel")


def slider_by_mouse() -> Steps:
    """A slider dragged for real moves the head and nothing in the panel; its tooltip."""
    before = positions(heads()[0])
    values = addon("ui.characteristics").values_of(heads()[0])
    age = values.age
    yield from drag(SLIDER, 60)
    photograph("drag")
    assert values.age > age + 5.0, f"the drag left {age} years at {values.age}"
    assert np.abs(positions(heads()[0]) - before).max() > 1e-3
    check_heads()
    yield from hover(SLIDER)
    photograph("tooltip")


def search_by_keyboard() -> Steps:
    """Words typed into the search."""
    settings = bpy.context.window_manager.facegen
    yield from fold(HEAD)
    yield from click(SEARCH)
    yield from write("jaw")
    yield from press("Return")
    assert settings.search == "jaw", settings.search
    photograph("search")
    settings.search = ""
    yield from point(NOWHERE)


def short_list() -> Steps:
    """The sliders that keep 90 % of the variety, then all of them again: the head stays."""
    settings = bpy.context.window_manager.facegen
    before = np.array(heads()[0]["facegen_parameters"])
    settings.view = "SHARE_90"
    area().tag_redraw()
    yield DRAWN
    photograph("short_list")
    settings.view = "ALL"
    np.testing.assert_array_equal(np.array(heads()[0]["facegen_parameters"]), before)
    yield DRAWN


def sampling() -> Steps:
    """Heads drawn with a lock, walked from, blended; the ladder back and forth; starred."""
    bpy.ops.facegen.toggle_lock(name="shape_001")
    first = np.array(heads()[0]["facegen_parameters"])
    bpy.ops.facegen.sample_head(seed=3)
    drawn = np.array(heads()[0]["facegen_parameters"])
    assert drawn[0] == first[0] and np.abs(drawn - first).max() > 0.1
    bpy.ops.facegen.sample_nearby(seed=1)
    bpy.ops.facegen.reroll_area(area="nose", seed=2)
    check_heads()
    bpy.ops.facegen.history_back()
    bpy.ops.facegen.history_back()
    np.testing.assert_array_equal(np.array(heads()[0]["facegen_parameters"]), drawn)
    bpy.ops.facegen.history_star()
    bpy.ops.facegen.history_forward()
    check_heads()
    yield DRAWN
    photograph("sampled")


def presets() -> Steps:
    """A preset is saved, and seen with its portrait in the asset browser."""
    bpy.ops.facegen.save_preset("EXEC_DEFAULT", name="Sampled")
    bpy.ops.facegen.sample_head(seed=8)
    bpy.ops.facegen.save_preset("EXEC_DEFAULT", name="Another")
    yield from photograph_assets("saved_presets")
    bpy.ops.facegen.apply_preset(name="Sampled")
    check_heads()


def other_panels() -> Steps:
    """The panels below, after those above them are folded by the mouse."""
    for header in (WHO, FACE, VARIETY, HISTORY):
        yield from fold(header)
    yield from point(NOWHERE)
    photograph("panels")


def fold(header: Place) -> Steps:
    """Click on a panel's header, or unfold it so: those below it move only as they are drawn."""
    yield from click(header)
    area().tag_redraw()
    yield DRAWN
