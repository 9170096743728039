# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds buttons as somebody does who looks for them: by moving the mouse over a panel.

Blender tells what lies under the mouse, so that no place of a button is written down here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import bpy

from tools.window.hands import DRAWN, TAB, Place, Steps, area, click, press, run, write

_HEADER, _FOLDED = 97, 28  # pixels: the first panel's header, and from one folded panel to the next
_ROW = 10  # pixels from one look to the next
_SEEN = 0.12  # seconds until Blender knows what lies under the mouse
_COLUMNS = (0.3, 0.7, 0.12, 0.95)  # of the region's width: numbers are not hit at their arrows


@dataclass(frozen=True)
class Shown:
    """A region that has buttons, with its area and window."""

    window: Any
    area: Any
    region: Any


def sidebar() -> Shown:
    """That of the large 3D view."""
    return shown("VIEW_3D", "UI")


def shown(area_type: str, region_type: str) -> Shown:
    """The region of this type in the window that was opened last."""
    for window in reversed(bpy.context.window_manager.windows):
        for found in window.screen.areas:
            for region in found.regions if found.type == area_type else ():
                if region.type == region_type:
                    return Shown(window, found, region)
    raise AssertionError(f"there is no {region_type} of a {area_type}")


def find(words: str, where: Shown | None = None) -> Generator[float, None, Place]:
    """The place of the first button of a region, or of the sidebar, whose command or data path has
    these words in it."""
    where = where or sidebar()
    left, top = _corner(where)
    for share in _COLUMNS:
        x = left + round(share * where.region.width)
        for y in range(top + _ROW, top + where.region.height, _ROW):
            run("xdotool", "mousemove", str(x), str(y))
            yield _SEEN
            if words in under_mouse(where):
                return x, y
    raise AssertionError(f"there is no button of {words!r}")


def at(where: Shown, share: float, down: int) -> Place:
    """A place at this share of a region's width and as many pixels below its upper edge: of buttons
    that Blender does not tell of, as those of a dialog."""
    left, top = _corner(where)
    return left + round(share * where.region.width), top + down


def press_button(words: str, where: Shown | None = None) -> Steps:
    """Find a button and click on it."""
    place = yield from find(words, where)
    yield from click(place)


def choose(words: str, index: int, count: int) -> Steps:
    """Click on one of ``count`` choices that share the sidebar's width and a data path."""
    _, y = yield from find(words)
    left, _ = _corner(sidebar())
    margin, width = 10, sidebar().region.width - 30
    yield from click((left + margin + round((index + 0.5) * width / count), y))


def enter(words: str, value: int) -> Steps:
    """Type a number into a field."""
    place = yield from find(words)
    yield from fill(place, str(value))


def fill(place: Place, text: str) -> Steps:
    """Type into the field at a place, in place of what is there."""
    yield from click(place, 2)
    yield from press("ctrl+a")
    yield from write(text)
    yield from press("Return")


def under_mouse(where: Shown) -> str:
    """The command or the data path of the button that is under the mouse; empty where none is."""
    manager = bpy.context.window_manager
    manager.clipboard = ""
    with bpy.context.temp_override(window=where.window, area=where.area, region=where.region):
        for copy, asked in (
            (bpy.ops.ui.copy_python_command_button, {}),
            (bpy.ops.ui.copy_data_path_button, {"full_path": True}),
        ):
            if copy.poll():
                copy(**asked)
    return str(manager.clipboard)


def fold_all() -> Steps:
    """Fold all panels: their headers are then where `unfold` looks for them."""
    run("xdotool", "keydown", "ctrl")
    yield from click((1040, _HEADER))
    run("xdotool", "keyup", "ctrl")
    area().tag_redraw()
    yield DRAWN
    run("xdotool", "mousemove", "1120", str(_HEADER + 35))
    yield _SEEN
    if under_mouse(sidebar()):
        yield from click((1040, _HEADER))


def unfold(name: str) -> Steps:
    """Click on the header of a panel; all of them are folded."""
    yield from click(header_of(name))
    area().tag_redraw()
    yield DRAWN


def header_of(name: str) -> Place:
    """Where a folded panel's header is if those above it are folded, too."""
    return 1040, _HEADER + _FOLDED * [cls.__name__ for cls in panels()].index(name)


def panels() -> list[Any]:
    """The panels that show now, from above."""
    found = [cls for cls in bpy.types.Panel.__subclasses__() if _is_ours(cls)]
    showing = [cls for cls in found if not hasattr(cls, "poll") or cls.poll(bpy.context)]
    return sorted(showing, key=lambda cls: cls.bl_order)


def _is_ours(cls: Any) -> bool:
    return getattr(cls, "bl_category", "") == TAB and not getattr(cls, "bl_parent_id", "")


def _corner(where: Shown) -> Place:
    """The upper left corner of a region on the display, pixels downwards."""
    display = int(bpy.context.window_manager.windows[0].height)
    window, region = where.window, where.region
    return window.x + region.x, display - window.y - region.y - region.height
