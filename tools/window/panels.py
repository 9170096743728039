# SPDX-License-Identifier: GPL-3.0-or-later
"""Every panel of the sidebar unfolded alone, a dialog, and the heads of the asset browser.

`blender --python tools/window/panels.py -- FOLDER [PANEL ...]`, as tools/window/story.py is run,
without FaceNet. What is left are pictures to look at: panel_NAME_none.png, panel_NAME_head.png,
dialog_encoder.png and asset_browser.png, which is docs/artists.md's.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bpy

from tools.window import chapter_opening as opening
from tools.window.buttons import fold_all, panels, unfold
from tools.window.hands import (
    ARGUMENTS,
    DRAWN,
    Steps,
    addon,
    check_heads,
    in_viewport,
    perform,
    photograph,
    photograph_assets,
    point,
    press,
    until_no_job,
)

NOWHERE = (200, 600)


def story() -> Steps:
    """Without a head, then of one."""
    yield from opening.open_sidebar()
    yield from unfolded_each("none")
    with in_viewport():
        bpy.ops.facegen.new_face(seed=3)
    yield DRAWN
    check_heads()
    yield from unfolded_each("head")
    yield from assets()
    yield from dialog()


def unfolded_each(suffix: str) -> Steps:
    """Each panel that shows, alone."""
    for name in [cls.__name__ for cls in panels()]:
        short = name.removeprefix("FACEGEN_PT_")
        if ARGUMENTS and short not in ARGUMENTS:
            continue
        yield from fold_all()
        yield from unfold(name)
        yield from point(NOWHERE)
        yield DRAWN
        photograph(f"panel_{short}_{suffix}")


def dialog() -> Steps:
    """What is said before FaceNet is downloaded; Esc leaves it."""
    system = bpy.context.preferences.system
    system.use_online_access = True
    with in_viewport():
        bpy.ops.facegen.get_encoder("INVOKE_DEFAULT", what="facenet")
    yield DRAWN
    photograph("dialog_encoder")
    yield from press("Escape")
    system.use_online_access = False  # or Blender looks for assets of its own
    assert addon("ui.jobs").current() is None


def assets() -> Steps:
    """The shipped heads, saved as assets, in the asset browser."""
    with in_viewport():
        bpy.ops.facegen.save_gallery("INVOKE_DEFAULT")
    yield from until_no_job("the assets")
    yield from photograph_assets("asset_browser")


perform(story())
