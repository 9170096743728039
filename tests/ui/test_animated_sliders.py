# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders that keyframes and drivers move."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head.head_object import PARAMETERS_KEY
from facegen_addon.ui import properties
from tests.ui.slider_heads import add_head, positions, render_small, sliders


def test_keyframes_animate_the_mesh() -> None:
    head = add_head()
    scene, path = bpy.context.scene, f"{properties.sliders_name('anny')}.jawOpen"
    for frame, value in ((1, 0.0), (11, 1.0)):
        sliders(head).jawOpen = value
        assert head.keyframe_insert(path, frame=frame)
    model = load_head_model("anny")
    column = model.table.index("jawOpen")
    found = []
    for frame in (1, 6, 11):
        scene.frame_set(frame)
        found.append(head[PARAMETERS_KEY][column])
        parameters = model.table.default()
        parameters[column] = found[-1]
        np.testing.assert_array_equal(positions(head), model.forward(parameters)[0])
    assert found == pytest.approx([0.0, 0.5, 1.0], abs=1e-4)


def test_blender_does_not_draw_while_it_renders_heads_that_are_animated() -> None:
    """They are written in the render's thread."""
    head, scene = add_head(), bpy.context.scene
    scene.frame_set(2)
    assert not scene.render.use_lock_interface
    head.keyframe_insert(f"{properties.sliders_name('anny')}.jawOpen", frame=1)
    scene.frame_set(3)
    assert scene.render.use_lock_interface


def test_a_rendered_animation_moves_the_head(tmp_path: Path) -> None:
    head, scene = add_head(), bpy.context.scene
    path = f"{properties.sliders_name('anny')}.jawOpen"
    for frame, value in ((1, 0.0), (2, 1.0)):
        sliders(head).jawOpen = value
        head.keyframe_insert(path, frame=frame)
    scene.frame_start, scene.frame_end = 1, 2
    scene.render.filepath = str(tmp_path / "frame_")
    scene.render.image_settings.file_format = "PNG"
    render_small(animation=True)
    first, second = (loaded_pixels(file) for file in sorted(tmp_path.glob("frame_*.png")))
    # Noise has the same seed in both: what differs is the head.
    assert (np.abs(first - second).max(-1) > 0.05).sum() > 10


def loaded_pixels(file: Path) -> np.ndarray:
    image = bpy.data.images.load(str(file))
    values = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(-1, 4)


def test_a_driver_moves_the_mesh() -> None:
    head = add_head()
    control = bpy.data.objects.new("Control", None)
    bpy.context.collection.objects.link(control)
    driver = sliders(head).driver_add("weight").driver
    variable = driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id = control
    driver.expression = variable.name
    control.location.x = 0.95
    bpy.context.view_layer.update()
    column = load_head_model("anny").table.index("weight")
    assert head[PARAMETERS_KEY][column] == pytest.approx(0.95)
