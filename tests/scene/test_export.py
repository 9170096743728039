# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads as files of other programs: read back by Blender's importers, they are the same heads."""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.expressions import SPEECH_SHAPES
from facegen_addon.heads.rig import at_rest
from facegen_addon.scene.export import files as export
from facegen_addon.scene.export.files import HeadSource, export_head, export_heads, file_names
from facegen_addon.scene.export.parts import ExportSettings, head_parts
from facegen_addon.scene.head.head_object import HeadObject
from tests.scene.exported_files import read_alone

MOVABLE = ("glb", "fbx")
POSES = {
    "open_flame": {"neck_pose_y": 0.3, "jaw_pose_x": 0.2, "leye_pose_y": 0.2, "neck_pose_x": 0.1},
    "anny": {"neck_z": 0.2, "head_x": 0.2, "jaw_x": 0.2, "eye_left_z": 0.2},
}
EXPRESSION = {"mouthSmileLeft": 0.7, "browInnerUp": 0.5, "jawOpen": 0.3}
BARE = ExportSettings(hair="none", textures=0)
FULL = replace(BARE, shape_keys=True, armature=True)
RIBBONS = replace(BARE, hair="ribbons")


def _source(model_name: str, rng: np.random.Generator, posed: bool = True) -> HeadSource:
    model = load_head_model(model_name)
    parameters = model.sample_prior(rng, 1)[0]
    for name, value in EXPRESSION.items() | (POSES[model_name].items() if posed else set()):
        parameters[model.table.index(name)] = value
    return HeadSource("Ada", model, parameters)


def _blocks() -> dict[str, list[str]]:
    """The names of everything in the file."""
    found = {name: getattr(bpy.data, name) for name in dir(bpy.data)}
    return {
        name: sorted(block.name for block in blocks)
        for name, blocks in found.items()
        if isinstance(blocks, bpy.types.bpy_prop_collection)
    }


def _read(path: Path) -> dict[str, bpy.types.Object]:
    """The objects of a file in an empty scene by the last word of their names, as Head, Hair."""
    read_alone(path, merge_vertices=True)
    shown = [o for o in bpy.context.scene.objects if not o.name.startswith("Icosphere")]  # bones
    found = {o.name.split()[-1].split("_")[-1]: o for o in shown if o.type in ("MESH", "ARMATURE")}
    return found


def _whole(objects: dict[str, bpy.types.Object]) -> np.ndarray:
    """Positions of all of a head's parts, hair left out."""
    parts = [o for name, o in objects.items() if name not in ("Hair", "Rig")]
    return np.concatenate([_positions(part) for part in parts])


def _positions(mesh_object: bpy.types.Object) -> np.ndarray:
    """World positions (V, 3) as they look: by keys, armature and transform."""
    evaluated = mesh_object.evaluated_get(bpy.context.evaluated_depsgraph_get())
    values = np.empty(3 * len(evaluated.data.vertices), np.float32)
    evaluated.data.vertices.foreach_get("co", values)
    matrix = np.array(evaluated.matrix_world)
    return values.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def _farthest(points: np.ndarray, others: np.ndarray) -> float:
    """The largest distance from a point to its nearest among the others, both ways."""
    return max(_one_way(points, others), _one_way(others, points))


def _one_way(points: np.ndarray, others: np.ndarray) -> float:
    squared = (others**2).sum(1)
    nearest = [np.argmin(squared - 2.0 * others @ point) for point in points]
    return float(np.linalg.norm(points - others[nearest], axis=1).max())


def _gltf(path: Path) -> dict[str, Any]:
    """The JSON of a .glb file."""
    data = path.read_bytes()
    magic, _, _, length, kind = struct.unpack("<4sII I4s", data[:20])
    assert (magic, kind) == (b"glTF", b"JSON")
    return json.loads(data[20 : 20 + length])


