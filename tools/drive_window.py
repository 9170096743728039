# SPDX-License-Identifier: GPL-3.0-or-later
"""Use the installed add-on in Blender's own window, with a real mouse, and photograph it.

`blender --python tools/drive_window.py -- FOLDER` in an X display of its own, with xdotool and
ImageMagick's import. Ends Blender with status 0, or 1 with a traceback if something is not as it
must be.
"""

import importlib
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
MODULE = "bl_ext.user_default.facegen"
TAB = "FaceGen"
DRAWN = 2.5  # seconds that a redraw takes at most, with software GL on a busy machine

Place = tuple[int, int]
Steps = Iterator[float]

# Pixels of a display of 1280x800 in Blender 4.3's default theme.
ADD_HEAD = (1123, 154)
SEARCH = (1100, 389)
SLIDER = (1100, 466)
NOWHERE = (200, 600)


def story() -> Steps:
    """All that is tried, in order; yields the seconds to wait for Blender."""
    stand_in_influence()
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=MODULE)
        bpy.ops.preferences.addon_enable(module=MODULE)
    yield from open_sidebar()
    photograph("empty")
    yield from click(ADD_HEAD)
    yield from point(NOWHERE)
    assert len(heads()) == 1 and heads()[0]["facegen_model"] == "open_flame", heads()
    yield from look_at_head()
    photograph("panel")
    yield from slider_by_mouse()
    yield from search_by_keyboard()
    yield from undo_and_redo()
    yield from edit_mode()
    yield from save_and_reopen()
    yield from second_model()


def slider_by_mouse() -> Steps:
    """A slider dragged for real moves the head and nothing in the panel; its tooltip."""
    before = positions(heads()[0])
    yield from drag(SLIDER, 60)
    photograph("drag")
    value = sliders(heads()[0]).shape_002
    assert value > 0.5, f"the drag left Shape 2 at {value}"
    assert np.abs(positions(heads()[0]) - before).max() > 1e-3
    check_heads()
    yield from hover(SLIDER)
    photograph("tooltip")


def search_by_keyboard() -> Steps:
    """Words typed into the search."""
    settings = bpy.context.window_manager.facegen
    yield from click(SEARCH)
    run("xdotool", "type", "jaw")
    run("xdotool", "key", "Return")
    yield DRAWN
    assert settings.search == "jaw", settings.search
    photograph("search")
    settings.search = ""
    yield from point(NOWHERE)


def undo_and_redo() -> Steps:
    """Sliders, a second head and a reset, all undone and done again, twice."""
    rng = np.random.default_rng(0)
    for move in range(12):
        head = heads()[move % len(heads())]
        if move == 6:
            bpy.ops.facegen.add_head(model="open_flame")
        elif move == 9:
            bpy.ops.facegen.reset_sliders(group="shape")
        else:
            setattr(sliders(head), f"shape_{1 + move:03}", rng.uniform(-2.0, 2.0))
        bpy.ops.ed.undo_push(message=f"move {move}")
        yield 0.1
    for step in ("undo", "redo", "undo"):
        for _ in range(11):
            with viewport():
                getattr(bpy.ops.ed, step)()
            check_heads()
            yield 0.1
        assert len(heads()) == (2 if step == "redo" else 1), step


def edit_mode() -> Steps:
    """Into edit mode, where the panel says that sliders wait, and back."""
    with viewport():
        bpy.ops.object.mode_set(mode="EDIT")
    yield DRAWN
    photograph("edit_mode")
    with viewport():
        bpy.ops.object.mode_set(mode="OBJECT")
    sliders(heads()[0]).jawOpen = 0.6
    check_heads()
    yield DRAWN


