# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene that was saved before the rooms were moved (commit 70e14bb) opens as it was.

files/head_of_0.1.blend: one open head, `add_head` and then `sample_head(distribution="prior",
seed=7)`, saved compressed by Blender 4.5.
"""

from pathlib import Path

import bpy
import numpy as np

from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.ui.properties import sliders_of

FILE = Path(__file__).with_name("files") / "head_of_0.1.blend"


def positions(mesh_object: bpy.types.Object) -> np.ndarray:
    flat = np.empty(3 * len(mesh_object.data.vertices), np.float32)
    mesh_object.data.attributes["position"].data.foreach_get("vector", flat)
    return flat.reshape(-1, 3)


def test_a_scene_of_before_opens_and_goes_on() -> None:
    bpy.ops.wm.open_mainfile(filepath=str(FILE))
    mesh_object = bpy.data.objects["Old open_flame"]
    head = HeadObject.of(mesh_object)
    assert np.allclose(head.parameters[:2], [0.0012301533574825742, 0.2987455375084699])
    (vertices,) = head.model.forward(head.parameters[None])
    assert np.abs(positions(mesh_object) - vertices).max() < 1e-6
    assert head.hair_object is not None and len(head.hair_object.data.curves) > 1000
    sliders = sliders_of(mesh_object)
    assert sliders is not None
    assert np.isclose(getattr(sliders, head.model.table.names[1]), head.parameters[1], atol=1e-6)

    bpy.context.view_layer.objects.active = mesh_object
    before = positions(mesh_object)
    assert bpy.ops.facegen.sample_head(distribution="prior", seed=1) == {"FINISHED"}
    assert np.abs(positions(mesh_object) - before).max() > 1e-3
    assert bpy.context.scene.facegen_who.population == "as-found", "all that there was then"
    labels = [entry.label for entry in history.history_of(mesh_object).entries]
    assert len(labels) >= 2, "what the file had saved, and the step after it"
