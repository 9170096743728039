# SPDX-License-Identifier: GPL-3.0-or-later
"""From a new Blender to six heads: the clicks from *Install from Disk* on, counted.

`blender --python tools/window/from_disk.py -- FOLDER`, as tools/window/story.py is run, but with
nothing installed and the zip, facegen.zip, in the user's home, where Blender's file browser begins.
By other means than the mouse: Esc closes the splash, Ctrl and comma open the preferences, N opens
the sidebar, whoever draws windows' frames (nobody does, here) closes the preferences by their
cross, which counts as a click, and Solid mode has the colours of vertices, since software GL takes
a quarter of an hour for Material Preview.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bpy

from tools.window.buttons import Shown, at, press_button, shown, sidebar
from tools.window.hands import (
    DRAWN,
    MODULE,
    TAB,
    Place,
    Steps,
    area,
    check_heads,
    click,
    clicks,
    close_newest_window,
    heads,
    move_newest_window,
    on_display,
    perform,
    photograph,
    point,
    press,
    region,
    until,
    until_no_job,
)

ZIP = "facegen.zip"
MOST = 6  # clicks
PREFERENCES, FILES = (40, 40), (90, 90)  # where windows are put on the display
_TAB_ROW, _FILE_ROW = 20, 22  # pixels from one to the next
_ARROW, _ITEM_LEFT, _ITEM_BELOW = (0.974, 22), 60, 123
"""Of the menu: share of the region's width and pixels from its upper edge; from it to its last
item, which is Install from Disk."""
_FIRST_FILE = (0.2, 35)
SECTIONS = "UI" if bpy.app.version[0] >= 5 else "NAVIGATION_BAR"
"""The region of the preferences that lists their sections."""
_TAB_BELOW = {4: 173, 5: 248}
"""Blender's version -> pixels from the sidebar's upper edge to our tab; 5 has Animation above."""
_BESIDE_EDGE = 12


def story() -> Steps:
    """Install, look, press, count."""
    yield from press("Escape")
    area().spaces[0].shading.color_type = "VERTEX"
    yield from point(on_display((300, 300)))
    yield from press("ctrl+comma")
    yield from move_newest_window(PREFERENCES)
    yield from show_extensions()
    place = yield from open_menu()
    before = clicks()
    yield from install_from_disk(place)
    photograph("disk_installed")
    yield from close_newest_window()
    yield from point(on_display((300, 300)))
    yield from press("n")
    yield from click(tab())
    assert region("UI").active_panel_category == TAB, region("UI").active_panel_category
    photograph("disk_tab")
    yield from press_button("count=6")
    yield from until_no_job("the six")
    yield from point(on_display((300, 300)))
    yield DRAWN
    photograph("disk_six")
    counted = clicks() - before
    print(f"window: {counted} clicks from Install from Disk to six heads", flush=True)
    assert len(heads()) == 6, heads()
    check_heads()
    assert counted <= MOST, counted


def show_extensions() -> Steps:
    """Click down the preferences' sections until Get Extensions is shown."""
    sections = shown("PREFERENCES", SECTIONS)
    for row in range(1, 12):
        yield from click(at(sections, 0.5, row * _TAB_ROW))
        if bpy.context.preferences.active_section == "EXTENSIONS":
            return
    raise AssertionError("there is no section Get Extensions")


def open_menu() -> Generator[float, None, Place]:
    """Open the arrow's menu; the place of Install from Disk in it."""
    photograph("disk_extensions")
    x, y = at(shown("PREFERENCES", "WINDOW"), *_ARROW)
    yield from click((x, y))
    photograph("disk_menu")
    return x - _ITEM_LEFT, y + _ITEM_BELOW


def install_from_disk(item: Place) -> Steps:
    """Install from Disk, and a double click on the zip."""
    windows = bpy.context.window_manager.windows
    before = len(windows)
    yield from click(item)
    yield from until(lambda: len(windows) > before, "the file browser")
    yield from move_newest_window(FILES)
    files = shown("FILE_BROWSER", "WINDOW")
    photograph("disk_files")
    share, down = _FIRST_FILE
    yield from click(at(files, share, down + _FILE_ROW * folders()), 2)
    yield from until(lambda: MODULE in bpy.context.preferences.addons, "the add-on")


def folders() -> int:
    """How many folders stand above the zip, which is the only file of its kind there."""
    home = Path.home()
    assert [one.name for one in home.glob("*.zip")] == [ZIP]
    return sum(one.is_dir() and not one.name.startswith(".") for one in home.iterdir())


def tab() -> Place:
    """Where our tab is, beside the sidebar's panels."""
    where: Shown = sidebar()
    x, y = at(where, 1.0, _TAB_BELOW[bpy.app.version[0]])
    return x - _BESIDE_EDGE, y


perform(story())
