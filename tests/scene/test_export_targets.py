# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for game engines, read back into an empty file: size, unit, axes, names and keys."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.export.files import HeadSource, export_head
from facegen_addon.scene.export.parts import ExportSettings
from facegen_addon.scene.export.targets import TARGETS
from tests.scene.exported_files import read_alone

ARKIT = [
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
]
"""The names of ARFaceAnchor.BlendShapeLocation as apps send them."""
VISEMES = [
    *("viseme_sil", "viseme_PP", "viseme_FF", "viseme_TH", "viseme_DD", "viseme_kk", "viseme_CH"),
    *("viseme_SS", "viseme_nn", "viseme_RR", "viseme_aa", "viseme_E", "viseme_I", "viseme_O"),
    "viseme_U",
]
"""The names by which speech tools drive a mesh by Oculus' fifteen visemes."""


def _world(item: bpy.types.Object) -> np.ndarray:
    values = np.empty(3 * len(item.data.vertices), np.float32)
    item.data.vertices.foreach_get("co", values)
    matrix = np.array(item.matrix_world)
    return values.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("target", ["unreal", "unity", "godot"])
def test_a_head_comes_back_as_large_upright_and_with_arkits_names(
    tmp_path: Path, target: str
) -> None:
    model = load_head_model("person")
    parameters = model.table.default()
    vertices = model.forward(parameters)[0]
    settings = ExportSettings(
        shape_keys=True, armature=True, hair="none", textures=0, target=target, lod=1
    )
    path = tmp_path / f"guard_01.{TARGETS[target].format}"
    export_head(path, HeadSource("Head", model, parameters), settings)
    read_alone(path)
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and not o.name.startswith("Ico")]
    (rig,) = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    assert {o.name.split()[0] for o in (*meshes, rig)} == {"guard_01"}
    found = np.concatenate([_world(item) for item in meshes])
    np.testing.assert_allclose(found.min(0), vertices.min(0), atol=2e-3)
    np.testing.assert_allclose(found.max(0), vertices.max(0), atol=2e-3)
    # Of teeth, tongue and eyes, too, as far as they move.
    names = [
        {key.name for key in item.data.shape_keys.key_blocks[1:]}
        for item in meshes
        if item.data.shape_keys
    ]
    assert set.union(*names) == {*ARKIT, *VISEMES}
    # Teeth, tongue and lashes follow speech; silence is there, and moves nothing.
    assert sum("viseme_aa" in keys for keys in names) >= 3
    assert sum("viseme_sil" in keys for keys in names) == 1
    assert sum("jawOpen" in keys for keys in names) >= 3
    # What a unit in the file is: a centimetre for Unreal, a metre for the others.
    unit = {"unreal": 0.01}.get(target, 1.0)
    np.testing.assert_allclose(rig.matrix_world.to_scale(), [unit] * 3, rtol=1e-4)
    heads = np.array([rig.matrix_world @ bone.head_local for bone in rig.data.bones])
    assert (heads.min(0) > vertices.min(0) - 0.05).all()
    assert (heads.max(0) < vertices.max(0) + 0.05).all()


def test_for_any_program_files_are_as_before(tmp_path: Path) -> None:
    model = load_head_model("open_flame")
    source = HeadSource("Head", model, model.table.default())
    for name, settings in (
        ("a", ExportSettings(hair="none", textures=0)),
        ("b", ExportSettings(hair="none", textures=0, target="godot")),
    ):
        export_head(tmp_path / name / "head.glb", source, settings)
    assert (tmp_path / "a/head.glb").read_bytes() == (tmp_path / "b/head.glb").read_bytes()
