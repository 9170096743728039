# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of sliders share: heads, what is on them, what the panel draws."""

import bpy
import numpy as np

from facegen_addon.heads.catalogue import HEAD_MODELS
from facegen_addon.ui import properties
from tests.ui.panels import RecordingLayout, draw_panels

MODELS = tuple(HEAD_MODELS)


def add_head(model: str = "anny") -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model=model, subdivision=0) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def positions(mesh_object: bpy.types.Object) -> np.ndarray:
    values = np.empty(3 * len(mesh_object.data.vertices), np.float32)
    mesh_object.data.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def attributes(mesh_object: bpy.types.Object) -> dict[str, bytes]:
    """All that a slider may change, as bytes: of the mesh and of its hair."""
    kinds = {"FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4), "FLOAT": ("value", 1)}
    found = {}
    for data in (mesh_object.data, mesh_object.children[0].data):
        for attribute in data.attributes:
            if attribute.data_type in kinds:
                key, width = kinds[attribute.data_type]
                values = np.empty(width * len(attribute.data), np.float32)
                attribute.data.foreach_get(key, values)
                found[f"{data.name} {attribute.name}"] = values.tobytes()
    return found


def sliders(mesh_object: bpy.types.Object) -> bpy.types.PropertyGroup:
    found = properties.sliders_of(mesh_object)
    assert found is not None
    return found


def render_small(**options: bool) -> None:
    """The scene in 64 pixels and one sample of Cycles; with a camera, if it has none."""
    scene = bpy.context.scene
    if scene.camera is None:
        scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        scene.camera.location, scene.camera.rotation_euler = (0, -1, 0.05), (np.pi / 2, 0, 0)
        bpy.context.collection.objects.link(scene.camera)
        scene.world = bpy.data.worlds.new("World")
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x = scene.render.resolution_y = 64
    bpy.ops.render.render(**options)


def drawn() -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = []
    draw_panels(RecordingLayout(log))
    return log
