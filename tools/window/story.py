# SPDX-License-Identifier: GPL-3.0-or-later
"""Use the installed add-on in Blender's own window, with a real mouse, and photograph it.

`blender --python tools/window/story.py -- FOLDER` in an X display of 1280x800 of its own, with
xdotool and ImageMagick's import; FOLDER holds the wheel that FaceNet is built from. Ends Blender
with status 0, or 1 with a traceback if something is not as it must be. After tools/window/hands.py
a step yields the seconds to wait for Blender.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bpy
import numpy as np

from tools.window.hands import (
    DRAWN,
    FOLDER,
    MODULE,
    TAB,
    Place,
    Steps,
    addon,
    area,
    check_heads,
    clear_scene,
    click,
    colours_of,
    drag,
    heads,
    hover,
    in_viewport,
    look,
    perform,
    photograph,
    point,
    positions,
    press,
    region,
    run,
    sliders,
    until,
    write,
)

# Pixels of a display of 1280x800 in Blender 4.3's default theme.
ADD_HEAD = (1133, 223)
SLIDER = (1080, 573)  # of age, in the Who panel of an open head
SEARCH = (1100, 581)  # in the Face panel, once the Head panel is folded
NOWHERE = (200, 600)
# Headers of panels, as they lie once those above them are folded.
HEAD, WHO, FACE, VARIETY, HISTORY = ((1040, y) for y in (97, 125, 153, 293, 321))


def story() -> Steps:
    """All that is tried, in order."""
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=MODULE)
        bpy.ops.preferences.addon_enable(module=MODULE)
    yield from preferences()
    yield from open_sidebar()
    photograph("empty")
    yield from head_by_mouse()
    yield from slider_by_mouse()
    yield from search_by_keyboard()
    yield from short_list()
    yield from sampling()
    yield from presets()
    yield from other_panels()
    yield from candidates()
    yield from variety()
    yield from shift()
    yield from render_in_a_drag()
    yield from fifty_undos()
    yield from edit_mode()
    yield from copies_and_scenes()
    yield from save_and_reopen()
    yield from missing_model()
    yield from second_model()


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
    browser = area()
    browser.ui_type = "ASSETS"
    yield DRAWN
    browser.spaces[0].params.asset_library_reference = "FaceGen Presets"
    yield 3 * DRAWN
    photograph("asset_browser")
    browser.ui_type = "VIEW_3D"
    yield DRAWN
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


def candidates() -> Steps:
    """Nine candidates on a sheet; a real click takes the fifth."""
    before = np.array(heads()[0]["facegen_parameters"])
    with in_viewport():
        bpy.ops.facegen.make_candidates("INVOKE_DEFAULT", kind="sample")
    yield from until_no_job("the candidates")
    photograph("candidates")
    module = addon("ui.candidates")
    check_colours("candidates", [on_display(cell_of(module, n)) for n in range(9)], module)
    wanted = module.current().parameters[4]
    yield from click(on_display(cell_of(module, 4)))
    np.testing.assert_array_equal(np.array(heads()[0]["facegen_parameters"]), wanted)
    assert np.abs(wanted - before).max() > 0.05
    check_heads()
    photograph("candidate_taken")


def variety() -> Steps:
    """Stopped by Esc it leaves nothing; left alone it stands heads in a grid, as one undo step."""
    blocks = census()
    start_variety(seed=1)
    yield 6.0
    assert addon("ui.jobs").current() is not None
    photograph("variety_running")
    yield from press("Escape")
    assert addon("ui.jobs").current() is None
    assert census() == blocks, (census(), blocks)
    bpy.ops.ed.undo_push(message="before the variety")
    start_variety(seed=0)
    yield from until_no_job("the variety")
    assert len(heads()) == 7, heads()
    yield from look()
    photograph("variety")
    check_heads()
    for step, count in (("undo", 1), ("redo", 7)):
        with in_viewport():
            getattr(bpy.ops.ed, step)()
        assert len(heads()) == count, (step, heads())
    yield DRAWN


def start_variety(seed: int) -> None:
    """Six heads, quickly."""
    with in_viewport():
        bpy.ops.facegen.generate_variety(
            "INVOKE_DEFAULT", count=6, distance=0.45, samples=4, size=224, seed=seed
        )


def shift() -> Steps:
    """Rings and the corner map, before and after a correction."""
    grid = [head for head in heads() if "facegen_seed" in head and "Head" in head.name]
    for other in bpy.context.selected_objects:
        other.select_set(False)
    for head in grid:
        head.select_set(True)
    bpy.context.view_layer.objects.active = grid[-1]
    bpy.context.scene.facegen_overlay.show = True
    view = area().spaces[0].region_3d
    view.view_distance *= 1.15
    view.view_location.x += 0.12  # room for the map
    yield DRAWN
    photograph("shift_before")
    with in_viewport():
        bpy.ops.facegen.correct_shift("INVOKE_DEFAULT", scope="SELECTED")
    yield from until_no_job("the correction")
    yield DRAWN
    photograph("shift")
    check_heads()


def render_in_a_drag() -> Steps:
    """A render that begins before the hair has followed a slider has complete heads."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location, camera.rotation_euler = (0.0, -1.0, 0.1), (np.pi / 2, 0.0, 0.0)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 64
    head = heads()[0]
    sliders(head).jawOpen = 0.7
    with in_viewport():
        bpy.ops.render.render("INVOKE_DEFAULT")
    yield from until(lambda: not bpy.app.is_job_running("RENDER"), "the render")
    run("xdotool", "key", "Escape")
    yield DRAWN
    live = addon("scene.head.head_object").HeadObject.of(head)
    before = strands(live)
    live.set_parameters(live.parameters)
    np.testing.assert_array_equal(strands(live), before)


