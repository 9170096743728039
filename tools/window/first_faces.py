# SPDX-License-Identifier: GPL-3.0-or-later
"""The first minutes in Blender's own window: a new file, a face, six faces, all by a real mouse.

`blender --python tools/window/first_faces.py -- FOLDER`, as tools/window/story.py is run. FaceNet
is not there. Nothing is cleared and no view is turned but by the add-on itself. Solid mode shows
colours of vertices from the start: software GL takes a quarter of an hour for Material Preview.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bpy
import numpy as np

from tools.window.hands import (
    DRAWN,
    TAB,
    Steps,
    addon,
    area,
    check_heads,
    click,
    heads,
    in_viewport,
    perform,
    photograph,
    point,
    region,
    until,
)

# Pixels of a display of 1280x800 in Blender 4.3's default theme.
NEW_FACE, SIX_FACES = (1123, 132), (1123, 166)
NOWHERE = (200, 600)


def story() -> Steps:
    """A face, another, and six by prediction, beside the cube of a new file."""
    yield from open_sidebar()
    photograph("first_empty")
    assert "Cube" in bpy.data.objects and not heads()
    for count in (1, 2):
        yield from click(NEW_FACE)
        yield from point(NOWHERE)
        assert len(heads()) == count, heads()
        yield 2 * DRAWN
        photograph(f"first_face_{count}")
    check_heads()
    yield from click(SIX_FACES)
    yield from point(NOWHERE)
    photograph("first_six_running")
    yield from until(lambda: addon("ui.jobs").current() is None, "the six")
    assert len(heads()) == 8, heads()
    yield 2 * DRAWN
    photograph("first_six")
    check_heads()
    places = np.array([head.location[:] for head in heads()])
    assert len(np.unique(places.round(3), axis=0)) == len(places), places
    with in_viewport():
        bpy.ops.ed.undo()
    yield DRAWN
    assert len(heads()) == 2, heads()


def open_sidebar() -> Steps:
    """The viewport fills the window, its sidebar shows our tab; no more is set."""
    with in_viewport():
        bpy.ops.screen.screen_full_area()
    yield DRAWN
    area().spaces[0].show_region_ui = True
    area().spaces[0].shading.color_type = "VERTEX"
    yield DRAWN
    region("UI").active_panel_category = TAB
    area().tag_redraw()
    yield DRAWN


perform(story())
