# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo, copies, scenes and files: no head is stale or lost."""

from __future__ import annotations

import bpy
import numpy as np

from tools.window.hands import (
    DRAWN,
    FOLDER,
    Steps,
    addon,
    check_heads,
    clear_scene,
    heads,
    in_viewport,
    look,
    photograph,
    positions,
    select_only,
    sliders,
)


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