def save_and_reopen() -> Steps:
    """A saved file comes back with its head, whose sliders move it."""
    path = str(FOLDER / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    before = positions(heads()[0])
    bpy.ops.wm.open_mainfile(filepath=path)
    yield DRAWN
    np.testing.assert_array_equal(positions(heads()[0]), before)
    check_heads()
    sliders(heads()[0]).shape_001 = -1.5
    assert np.abs(positions(heads()[0]) - before).max() > 1e-3
    check_heads()
    yield DRAWN
    photograph("reopened")


def second_model() -> Steps:
    """Anny's sliders beside it."""
    bpy.context.scene.cursor.location.x = 0.25
    bpy.ops.facegen.add_head(model="anny")
    with viewport():
        bpy.ops.view3d.view_all()
    yield DRAWN
    check_heads()
    photograph("anny")


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


def addon(name: str) -> Any:
    """A module of the installed extension."""
    return importlib.import_module(f"{MODULE}.facegen_addon.{name}")


def heads() -> list[Any]:
    """The heads of the scene."""
    return [o for o in bpy.data.objects if "facegen_model" in o]


def stand_in_influence() -> None:
    """Figures of a few sliders without FaceNet's part, unless the model comes with its own.

    The pictures are Workbench's, and the millimetres are true.
    """
    influence = addon("mapping.influence")
    model = addon("heads.catalogue").load_head_model("open_flame")
    if influence.load(model.name, model.table) is not None:
        return
    clear_scene()
    mean = model.table.default()[None]
    head = addon("scene.head_object").HeadObject.create(model, bpy.context.scene.collection)
    set_up_portrait(model.forward(mean)[0, :, 2].mean())

    def portrait(parameters: Any) -> bytes:
        head.set_parameters(parameters)
        bpy.ops.render.render(write_still=True)
        return Path(bpy.context.scene.render.filepath).read_bytes()

    def embed(parameters: Any, seed: int) -> Any:
        raise addon("errors").RejectedSample("no FaceNet here")

    settings, noise = influence.InfluenceSettings(heads=1), np.zeros(1, np.float32)
    base = influence.BaseHeads(mean, model.forward(mean), np.zeros((1, 512), np.float32), noise)
    probe = influence.Probe(embed, portrait)
    rows = tuple(
        influence.measure(model, name, base, settings, probe)
        for name in ("shape_001", "shape_002", "jawOpen")
    )
    digest = influence.table_digest(model.table)
    figures = influence.Influence(model.name, settings, "stand-in", digest, noise, rows)
    influence.save(figures, influence.influence_folder() / f"{model.name}.npz")
    clear_scene()


def set_up_portrait(height: float) -> None:
    """A camera in front of a head whose middle is at this height, metres; fast rendering."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", 0.32
    camera.location, camera.rotation_euler = (0.0, -1.0, height), (np.pi / 2, 0.0, 0.0)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.color_type = "VERTEX"
    scene.display.render_aa = "OFF"
    scene.render.resolution_x = scene.render.resolution_y = 96
    scene.render.image_settings.file_format = "JPEG"
    scene.render.filepath = str(FOLDER / "portrait.jpg")


def clear_scene() -> None:
    """Remove all objects."""
    for other in list(bpy.data.objects):
        bpy.data.objects.remove(other)


def click(place: Place) -> Steps:
    """A real click, and its effect."""
    yield from point(place)
    run("xdotool", "click", "1")
    yield DRAWN


def hover(place: Place) -> Steps:
    """Rest the mouse until the tooltip shows."""
    yield from point(place)
    yield from point((place[0] + 2, place[1]))
    yield DRAWN


def drag(place: Place, distance: int) -> Steps:
    """Drag sideways."""
    yield from point(place)
    run("xdotool", "mousedown", "1")
    for offset in range(0, distance + 1, distance // 6):
        yield from point((place[0] + offset, place[1]))
    run("xdotool", "mouseup", "1")
    yield DRAWN


def point(place: Place) -> Steps:
    """Move the mouse."""
    run("xdotool", "mousemove", *map(str, place))
    yield 0.3


def look_at_head() -> Steps:
    """From the front, close, with the colours of the skin."""
    space = area().spaces[0]
    space.shading.color_type = "VERTEX"
    with viewport():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    yield DRAWN


def area() -> Any:
    """The 3D viewport."""
    return next(
        a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D"
    )


def sidebar() -> Any:
    """The viewport's sidebar."""
    return next(region for region in area().regions if region.type == "UI")


def viewport() -> Any:
    """A context override for operators that need the viewport."""
    window = bpy.context.window_manager.windows[0]
    region = next(region for region in area().regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area(), region=region)


def open_sidebar() -> Steps:
    """The viewport fills the window, its sidebar shows our tab."""
    clear_scene()
    with viewport():
        bpy.ops.screen.screen_full_area()
    yield DRAWN
    space = area().spaces[0]
    space.show_region_ui = True
    space.overlay.show_floor = False
    yield DRAWN
    sidebar().active_panel_category = TAB
    area().tag_redraw()
    yield DRAWN


def run(*command: str) -> None:
    """A program of the X display."""
    subprocess.run(command, check=True, timeout=60)


def photograph(name: str) -> None:
    """The whole display as FOLDER/name.png."""
    run("import", "-window", "root", str(FOLDER / f"{name}.png"))


_steps = story()


def advance() -> float | None:
    """The next step; ends Blender after the last one."""
    try:
        return next(_steps)
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
