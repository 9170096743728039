# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.export.files import HeadSource, export_head
from facegen_addon.scene.export.parts import ExportSettings
from facegen_addon.scene.head import materials, skin_material
from facegen_addon.scene.head.head_object import HeadObject
from tests.scene.exported_files import read_alone

PERSON = load_head_model("person")
SLOTS = ["Skin of person", "Eye", "Eye", "Cornea", "Teeth", "Gums", "Gums", "Lashes"]


@pytest.fixture
def person() -> HeadObject:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return HeadObject.create(PERSON, bpy.context.scene.collection, 0)


def slots(head: HeadObject) -> np.ndarray:
    polygons = head.mesh_object.data.polygons
    found = np.empty(len(polygons), np.int32)
    polygons.foreach_get("material_index", found)
    return found


def test_every_part_has_a_slot_of_its_own(person: HeadObject) -> None:
    mesh, surface = person.mesh_object.data, PERSON.surface
    assert [material.name for material in mesh.materials] == [f"FaceGen {name}" for name in SLOTS]
    assert {len(polygon.vertices) for polygon in mesh.polygons} == {4}
    part = surface.part[surface.polygons[:, 0]]
    for name, slot in (("skin", 0), ("eye_right", 2), ("cornea_left", 3), ("lashes", 7)):
        assert (slots(person)[part == surface.part_names.index(name)] == slot).all()


def test_two_heads_share_materials_and_the_lashes_picture(person: HeadObject) -> None:
    other = HeadObject.create(PERSON, bpy.context.scene.collection, 0)
    pairs = zip(person.mesh_object.data.materials, other.mesh_object.data.materials, strict=True)
    assert all(one == two for one, two in pairs)
    (picture,) = (image for image in bpy.data.images if image.name == "FaceGen Lashes")
    assert picture.packed_file is not None
    pixels = np.empty(len(picture.pixels), np.float32)
    picture.pixels.foreach_get(pixels)
    assert 0.02 < pixels.reshape(-1, 4)[:, 0].mean() < 0.6


def test_its_skin_is_drawn_from_maps_that_heads_share(person: HeadObject) -> None:
    HeadObject.create(PERSON, bpy.context.scene.collection, 0)
    maps = {image.name for image in bpy.data.images if "Skin" in image.name}
    assert maps == {f"FaceGen Skin of person {name}" for name in ("colour", "relief", "marks")}


def test_a_skin_slider_that_vertices_do_not_show_is_written(person: HeadObject) -> None:
    def relief() -> np.ndarray:
        data = person.mesh_object.data.attributes[skin_material.RELIEF].data
        found = np.empty(3 * len(data), np.float32)
        data.foreach_get("vector", found)
        return found.reshape(-1, 3)

    row = PERSON.table.default()
    person.move_to(row)
    lined = row.copy()
    lined[PERSON.table.index("skin_lines")] = 1.0
    before = relief()
    person.move_to(lined)
    assert (relief()[:, 0] > before[:, 0]).all()
    person.move_to(row)
    assert np.array_equal(relief(), before)


def test_gloss_differs_over_the_face(person: HeadObject) -> None:
    data = person.mesh_object.data.attributes[materials.ROUGHNESS].data
    found = np.empty(len(data), np.float32)
    data.foreach_get("value", found)
    lips = PERSON.surface.masks["lips"] > 0.9
    assert found[lips].mean() < found[PERSON.surface.masks["cheeks"] > 0.9].mean() - 0.05


def test_obj_keeps_quads_and_leaves_the_cards_out(person: HeadObject, tmp_path: Path) -> None:
    settings = ExportSettings(hair="none", textures=0)
    written = export_head(tmp_path / "person.obj", HeadSource.of(person), settings)
    lines = written.path.read_text("utf-8").splitlines()
    faces = [line.split()[1:] for line in lines if line.startswith("f ")]
    assert {len(face) for face in faces} == {4}
    surface = PERSON.surface
    shown = (~surface.vertices_of("lashes"))[surface.polygons].all(1).sum()
    assert len(faces) == shown
    assert written.triangles == 2 * shown
    assert any("lashes" in note for note in written.notes)
    used = {line.split()[1] for line in lines if line.startswith("usemtl")}
    assert {"Skin", "Teeth", "Gums", "Tongue"} <= used


@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_keys_and_bones_move_what_is_left(person: HeadObject, tmp_path: Path, kind: str) -> None:
    settings = ExportSettings(hair="none", textures=0, shape_keys=True, armature=True)
    export_head(tmp_path / f"person.{kind}", HeadSource.of(person), settings)
    read_alone(tmp_path / f"person.{kind}")
    keyed = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
    mesh = max(keyed, key=lambda o: len(o.data.vertices))
    assert len(keyed) > 1, "teeth and lashes have the keys that move them, and no others"
    assert "jawOpen" in mesh.data.shape_keys.key_blocks
    quads = sum(len(polygon.vertices) == 4 for o in keyed for polygon in o.data.polygons)
    assert quads > 8000 if kind == "fbx" else quads == 0
