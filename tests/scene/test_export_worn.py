# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head wears is exported as objects of their own, with materials and colours."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.named_styles import styled
from facegen_addon.heads.rig import at_rest
from facegen_addon.heads.wear.outfit import BARE
from facegen_addon.heads.wear.outfit_text import read_outfit
from facegen_addon.scene.export.files import HeadSource, export_head
from facegen_addon.scene.export.parts import ExportSettings, HeadParts, head_parts
from facegen_addon.scene.export.worn import CLOTH_TEXTURE
from facegen_addon.scene.head.head_object import HeadObject
from tests.scene.exported_files import read_alone

MODEL = load_head_model("person")
# With hair that a hat presses down.
HEAD = styled(MODEL, MODEL.sample_prior(np.random.default_rng(4), 1)[0], "hair", "Curly")
OUTFIT = read_outfit(
    "garment=shirt, colour=sky, pattern=stripes, second_colour=red, glasses=round,"
    " frame_colour=0.5 0 0, headwear=cap, hat_colour=0 0.25 0"
)
BARE_MESH = ExportSettings(textures=0, hair="none")
NAMES = {"Bust", "Clothes", "Glasses", "Headwear"}


def read(path: Path) -> dict[str, bpy.types.Object]:
    """Objects of a file in an empty scene, by the last word of their names."""
    read_alone(path)
    return {o.name.replace("_", " ").split()[-1]: o for o in bpy.data.objects if o.type == "MESH"}


def bsdf(material: bpy.types.Material) -> bpy.types.Node:
    return next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")


def alpha(path: Path, mesh_object: bpy.types.Object, name: str) -> float:
    """How much a material covers; of glTF by the file, as Blender reads it into several nodes."""
    if path.suffix == ".glb":
        content = path.read_bytes()
        (length,) = struct.unpack("<I", content[12:16])
        made = json.loads(content[20 : 20 + length])["materials"]
        (material,) = (m for m in made if m["name"] == name)
        assert (material.get("alphaMode") == "BLEND") == (name == "Lenses")
        return float(material["pbrMetallicRoughness"].get("baseColorFactor", [1.0])[-1])
    (material,) = (m for m in mesh_object.data.materials if m.name.startswith(name))
    return float(bsdf(material).inputs["Alpha"].default_value)


def test_a_head_of_the_scene_is_exported_as_it_is_dressed() -> None:
    head = HeadObject.create(MODEL, bpy.context.collection)
    assert HeadSource.of(head).outfit == BARE
    head.wear(OUTFIT)
    assert HeadSource.of(head).outfit == OUTFIT


@pytest.mark.parametrize("suffix", ["glb", "fbx", "obj"])
def test_every_format_has_them_as_objects_of_their_own(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ada.{suffix}"
    done = export_head(path, HeadSource("ada", MODEL, HEAD, OUTFIT), BARE_MESH)
    bare = head_parts(MODEL, HEAD, BARE_MESH)
    found = read(path)
    assert set(found) == {"Head", *NAMES}
    triangles = 0
    for mesh_object in found.values():
        mesh_object.data.calc_loop_triangles()
        triangles += len(mesh_object.data.loop_triangles)
    flat = 200 if suffix == "glb" else 0  # triangles without an area, at tips, are no more there
    assert done.triangles - flat <= triangles <= done.triangles
    assert done.triangles > 2 * len(bare.head.faces)
    assert {m.name.split(".")[0] for m in found["Glasses"].data.materials} == {"Frame", "Lenses"}
    assert alpha(path, found["Glasses"], "Lenses") == pytest.approx(0.08, abs=0.01)
    assert alpha(path, found["Glasses"], "Frame") == pytest.approx(1.0)
    frame = found["Glasses"].data.color_attributes[0].data
    reds = np.array([row.color[:3] for row in frame])
    assert (np.abs(reds - [0.5, 0.0, 0.0]).max(1) < 0.02).any()
    head_top = max((found["Head"].matrix_world @ v.co).z for v in found["Head"].data.vertices)
    cap = [(found["Headwear"].matrix_world @ v.co).z for v in found["Headwear"].data.vertices]
    assert max(cap) > head_top > min(cap)  # metres, on the head


def test_patterns_are_textures_that_repeat(tmp_path: Path) -> None:
    path = tmp_path / "ada.glb"
    settings = ExportSettings(textures=256, hair="none")
    export_head(path, HeadSource("ada", MODEL, HEAD, OUTFIT), settings)
    found = read(path)
    (material,) = found["Clothes"].data.materials
    (image,) = (n.image for n in material.node_tree.nodes if n.type == "TEX_IMAGE")
    pixels = np.array(image.pixels).reshape(*image.size, 4)
    assert len(np.unique((255 * pixels[..., 1]).round())) == 2
    uv = np.array([row.vector[:] for row in found["Clothes"].data.uv_layers[0].uv])
    assert np.ptp(uv[:, 1]) > 8.0  # stripes down the chest
    (skin,) = found["Bust"].data.materials
    assert any(n.type == "TEX_IMAGE" for n in skin.node_tree.nodes)


def parts(**changes: object) -> HeadParts:
    return head_parts(MODEL, HEAD, replace(BARE_MESH, **changes), OUTFIT)  # type: ignore[arg-type]


def test_the_pattern_needs_textures_and_plain_cloth_none() -> None:
    def textures(made: HeadParts) -> set[str]:
        return {look.texture for part in made.worn for look in part.looks}

    assert textures(parts()) == {""}
    assert textures(parts(textures=256)) == {"", "skin", CLOTH_TEXTURE}


def test_bones_move_what_is_worn() -> None:
    made = parts(armature=True)
    for part in made.worn:
        assert part.weights.shape == (len(part.vertices), len(made.rig.names))
        np.testing.assert_allclose(part.weights.sum(1), 1.0, atol=1e-6)
    glasses = next(part for part in made.worn if part.name == "Glasses")
    assert (glasses.weights[:, made.rig.names.index("head")] == 1.0).all()


def test_with_an_armature_all_is_at_rest() -> None:
    turned = HEAD.copy()
    column = MODEL.table.columns("pose")[0]
    turned[column] = 0.3
    first = head_parts(MODEL, turned, replace(BARE_MESH, armature=True), OUTFIT)
    second = head_parts(MODEL, at_rest(MODEL.table, turned), BARE_MESH, OUTFIT)
    for one, other in zip(first.worn, second.worn, strict=True):
        np.testing.assert_allclose(one.vertices, other.vertices, atol=1e-6)


def test_hair_lies_below_the_hat() -> None:
    loose = head_parts(MODEL, HEAD, replace(BARE_MESH, hair="ribbons")).hair
    laid = parts(hair="ribbons").hair
    assert loose is not None and laid is not None
    assert np.ptp(laid.vertices[:, 2]) < np.ptp(loose.vertices[:, 2])