@pytest.mark.parametrize("model_name", list(POSES))
@pytest.mark.parametrize("suffix", list(export.FORMATS))
def test_the_mesh_comes_back(
    tmp_path: Path, rng: np.random.Generator, model_name: str, suffix: str
) -> None:
    head = _source(model_name, rng)
    expected = head.model.forward(head.parameters)[0]
    done = export_head(tmp_path / f"ada.{suffix}", head, BARE)
    assert done.triangles == len(head.model.surface.faces) and done.hair_triangles == 0
    (mesh_object,) = _read(done.path).values()
    found = _positions(mesh_object)
    assert _farthest(found, expected) < 1e-5
    assert len(mesh_object.data.polygons) == len(head.model.surface.faces)
    assert len(mesh_object.data.uv_layers) == 1
    assert {material.name for material in mesh_object.data.materials} == {"Skin", "Eyes"}
    if suffix != "glb":  # which splits vertices at seams
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("suffix", list(export.FORMATS))
def test_the_colours_come_back(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    head = _source("open_flame", rng, posed=False)
    vertices = head.model.forward(head.parameters)[0]
    expected = head.model.appearance(head.parameters).vertex_colour
    (mesh_object,) = _read(export_head(tmp_path / f"a.{suffix}", head, BARE).path).values()
    mesh = mesh_object.data
    (layer,) = mesh.color_attributes
    colours = np.array([item.color for item in layer.data])[:, :3]
    where = _positions(mesh_object)
    if layer.domain == "CORNER":
        where = where[[loop.vertex_index for loop in mesh.loops]]
    for vertex in range(0, len(vertices), 97):
        here = np.linalg.norm(where - vertices[vertex], axis=1) < 2e-6
        assert here.any()
        # 8 bits a channel in sRGB is the least that a format has.
        distance = np.abs(colours[here] - expected[vertex]).max(1)
        assert distance.min() < 0.01, suffix


@pytest.mark.parametrize("model_name", list(POSES))
@pytest.mark.parametrize("suffix", MOVABLE)
def test_keys_and_armature_make_the_same_head(
    tmp_path: Path, rng: np.random.Generator, model_name: str, suffix: str
) -> None:
    head = _source(model_name, rng)
    done = export_head(tmp_path / f"ada.{suffix}", head, FULL)
    assert done.notes == ()
    objects = _read(done.path)
    assert objects.keys() == {"Head", "Eyes", "Rig"}
    assert _farthest(_whole(objects), head.model.forward(head.parameters)[0]) < 1e-4


@pytest.mark.parametrize("model_name", list(POSES))
@pytest.mark.parametrize("suffix", MOVABLE)
def test_bones_are_the_models_joints(
    tmp_path: Path, rng: np.random.Generator, model_name: str, suffix: str
) -> None:
    head = _source(model_name, rng)
    rig = head.model.rig(head.parameters)
    objects = _read(export_head(tmp_path / f"ada.{suffix}", head, FULL).path)
    armature = objects["Rig"]
    bones = armature.data.bones
    assert {bone.name for bone in bones} == set(rig.names)
    for name, parent, joint in zip(rig.names, rig.parents, rig.joints, strict=True):
        assert (bones[name].parent.name if bones[name].parent else "") == (
            rig.names[parent] if parent >= 0 else ""
        )
        found = armature.matrix_world @ bones[name].head_local
        np.testing.assert_allclose(found, joint, atol=1e-5)
    meshes = [objects[name] for name in ("Head", "Eyes")]
    assert {group.name for mesh in meshes for group in mesh.vertex_groups} <= set(rig.names)
    vertices = [vertex for mesh in meshes for vertex in mesh.data.vertices]
    sums = [sum(g.weight for g in vertex.groups) for vertex in vertices]
    np.testing.assert_allclose(sums, 1.0, atol=1e-5)
    for bone in armature.pose.bones:  # at rest, the armature leaves the mesh alone
        bone.matrix_basis.identity()
    rest = head.model.forward(at_rest(head.model.table, head.parameters))[0]
    assert _farthest(_whole(objects), rest) < 1e-4


@pytest.mark.parametrize("model_name", list(POSES))
@pytest.mark.parametrize("suffix", MOVABLE)
def test_shape_keys_are_the_expressions(
    tmp_path: Path, rng: np.random.Generator, model_name: str, suffix: str
) -> None:
    head = _source(model_name, rng, posed=False)
    model, table = head.model, head.model.table
    settings = replace(BARE, shape_keys=True)
    objects = _read(export_head(tmp_path / f"a.{suffix}", head, settings).path)
    keys = {name: o.data.shape_keys.key_blocks[1:] for name, o in objects.items()}
    names = [table.names[column] for column in table.columns("expression")]
    assert len(names) == 52
    names += SPEECH_SHAPES
    assert {key.name for of_part in keys.values() for key in of_part} == set(names)
    for of_part in keys.values():
        assert [key.name for key in of_part] == sorted((k.name for k in of_part), key=names.index)
        for key in of_part:
            assert key.value == pytest.approx(EXPRESSION.get(key.name, 0.0), abs=1e-6)
    # Eyes turn, and go up a little with the brows of a head that is made of components.
    moving = {key.name for key in keys["Eyes"]} - set(SPEECH_SHAPES)
    assert {"eyeLookUpLeft", "eyeLookInRight"} <= moving and len(moving) <= 12
    neutral = head.parameters.copy()
    neutral[table.columns("expression")] = 0.0
    for name in ("jawOpen", "eyeBlinkLeft", "eyeLookUpLeft", "viseme_TH", "viseme_U"):
        for of_part in keys.values():
            for key in of_part:
                key.value = float(key.name == name)
        row = neutral.copy()
        for unit, value in SPEECH_SHAPES.get(name, {name: 1.0}).items():
            row[table.index(unit)] = value
        assert _farthest(_whole(objects), model.forward(row)[0]) < 2e-5


def test_gltf_names_morph_targets_and_skin(tmp_path: Path, rng: np.random.Generator) -> None:
    head = _source("open_flame", rng)
    content = _gltf(export_head(tmp_path / "ada.glb", head, FULL).path)
    meshes = {mesh["name"].split()[-1]: mesh for mesh in content["meshes"]}
    assert meshes.keys() == {"Head", "Eyes"}
    table = head.model.table
    names = {*(table.names[column] for column in table.columns("expression")), *SPEECH_SHAPES}
    found = {name for mesh in meshes.values() for name in mesh["extras"]["targetNames"]}
    assert found == names
    wanted = {"POSITION", "NORMAL", "TEXCOORD_0", "COLOR_0", "JOINTS_0", "WEIGHTS_0"}
    for mesh in meshes.values():
        targets = mesh["extras"]["targetNames"]
        assert mesh["weights"] == pytest.approx([EXPRESSION.get(name, 0.0) for name in targets])
        (primitive,) = mesh["primitives"]
        assert len(primitive["targets"]) == len(targets)
        assert all(target.keys() == {"POSITION", "NORMAL"} for target in primitive["targets"])
        assert wanted == primitive["attributes"].keys()
    (skin,) = content["skins"]
    joints = {content["nodes"][joint]["name"] for joint in skin["joints"]}
    assert joints == set(head.model.rig(head.parameters).names)
    assert "animations" not in content
    roughness = {m["name"]: m["pbrMetallicRoughness"] for m in content["materials"]}
    assert roughness["Skin"]["metallicFactor"] == 0
    assert 0.3 < roughness["Skin"]["roughnessFactor"] < 0.7


def test_hair_follows_as_ribbons(tmp_path: Path, rng: np.random.Generator) -> None:
    head = _source("anny", rng, posed=False)
    settings = replace(RIBBONS, shape_keys=True, armature=True)
    done = export_head(tmp_path / "ada.glb", head, settings)
    objects = _read(done.path)
    hair = objects["Hair"]
    assert len(hair.data.polygons) == done.hair_triangles > 30_000
    assert done.triangles == done.hair_triangles + len(head.model.surface.faces)
    assert len(hair.data.color_attributes) == 1
    sums = [sum(g.weight for g in vertex.groups) for vertex in hair.data.vertices]
    np.testing.assert_allclose(sums, 1.0, atol=1e-5)
    keys = hair.data.shape_keys.key_blocks
    # Brows go up with the skin that they grow on.
    before = _positions(hair)
    keys["browInnerUp"].value = 1.0
    raised = (_positions(hair) - before)[:, 2]
    assert 2e-3 < raised.max() < 2e-2
    assert "eyeLookUpLeft" not in keys


def test_subdivision_keeps_colours_and_weights(tmp_path: Path, rng: np.random.Generator) -> None:
    head = _source("open_flame", rng)
    settings = replace(BARE, armature=True, subdivision=1)
    done = export_head(tmp_path / "ada.fbx", head, settings)
    objects = _read(done.path)
    mesh = objects["Head"].data
    assert 2 * len(mesh.polygons) == done.triangles == 6 * len(head.model.surface.faces)
    assert len(mesh.color_attributes) == 1
    sums = [sum(g.weight for g in vertex.groups) for vertex in mesh.vertices]
    np.testing.assert_allclose(sums, 1.0, atol=1e-4)


@pytest.mark.parametrize("suffix", list(export.FORMATS))
def test_nothing_is_left_behind(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    head = HeadObject.create(load_head_model("open_flame"), bpy.context.collection)
    head.set_parameters(_source("open_flame", rng).parameters)
    head.mesh_object.select_set(True)
    before, scene = _blocks(), bpy.context.scene
    positions = _positions(head.mesh_object)
    movable = suffix in MOVABLE
    settings = replace(RIBBONS, shape_keys=movable, armature=movable)
    path = export_head(tmp_path / f"ada.{suffix}", HeadSource.of(head), settings).path
    assert _blocks() == before
    assert bpy.context.scene == scene and head.mesh_object.select_get()
    np.testing.assert_array_equal(_positions(head.mesh_object), positions)
    expected = {path.name, "ada.mtl"} if suffix == "obj" else {path.name}
    assert {file.name for file in tmp_path.iterdir()} == expected


def test_the_window_keeps_its_view_layer(tmp_path: Path, rng: np.random.Generator) -> None:
    window = bpy.context.window_manager.windows[0]
    window.view_layer = second = window.scene.view_layers.new("Second")
    export_head(tmp_path / "ada.glb", _source("open_flame", rng), BARE)
    assert window.view_layer == second


def test_a_name_that_no_disk_takes_is_one_line(tmp_path: Path, rng: np.random.Generator) -> None:
    head = _source("open_flame", rng)
    with pytest.raises(UserError, match="cannot be written"):
        export_head(tmp_path / f"{'a' * 300}.glb", head, BARE)
    named = replace(head, name="b" * 300)
    with pytest.raises(UserError, match="cannot be written"):
        list(export_heads(tmp_path, [named], "obj", BARE))
    assert not list(tmp_path.iterdir())


def test_a_failing_exporter_leaves_nothing(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, settings: ExportSettings) -> set[str]:
        path.write_text("half a file")
        raise RuntimeError("Error: the disk\nis full")

    broken = {"glb": export._Format(fail), "fbx": export._Format(lambda path, settings: {"X"})}
    monkeypatch.setattr(export, "FORMATS", broken)
    before, head = _blocks(), _source("open_flame", rng)
    with pytest.raises(UserError, match=r"a\.glb cannot be written: Error: the disk is full"):
        export_head(tmp_path / "a.glb", head, BARE)
    with pytest.raises(UserError, match=r"a\.fbx cannot be written: Blender's exporter gave up"):
        export_head(tmp_path / "a.fbx", head, BARE)
    assert _blocks() == before and not list(tmp_path.iterdir())


@pytest.fixture
def three(rng: np.random.Generator) -> Iterator[list[HeadSource]]:
    """Three heads of two names."""
    head = _source("open_flame", rng)
    yield [HeadSource(name, head.model, head.parameters) for name in ("Head", "Head", "H é/2")]


def test_a_variety_is_one_file_a_head(tmp_path: Path, three: list[HeadSource]) -> None:
    done = list(export_heads(tmp_path / "new", three, "glb", BARE))
    assert [head.path.name for head in done] == ["Head.glb", "Head_2.glb", "H_é_2.glb"]
    assert all(head.path.stat().st_size > 100_000 for head in done)


def test_a_stopped_export_leaves_nothing(tmp_path: Path, three: list[HeadSource]) -> None:
    before = _blocks()
    steps = export_heads(tmp_path, three, "obj", BARE)
    assert next(steps).path.name == "Head.obj"
    steps.close()
    assert not list(tmp_path.iterdir()) and _blocks() == before


def test_files_are_replaced_only_when_allowed(tmp_path: Path, three: list[HeadSource]) -> None:
    (tmp_path / "Head_2.obj").write_text("mine")
    with pytest.raises(UserError, match=r"Head_2\.obj is there already; allow replacing"):
        list(export_heads(tmp_path, three, "obj", BARE, replace=False))
    assert [file.name for file in tmp_path.iterdir()] == ["Head_2.obj"]
    list(export_heads(tmp_path, three, "obj", BARE, replace=True))
    assert (tmp_path / "Head_2.obj").read_text() != "mine"


def test_file_names_are_safe_and_unique() -> None:
    assert file_names(["a/b", "A b", "a_b", "..", "", "Head.001"]) == [
        "a_b", "A_b_2", "a_b_3", "head", "head_2", "Head.001",
    ]  # fmt: skip
    # Windows keeps these for devices.
    assert file_names(["Con", "nul.001", "Conrad"]) == ["head_Con", "head_nul.001", "Conrad"]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("a.stl", BARE, "unknown format 'stl'; choose from obj, glb, fbx"),
        ("a", BARE, "unknown format ''"),
        ("a.obj", replace(BARE, shape_keys=True), "'obj' holds no shape keys and no armature"),
        ("a.obj", replace(BARE, armature=True), "'obj' holds no shape keys and no armature"),
        ("folder.glb", BARE, r"folder\.glb is a folder; name a file in it"),
        ("file/a.glb", BARE, r"file cannot be written to \(.*\); choose another folder"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    tmp_path: Path, rng: np.random.Generator, name: str, settings: ExportSettings, message: str
) -> None:
    (tmp_path / "folder.glb").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=message) as caught:
        export_head(tmp_path / name, _source("open_flame", rng), settings)
    assert "\n" not in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.glb"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hair": "wool"}, "hair is 'wool'; choose from cards, ribbons, none"),
        ({"neck": "fitted"}, "neck is 'fitted'; choose from open, closed, same-edge"),
        ({"textures": 100}, "textures is 100; give 256 to 4096, or 0 for none"),
        ({"textures": -1}, "textures is -1; give 256 to 4096"),
        ({"textures": 4097}, "textures is 4097; give 256 to 4096"),
        ({"hair_triangles": 499}, "hair_triangles is 499; give 500 to 200000"),
        ({"lod": 4}, "lod is 4; give 0 to 3"),
        ({"lod": -1}, "lod is -1; give 0 to 3"),
        ({"lod": 1, "subdivision": 1}, "levels of detail have fewer triangles"),
        ({"subdivision": 4}, "subdivision is 4; give 0 to 3"),
        ({"subdivision": -1}, "subdivision is -1; give 0 to 3"),
        ({"subdivision": 1, "shape_keys": True}, "a subdivided mesh keeps no shape keys"),
    ],
)
def test_bad_settings_are_named(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ExportSettings(**change)


def test_an_edited_head_is_refused() -> None:
    head = HeadObject.create(load_head_model("open_flame"), bpy.context.collection)
    head.mesh_object.data.vertices.add(1)
    with pytest.raises(UserError, match="head 'Head' has a mesh that was edited"):
        HeadSource.of(head)


def test_a_missing_addon_is_named(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"glb": export._Format(export._write_glb, "io_scene_that_is_not_there")}
    monkeypatch.setattr(export, "FORMATS", broken)
    with pytest.raises(UserError, match="add-on io_scene_that_is_not_there is not there; enable"):
        export_head(tmp_path / "a.glb", _source("open_flame", rng), BARE)


def test_a_disabled_addon_is_enabled(tmp_path: Path, rng: np.random.Generator) -> None:
    import addon_utils

    addon_utils.disable("io_scene_fbx")
    assert export_head(tmp_path / "a.fbx", _source("open_flame", rng), BARE).path.exists()


def test_what_skinning_cannot_do_is_said_or_kept(rng: np.random.Generator) -> None:
    """A model whose pose adds a shape of its own: a note, or a shape key that holds it."""
    head = _source("open_flame", rng)
    model = head.model

    class Corrected:
        """The open head, its chin 3 mm lower when the jaw turns."""

        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def forward(self, parameters: np.ndarray) -> np.ndarray:
            rows = np.atleast_2d(parameters)
            vertices = model.forward(rows)
            turned = rows[:, model.table.index("jaw_pose_x")] > 0
            vertices[turned, :100, 2] -= 0.003
            return vertices

    corrected: Any = Corrected()
    lost = head_parts(corrected, head.parameters, replace(BARE, armature=True))
    assert lost.notes == (
        "an armature leaves out the pose's own shape, up to 3.0 mm: add shape keys to keep it",
    )
    kept = head_parts(corrected, head.parameters, FULL)
    assert kept.notes == () and kept.head.keys is not None
    keys = kept.head.keys
    assert keys.names[-1] == "pose_correctives" and keys.values[-1] == 1.0
    shape = kept.head.vertices + np.tensordot(keys.values, keys.offsets, 1)
    posed = kept.rig.posed(shape)
    np.testing.assert_allclose(posed, corrected.forward(head.parameters)[0], atol=1e-6)
