# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported heads look like the render: each file is read into an empty scene and rendered."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.levels_of_detail import SHARES
from facegen_addon.heads.surface import open_loops
from facegen_addon.heads.wear.neck import neck_rings
from facegen_addon.scene.export.files import HeadSource, export_head, export_heads
from facegen_addon.scene.export.parts import ExportSettings, head_parts
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.nodes import nodes_of
from tests.scene.exported_files import read_alone

SIZE = 160
SPAN = 0.15  # metres that the picture shows
LOOK = ExportSettings(textures=512, hair="none")
QUICK = ExportSettings(textures=256, hair_triangles=2000)
FORMATS = ("glb", "fbx", "obj")
REGIONS = ("cheeks", "lips", "iris", "white")
CLOSE = 0.08  # of the whole range of sRGB, in every channel


def _parameters(model: HeadModel) -> np.ndarray:
    """A head with blue eyes and red lips, without hair."""
    parameters = model.table.default().copy()
    wanted = {"iris_melanin": 0.0, "lip_colour": 0.9, "hair_density": 0.0, "brow_density": 0.0}
    for name, value in (wanted | {"eyeWideLeft": 1.0, "eyeWideRight": 1.0}).items():
        parameters[model.table.index(name)] = value
    return parameters


def _source(name: str) -> HeadSource:
    model = load_head_model(name)
    return HeadSource("Ada", model, _parameters(model))


