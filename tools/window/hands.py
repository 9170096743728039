# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and eyes in Blender's window: a real mouse and keyboard by xdotool, screenshots by import.

Steps are generators that yield the seconds to wait: Blender handles what they did meanwhile.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

_OWN = sys.argv[sys.argv.index("--") + 1 :]
FOLDER, ARGUMENTS = Path(_OWN[0]), " ".join(_OWN[1:]).split()
MODULE = "bl_ext.user_default.facegen"
TAB = "FaceGen"
DRAWN = 2.5  # seconds that a redraw takes at most, with software GL on a busy machine
_PATIENCE = 1800.0  # seconds for anything

Place = tuple[int, int]
Steps = Iterator[float]

_clicks = 0


def addon(name: str) -> Any:
    """A module of the installed extension."""
    return importlib.import_module(f"{MODULE}.facegen_addon.{name}")


def click(place: Place, times: int = 1) -> Steps:
    """A real click, or several at once, and their effect."""
    global _clicks
    _clicks += times
    yield from point(place)
    run("xdotool", "click", "--repeat", str(times), "--delay", "60", "1")
    yield DRAWN


def next_choice(place: Place) -> Steps:
    """Ctrl and the wheel, by which a list takes the choice after its own."""
    yield from point(place)
    run("xdotool", "keydown", "ctrl", "click", "5", "keyup", "ctrl")
    yield DRAWN


def clicks() -> int:
    """How many clicks there have been."""
    return _clicks


def hover(place: Place) -> Steps:
    """Rest the mouse until the tooltip shows."""
    yield from point((place[0], place[1] + 2))
    yield from point(place)
    yield DRAWN


def drag(place: Place, pixels: int) -> Steps:
    """Press the mouse, move it right step by step, and release it."""
    yield from point(place)
    run("xdotool", "mousedown", "1")
    yield 0.2
    for _ in range(10):
        run("xdotool", "mousemove_relative", "--", str(pixels // 10), "0")
        yield 0.1
    run("xdotool", "mouseup", "1")
    yield DRAWN


def point(place: Place) -> Steps:
    """Move the mouse."""
    run("xdotool", "mousemove", *map(str, place))
    yield 0.3


def press(*keys: str) -> Steps:
    """Keys, one after another, and their effect."""
    run("xdotool", "key", *keys)
    yield DRAWN


def write(text: str) -> Steps:
    """Text, as typed."""
    run("xdotool", "type", text)
    yield DRAWN


def until(condition: Callable[[], bool], what: str) -> Steps:
    """Wait until this holds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < _PATIENCE, f"still waiting for {what}"
        yield 0.2
    yield DRAWN


def run(*command: str) -> str:
    """A program of the X display; what it prints."""
    done = subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, text=True)
    return done.stdout


def move_newest_window(place: Place) -> Steps:
    """Put the window that was opened last at a place, as a window manager would, which is not here:
    by itself Blender 5.2 opens its dialogs partly above the display."""
    *_, newest = run("xdotool", "search", "--onlyvisible", "--class", "blender").split()
    run("xdotool", "windowmove", newest, *map(str, place))
    yield DRAWN


def close_newest_window() -> Steps:
    """What the cross in a window's frame does, which a window manager draws: it is one click."""
    global _clicks
    _clicks += 1
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield DRAWN


def photograph(name: str) -> None:
    """The whole display as FOLDER/name.png."""
    run("import", "-window", "root", str(FOLDER / f"{name}.png"))


def photograph_assets(name: str) -> Steps:
    """The heads in the asset browser, which stands in the viewport's place, as FOLDER/name.png."""
    browser = area()
    browser.ui_type = "ASSETS"
    yield DRAWN
    browser.spaces[0].params.asset_library_reference = "FaceGen Presets"
    yield 4 * DRAWN
    photograph(name)
    browser.ui_type = "VIEW_3D"
    yield DRAWN


def colours_of(name: str) -> Any:
    """The pixels of FOLDER/name.png (H, W, 3), sRGB from 0 to 1, the top row first."""
    image = bpy.data.images.load(str(FOLDER / f"{name}.png"))
    width, height = image.size
    pixels = np.empty(4 * width * height, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1, :, :3]


def area() -> Any:
    """The large 3D viewport."""
    areas = bpy.context.window_manager.windows[0].screen.areas
    return next(area for area in areas if area.type == "VIEW_3D")


def region(kind: str) -> Any:
    """A region of the viewport: WINDOW, or UI for the sidebar."""
    return next(region for region in area().regions if region.type == kind)


def in_viewport() -> Any:
    """A context override for operators that need the viewport."""
    window = bpy.context.window_manager.windows[0]
    return bpy.context.temp_override(window=window, area=area(), region=region("WINDOW"))


def look(axis: str = "FRONT", everything: bool = False) -> Steps:
    """At the active head, or at everything."""
    with in_viewport():
        bpy.ops.view3d.view_axis(type=axis)
        bpy.ops.view3d.view_all() if everything else bpy.ops.view3d.view_selected()
    yield DRAWN


def perform(steps: Steps) -> None:
    """Have Blender go through these steps; it ends with status 0, or 1 after a traceback."""

    def advance() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            print("window: all steps done", flush=True)
            bpy.ops.wm.quit_blender()
            return None
        except Exception:
            traceback.print_exc()
            photograph("failed")
            sys.stdout.flush()
            os._exit(1)

    bpy.app.timers.register(advance, first_interval=3.0, persistent=True)


def heads() -> list[Any]:
    """The heads of the scene, by name."""
    found = [o for o in bpy.context.scene.objects if "facegen_model" in o]
    return sorted(found, key=lambda o: str(o.name))


def sliders(head: Any) -> Any:
    """The slider values of a head."""
    return addon("ui.properties").sliders_of(head)


def positions(head: Any) -> Any:
    """The mesh's vertices (V, 3), metres."""
    values = np.empty(3 * len(head.data.vertices), np.float32)
    head.data.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def check_heads() -> None:
    """Parameters, mesh and sliders of every head say the same."""
    for head in heads():
        model = addon("heads.catalogue").load_head_model(head["facegen_model"])
        parameters = np.array(head["facegen_parameters"])
        np.testing.assert_allclose(positions(head), model.forward(parameters)[0], atol=2e-6)
        shown = [getattr(sliders(head), name) for name in model.table.names]
        np.testing.assert_allclose(shown, parameters, rtol=1e-6, atol=1e-6)


def clear_scene() -> None:
    """Remove all objects."""
    for other in list(bpy.data.objects):
        bpy.data.objects.remove(other)


def until_no_job(what: str) -> Steps:
    """Wait until the running job has ended."""
    yield from until(lambda: addon("ui.jobs").current() is None, what)


def on_display(place: Place) -> Place:
    """A place of the viewport's main region, y upwards, on the display, y downwards."""
    shown = region("WINDOW")
    height = bpy.context.window_manager.windows[0].height
    return shown.x + place[0], height - (shown.y + place[1])


def select_only(head: bpy.types.Object) -> None:
    """Make this head, and nothing else, selected and active."""
    for other in bpy.context.selected_objects:
        other.select_set(False)
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