def strands(head: Any) -> Any:
    """Where the points of a head's hair are, flat."""
    points = head.hair_object.data.attributes["position"].data
    values = np.empty(3 * len(points), np.float32)
    points.foreach_get("vector", values)
    return values


def fifty_undos() -> Steps:
    """Fifty operations of all kinds, undone and done again: no crash, no stale head."""
    rng = np.random.default_rng(0)
    bpy.context.preferences.edit.undo_steps = 100  # 32 are what Blender keeps by itself
    clear_scene()
    bpy.ops.facegen.add_head(model="open_flame")
    bpy.ops.ed.undo_push(message="start")
    counts = [1]
    for number in range(50):
        operate(number, rng)
        bpy.ops.ed.undo_push(message=f"operation {number}")
        counts.append(len(heads()))
        yield 0.05
    for step, expected in (("undo", counts[-2::-1]), ("redo", counts[1:])):
        for count in expected:
            with in_viewport():
                getattr(bpy.ops.ed, step)()
            assert len(heads()) == count, (step, count, heads())
            check_heads()
            yield 0.05
    photograph("fifty")


def operate(number: int, rng: np.random.Generator) -> None:
    """One of the operations that artists mix."""
    found = heads()
    head = found[number % len(found)]
    bpy.context.view_layer.objects.active = head
    kind = number % 10
    if kind == 3 and len(found) < 4:
        bpy.ops.facegen.add_head(model="open_flame" if number % 20 == 3 else "anny")
    elif kind == 4:
        bpy.ops.facegen.sample_head(seed=number)
    elif kind == 5:
        bpy.ops.facegen.reset_sliders(group="expression")
    elif kind == 6:
        bpy.ops.facegen.history_back()
    elif kind == 7:
        bpy.ops.facegen.toggle_lock(group="pose")
    elif kind == 8 and len(found) > 2:
        bpy.data.objects.remove(head)
    elif kind == 9:
        bpy.ops.facegen.sample_nearby(seed=number)
    else:
        sliders(head).jawOpen = rng.uniform(0.0, 1.0)


def edit_mode() -> Steps:
    """Into edit mode, where the panel says that sliders wait, and back."""
    head = heads()[0]
    bpy.context.view_layer.objects.active = head
    with in_viewport():
        bpy.ops.object.mode_set(mode="EDIT")
    yield DRAWN
    photograph("edit_mode")
    with in_viewport():
        bpy.ops.object.mode_set(mode="OBJECT")
    sliders(heads()[0]).jawOpen = 0.6
    check_heads()
    yield DRAWN