def _render(centre: np.ndarray, folder: Path, tilt: float = 0.0) -> np.ndarray:
    """What is at ``centre`` under light from everywhere, seen from ``tilt`` radians below.

    (SIZE, SIZE, 3) in [0, 1], sRGB, the low row first.
    """
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 8, "CPU"
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("White")
    nodes_of(scene.world).nodes["Background"].inputs["Color"].default_value = (0.8, 0.8, 0.8, 1.0)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", SPAN
    camera.location = centre - np.array([0.0, np.cos(tilt), np.sin(tilt)])
    camera.rotation_euler = (np.pi / 2.0 + tilt, 0.0, 0.0)
    scene.render.filepath = str(folder / "face.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(4 * SIZE * SIZE, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(SIZE, SIZE, 4)[..., :3]


def _places(model: HeadModel, vertices: np.ndarray) -> dict[str, np.ndarray]:
    """Where each of REGIONS is seen, metres."""
    masks, eye = model.surface.masks, model.surface.vertices_of("eye_left")
    left = vertices[:, 0] > 0  # the subject's
    lips = vertices[(masks["lips"] > 0.9) & (np.abs(vertices[:, 0]) < 0.01)]
    ball = vertices[eye]
    pupil = (ball.min(0) + ball.max(0)) / 2.0
    radius = np.ptp(ball[:, 0]) / 2.0
    return {
        "cheeks": vertices[(masks["cheeks"] > 0.9) & left].mean(0),
        "lips": lips[lips[:, 2] < np.median(lips[:, 2])].mean(0),
        "iris": pupil + np.array([0.29 * radius, 0.0, 0.0]),
        "white": pupil - np.array([0.53 * radius, 0.0, 0.0]),
    }


def _colours(image: np.ndarray, places: dict[str, np.ndarray], centre: np.ndarray) -> np.ndarray:
    """The mean colour (4, 3) around each place."""
    found = []
    for name in REGIONS:
        at = (places[name] - centre)[[0, 2]] / SPAN * SIZE + SIZE / 2
        x, y = np.round(at - 0.5).astype(int)
        reach = 4 if name == "cheeks" else 1
        found.append(image[y - reach : y + reach + 1, x - reach : x + reach + 1].mean((0, 1)))
    return np.array(found)


@pytest.mark.parametrize("model_name", ["person", "open_person", "anny"])
def test_every_format_looks_like_the_render(tmp_path: Path, model_name: str) -> None:
    source = _source(model_name)
    vertices = source.model.forward(source.parameters)[0]
    places = _places(source.model, vertices)
    centre = np.mean(list(places.values()), axis=0)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    head = HeadObject.create(source.model, bpy.context.collection, subdivision=0)
    head.set_parameters(source.parameters)
    bpy.data.objects.remove(head.hair_object)
    image = _render(centre, tmp_path)
    expected = _colours(image, places, centre)
    for suffix in FORMATS:
        done = export_head(tmp_path / suffix / f"ada.{suffix}", source, LOOK)
        read_alone(done.path)
        found = _colours(_render(centre, tmp_path), places, centre)
        for name, colour, wanted in zip(REGIONS, found, expected, strict=True):
            assert np.abs(colour - wanted).max() < CLOSE, (suffix, name, colour, wanted)
    # What the test is about: these are four colours, not one.
    skin, lips, iris, white = expected
    assert lips[0] - lips[1] > skin[0] - skin[1] + 0.02
    assert iris[2] - iris[0] > skin[2] - skin[0] + 0.1 and white[2] > skin[2] + 0.04


def _gltf(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    return json.loads(data[20 : 20 + length])


def test_gltf_holds_its_textures(tmp_path: Path) -> None:
    model = load_head_model("person")
    source = HeadSource("Ada", model, model.table.default())
    blocks = [len(kind) for kind in (bpy.data.images, bpy.data.materials, bpy.data.meshes)]
    done = export_head(tmp_path / "ada.glb", source, QUICK)
    assert [len(kind) for kind in (bpy.data.images, bpy.data.materials, bpy.data.meshes)] == blocks
    assert [file.name for file in tmp_path.iterdir()] == ["ada.glb"]
    assert 0 < done.hair_triangles <= 2000 and done.notes == ()
    content = _gltf(done.path)
    assert all("bufferView" in image for image in content["images"])
    materials = {material["name"]: material for material in content["materials"]}
    skin = materials["Skin"]
    assert {"baseColorTexture", "metallicRoughnessTexture"} <= skin["pbrMetallicRoughness"].keys()
    assert "normalTexture" in skin
    for name in ("Lashes", "Hair"):
        assert materials[name]["alphaMode"] in ("BLEND", "MASK")
    for name in ("Corneas", "Teeth", "Gums", "Tongue"):
        assert "baseColorTexture" in materials[name]["pbrMetallicRoughness"]
    # Colours of vertices would be multiplied with the textures.
    primitives = [p for mesh in content["meshes"] for p in mesh["primitives"]]
    assert not any("COLOR_0" in primitive["attributes"] for primitive in primitives)


def test_shape_keys_are_small_in_gltf(tmp_path: Path) -> None:
    """67 keys of a head with cards: only what they move is stored, normals included."""
    model = load_head_model("person")
    source = HeadSource("Ada", model, model.table.default())
    done = export_head(tmp_path / "ada.glb", source, ExportSettings(shape_keys=True, textures=256))
    assert done.hair_triangles > 5000
    assert done.path.stat().st_size < 6.5e6
    content = _gltf(done.path)
    keys = {m["name"].split()[-1]: m["extras"]["targetNames"] for m in content["meshes"]}
    assert keys.keys() == {"Head", "Corneas", "Teeth", "Gums", "Tongue", "Lashes", "Hair"}
    assert len({name for names in keys.values() for name in names}) == 52 + 15
    assert keys["Tongue"] != keys["Head"] and "tongueOut" not in keys["Head"]
    for part in ("Corneas", "Teeth", "Gums", "Tongue"):
        assert len([name for name in keys[part] if not name.startswith("viseme_")]) <= 8
    assert "eyeBlinkLeft" in keys["Lashes"] and "jawOpen" not in keys["Corneas"]


@pytest.mark.parametrize("suffix", ["fbx", "obj"])
def test_textures_lie_beside_the_file(tmp_path: Path, suffix: str) -> None:
    source = _source("anny")
    export_head(tmp_path / f"ada.{suffix}", source, QUICK)
    names = {file.name for file in tmp_path.iterdir()}
    pictures = {"ada_skin_colour.png", "ada_skin_roughness.png", "ada_skin_normal.png"}
    pictures |= {"ada_eyes_colour.png"}
    assert names - {"ada.mtl", f"ada.{suffix}", "ada_hair_colour.png"} == pictures
    read_alone(tmp_path / f"ada.{suffix}")
    found = {Path(bpy.path.abspath(image.filepath)) for image in bpy.data.images if image.filepath}
    assert tmp_path / "ada_skin_colour.png" in found
    assert all(path.exists() for path in found)
    if suffix == "obj":  # relative: the folder may be moved
        assert str(tmp_path) not in (tmp_path / "ada.mtl").read_text()


def test_textures_are_replaced_only_when_allowed(tmp_path: Path) -> None:
    (tmp_path / "Ada_skin_colour.png").write_text("mine")
    with pytest.raises(UserError, match=r"Ada_skin_colour\.png is there already; allow replacing"):
        list(export_heads(tmp_path, [_source("anny")], "obj", QUICK, replace=False))
    assert [file.name for file in tmp_path.iterdir()] == ["Ada_skin_colour.png"]
    assert (tmp_path / "Ada_skin_colour.png").read_text() == "mine"


@pytest.mark.parametrize("lod", [1, 3])
def test_levels_keep_keys_and_weights(tmp_path: Path, lod: int) -> None:
    source = _source("person")
    settings = ExportSettings(shape_keys=True, armature=True, hair="none", textures=0, lod=lod)
    done = export_head(tmp_path / "ada.fbx", source, settings)
    whole = len(source.model.surface.faces)
    assert done.triangles <= SHARES[lod] * whole
    read_alone(done.path)
    meshes = [o.data for o in bpy.data.objects if o.type == "MESH"]
    assert sum(len(mesh.polygons) for mesh in meshes) == done.triangles
    assert len({key.name for mesh in meshes for key in mesh.shape_keys.key_blocks[1:]}) == 52 + 15
    vertices = [vertex for mesh in meshes for vertex in mesh.vertices]
    sums = [sum(group.weight for group in vertex.groups) for vertex in vertices]
    np.testing.assert_allclose(sums, 1.0, atol=1e-4)


NECK = ExportSettings(textures=0, hair="none", neck="closed")
MOVING = replace(NECK, shape_keys=True, armature=True)


def _grown(seed: int) -> HeadSource:
    """A person of the prior, who turns, nods and smiles."""
    model = load_head_model("person")
    parameters = model.sample_prior(np.random.default_rng(seed), 1)[0]
    for name in ("neck_x", "neck_y", "head_z", "mouthSmileLeft", "jawOpen"):
        parameters[model.table.index(name)] = 0.3
    return HeadSource("Ada", model, parameters)


def _corners() -> tuple[np.ndarray, np.ndarray]:
    """Places and normals (N, 3) of all corners of the meshes in the scene, as they look."""
    graph, places, normals = bpy.context.evaluated_depsgraph_get(), [], []
    for found in bpy.context.scene.objects:
        if found.type == "MESH" and "Icosphere" not in found.name:
            seen = found.evaluated_get(graph)
            matrix = np.array(seen.matrix_world)[:3]
            for loop, normal in zip(seen.data.loops, seen.data.corner_normals, strict=True):
                places.append(
                    matrix[:, :3] @ seen.data.vertices[loop.vertex_index].co + matrix[:, 3]
                )
                turned = matrix[:, :3] @ normal.vector
                normals.append(turned / np.linalg.norm(turned))
    return np.array(places), np.array(normals)


@pytest.mark.parametrize("suffix", FORMATS)
def test_skin_is_lit_alike_above_a_closed_neck(tmp_path: Path, suffix: str) -> None:
    """Read into an empty file, the edge's normals are those of the open neck: no dark seam."""
    source = _grown(5)
    settings = NECK if suffix == "obj" else MOVING
    vertices = source.model.forward(source.parameters)[0]
    edge = vertices[neck_rings(source.model).vertices[0]]
    read_alone(
        export_head(tmp_path / f"open.{suffix}", source, replace(settings, neck="open")).path
    )
    places, normals = _corners()
    read_alone(export_head(tmp_path / f"closed.{suffix}", source, settings).path)
    closed_places, closed_normals = _corners()
    for place in edge:
        wanted = normals[np.linalg.norm(places - place, axis=1) < 1e-4]
        found = closed_normals[np.linalg.norm(closed_places - place, axis=1) < 1e-4]
        assert len(wanted) >= 1 and len(found) > len(wanted) - (suffix == "glb")
        for normal in wanted:
            assert np.linalg.norm(found - normal, axis=1).min() < 0.01
        assert found[:, 2].min() < -0.5  # and of what closes it, which looks down


def test_a_closed_neck_has_no_dark_seam(tmp_path: Path) -> None:
    source = _source("person")
    vertices = source.model.forward(source.parameters)[0]
    edge = vertices[neck_rings(source.model).vertices[0]]
    front = edge[edge[:, 1].argmin()]
    pictures = []
    for neck in ("open", "closed"):
        path = tmp_path / f"{neck}.glb"
        read_alone(export_head(path, source, replace(LOOK, textures=256, neck=neck)).path)
        pictures.append(_render(front, tmp_path, tilt=1.0))
    opened, closed = (image[:, SIZE // 2 - 10 : SIZE // 2 + 10].mean((1, 2)) for image in pictures)
    edge_row = SIZE // 2
    skin = slice(edge_row + 3, edge_row + 40)
    assert np.abs(opened[skin] - closed[skin]).max() < CLOSE
    seen = closed[edge_row - 40 : edge_row + 40]  # on both sides of the edge
    assert np.abs(np.diff(seen)).max() < CLOSE
    assert seen.min() > 0.85 * closed[skin].mean()
    assert opened[edge_row - 40 : edge_row].min() < 0.5 * opened[skin].mean()  # a dark hole


def test_subdivision_leaves_a_closed_edge_where_it_is(tmp_path: Path) -> None:
    """It is a crease: else the neck would be drawn in and rounded at its end."""
    source = _grown(5)
    found = []
    for neck in ("open", "closed"):
        settings = replace(NECK, neck=neck, subdivision=1)
        read_alone(export_head(tmp_path / f"{neck}.obj", source, settings).path)
        (mesh,) = (o.data for o in bpy.context.scene.objects)
        places = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", places)
        found.append(places.reshape(-1, 3))
    opened, closed = found
    assert len(opened) < len(closed)
    near = opened[opened[:, 1].argsort()[:200]]  # Y is up in the file: the neck's lower end
    gap = np.linalg.norm(near[:, None] - closed[None], axis=2).min(1)
    assert gap.max() < 1e-5


@pytest.mark.parametrize("settings", [NECK, MOVING, replace(MOVING, lod=1), replace(NECK, lod=3)])
def test_a_closed_neck_moves_in_one_piece(settings: ExportSettings) -> None:
    source = _grown(6)
    parts = head_parts(source.model, source.parameters, settings)
    head = parts.head
    opened = head_parts(source.model, source.parameters, replace(settings, neck="open")).head
    assert len(open_loops(head.faces)) == len(open_loops(opened.faces)) - 1
    np.testing.assert_allclose(head.weights.sum(1), 1.0)
    assert ((head.weights > 0.0).sum(1) <= 4).all()
    assert (head.vertices[: len(opened.vertices)] == opened.vertices).all()
    if head.keys is not None and opened.keys is not None:
        assert (head.keys.offsets[:, : len(opened.vertices)] == opened.keys.offsets).all()
        assert np.isfinite(head.keys.offsets).all()


@pytest.mark.parametrize("posed", [True, False])
def test_all_necks_fit_one_body(posed: bool) -> None:
    """Places and normals of the edge are the same, whoever it is and whatever the neck does."""
    settings = replace(MOVING if posed else NECK, neck="same-edge")
    model = load_head_model("person")
    mean = model.forward(model.table.default())[0]
    rings = neck_rings(model).vertices[:2]
    for seed in range(4):
        source = _grown(seed)
        parts = head_parts(source.model, source.parameters, settings)
        shape = parts.head.vertices
        if posed:
            assert parts.head.keys is not None
            keys = parts.head.keys
            rig = replace(parts.rig, weights=parts.head.weights)
            shape = rig.posed(shape + np.tensordot(keys.values, keys.offsets, 1))
        gap = np.linalg.norm(shape[None] - mean[rings].reshape(-1, 1, 3), axis=2).min(1)
        assert gap.max() < 1e-6
