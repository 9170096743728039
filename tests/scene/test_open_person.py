# SPDX-License-Identifier: GPL-3.0-or-later
"""The open head with person's look, in Blender: dressed, labelled, with teeth in its mouth."""

import bpy
import numpy as np

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.wear.outfit import Outfit
from facegen_addon.labels.label_check import check_labels
from facegen_addon.labels.maps import CLASSES
from facegen_addon.labels.shot import Shot, View
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.render.sample_renderer import SampleRenderer, SampleSettings

MODEL = load_head_model("open_person")
WIDE = View(yaw=0.3, focal_length=36.0 * 1.6 / 0.42)


def test_it_wears_clothes_and_opens_its_mouth() -> None:
    shut = MODEL.table.default()
    wide = shut.copy()
    wide[MODEL.table.index("jaw_pose_x")] = 0.45
    turned = wide.copy()
    turned[MODEL.table.index("neck_pose_y")] = 0.5
    outfit = Outfit("v_neck", glasses="sunglasses", headwear="beanie")
    shots = Shot(shut, WIDE), Shot(wide, WIDE), Shot(turned, WIDE, outfit=outfit)
    found = []
    with SampleRenderer(MODEL, SampleSettings(samples=4, width=128, height=128)) as renderer:
        for shot in shots:
            sample = renderer.render(shot)
            assert sample.maps is not None and sample.landmarks is not None
            assert not check_labels(sample.maps, sample.camera, sample.landmarks).problems
            classes = sample.maps.segmentation
            found.append({n: float((classes == i).mean()) for i, n in enumerate(CLASSES)})
    closed, opened, dressed = found
    assert closed["clothes"] > 0.05 and closed["eyes"] > 0.001 and closed["hair"] > 0.02
    assert opened["mouth"] > closed["mouth"] + 0.003
    assert dressed["glasses"] > 0.01 and dressed["headwear"] > 0.04


def test_a_slider_moves_the_open_heads_vertices_and_what_person_adds() -> None:
    head = HeadObject.create(MODEL, bpy.context.scene.collection, 0)
    row = MODEL.table.default()
    row[MODEL.table.index("shape_001")] = 1.5
    row[MODEL.table.index("lash_length")] = 1.0
    head.move_to(row)
    flat = np.empty(3 * len(MODEL.surface.part), np.float32)
    head.mesh_object.data.attributes["position"].data.foreach_get("vector", flat)
    assert np.abs(flat.reshape(-1, 3) - MODEL.forward(row)[0]).max() < 1e-6