def copies_and_scenes() -> Steps:
    """A copy, a linked copy and a head of a second scene move by themselves."""
    for linked in (False, True):
        select_only(heads()[0])
        with in_viewport():
            bpy.ops.object.duplicate(linked=linked)
        sliders(bpy.context.view_layer.objects.active).jawOpen = 0.2
        yield 0.2
        check_heads()
    first = bpy.context.window.scene
    second = bpy.data.scenes.new("Second")
    bpy.context.window.scene = second
    yield DRAWN
    bpy.ops.facegen.add_head(model="open_flame")
    sliders(heads()[0]).shape_003 = 1.0
    check_heads()
    bpy.context.window.scene = first
    yield DRAWN
    check_heads()
    bpy.data.scenes.remove(second)


def save_and_reopen() -> Steps:
    """A saved file comes back with heads, sliders, history and overlay."""
    clear_scene()
    bpy.ops.facegen.sample_head(seed=5)
    bpy.ops.facegen.sample_nearby(seed=6)
    bpy.context.scene.facegen_overlay.show = True
    path = str(FOLDER / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    before = positions(heads()[0])
    bpy.ops.wm.open_mainfile(filepath=path)
    yield DRAWN
    np.testing.assert_array_equal(positions(heads()[0]), before)
    check_heads()
    assert bpy.context.scene.facegen_overlay.show
    select_only(heads()[0])
    bpy.ops.facegen.history_back()
    assert np.abs(positions(heads()[0]) - before).max() > 1e-4
    bpy.ops.facegen.history_forward()
    np.testing.assert_array_equal(positions(heads()[0]), before)
    sliders(heads()[0]).shape_001 = -1.5
    check_heads()
    yield DRAWN
    photograph("reopened")


def missing_model() -> Steps:
    """A file whose model is gone says so, keeps its data, and works again when it is back."""
    catalogue = addon("heads.catalogue")
    gone = "flame_0123456789ab"
    head = heads()[0]
    name, parameters = head["facegen_model"], list(head["facegen_parameters"])
    head["facegen_model"] = gone
    path = str(FOLDER / "missing.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    yield DRAWN
    select_only(heads()[0])
    yield DRAWN
    photograph("missing_model")
    assert list(heads()[0]["facegen_parameters"]) == parameters
    assert catalogue.load_head_model(name)
    heads()[0]["facegen_model"] = name
    bpy.ops.facegen.load_sliders()
    check_heads()


def second_model() -> Steps:
    """Anny's sliders beside it."""
    clear_scene()
    bpy.ops.facegen.sample_head(seed=2)
    bpy.context.scene.cursor.location.x = 0.25
    bpy.ops.facegen.add_head(model="anny")
    bpy.ops.facegen.sample_head(seed=4)
    yield from look(everything=True)
    check_heads()
    photograph("anny")


def until_no_job(what: str) -> Steps:
    """Wait until the running job has ended."""
    yield from until(lambda: addon("ui.jobs").current() is None, what)


def cell_of(module: Any, index: int) -> Place:
    """The middle of a candidate's picture, pixels of its region, y upwards."""
    arrangement = module._sheet.place(bpy.context.window_manager.windows[0].screen)[2]
    x, y, width, height = arrangement.cells[index]
    return int(x + width / 2), int(y + height / 2)


def check_colours(name: str, places: list[Place], module: Any) -> None:
    """The pictures of the sheet have their own colours on a screenshot, but for dithering."""
    pixels = colours_of(name)
    shown = [pixels[y - 10 : y + 10, x - 10 : x + 10].mean(axis=(0, 1)) for x, y in places]
    middle = module.current().pictures.shape[1] // 2
    part = slice(middle - 10, middle + 10)
    made = module.current().pictures[:, part, part].mean(axis=(1, 2)) / 255.0
    np.testing.assert_allclose(shown, made, atol=0.08)


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


def census() -> dict[str, int]:
    """How many of each kind of data there are."""
    kinds = ("objects", "meshes", "scenes", "hair_curves", "images", "worlds", "cameras", "lights")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


perform(story())
