# SPDX-License-Identifier: GPL-3.0-or-later
"""Candidates on their sheet, a variety, the shifts of its heads, and a render of them."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from tools.window.hands import (
    DRAWN,
    Place,
    Steps,
    addon,
    area,
    check_heads,
    clear_scene,
    click,
    colours_of,
    heads,
    in_viewport,
    look,
    on_display,
    photograph,
    point,
    press,
    run,
    sliders,
    until,
    until_no_job,
)


def begin() -> Steps:
    """One head, alone."""
    clear_scene()
    bpy.ops.facegen.add_head(model="person")
    yield from look()


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


def sheet() -> Steps:
    """Star, padlock, nine more, pages and filters, by the keys that the sheet names."""
    with in_viewport():
        bpy.ops.facegen.show_candidates("INVOKE_DEFAULT")
    yield DRAWN
    module = addon("ui.candidates")
    pages = module._pages
    locked = module.current().pictures[2]
    for index, key in ((1, "s"), (2, "l")):
        yield from point(on_display(cell_of(module, index)))
        yield from press(key)
    yield from point(on_display(cell_of(module, 4)))
    photograph("sheet_marks")
    yield from press("n")
    yield from until_no_job("nine more")
    np.testing.assert_array_equal(module.current().pictures[2], locked)
    photograph("sheet_more")
    assert (pages.count, pages.number) == (2, 1), (pages.count, pages.number)
    yield from press("Left")
    assert pages.number == 0
    for name, count in (("starred", 1), ("women", None), ("men", None)):
        yield from press("f")
        assert pages.filter == name, pages.filter
        assert count in (None, len(pages.shown)), (name, len(pages.shown))
        photograph(f"sheet_{name}")
    yield from press("f")
    assert pages.filter == "all" and len(pages.shown) == 9, (pages.filter, len(pages.shown))
    yield from press("Escape")
    assert module._sheet is None
    check_heads()


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


def census() -> dict[str, int]:
    """How many of each kind of data there are."""
    kinds = ("objects", "meshes", "scenes", "hair_curves", "images", "worlds", "cameras", "lights")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


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
    # One thread of BLAS rounds otherwise than several: hair that has not followed is cm away.
    np.testing.assert_allclose(strands(live), before, atol=1e-6)


def strands(head: Any) -> Any:
    """Where the points of a head's hair are, flat."""
    points = head.hair_object.data.attributes["position"].data
    values = np.empty(3 * len(points), np.float32)
    points.foreach_get("vector", values)
    return values
