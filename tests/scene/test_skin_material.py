"""The material of skin in texture space, in a real bpy."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.skin.colour import linear_of_srgb
from facegen_addon.heads.skin.fine_maps import FineMaps
from facegen_addon.heads.skin.parameters import skin_parameters
from facegen_addon.heads.skin.points import SkinPoints
from facegen_addon.heads.skin.textures import (
    DEPTHS,
    FINE_RANGE,
    LINE_SHADE,
    MARK_COLOURS,
    STUBBLE_SHADE,
    FineWeights,
    stubble_weight,
)
from facegen_addon.scene.head import materials, skin_material
from facegen_addon.scene.render.studio import pixels

SIZE = 16
COLOUR = np.array([0.32, 0.24, 0.18])
VALUES = {p.name: p.mean for p in skin_parameters()} | {
    "skin_age": 0.9,
    "skin_femininity": 0.9,
    "skin_lines": 0.8,
    "skin_freckles": 0.6,
    "skin_spots": 0.6,
    "skin_moles": 1.0,
    "beard_shadow": 0.7,
    "skin_pattern": 0.3,
}


@pytest.fixture
def maps(rng: np.random.Generator) -> FineMaps:
    """Maps in which every texel differs."""
    colour, relief, marks = rng.random((3, SIZE, SIZE, 4)).astype(np.float32)
    marks[..., 2] = rng.integers(0, 3, (SIZE, SIZE)) / 2.0
    marks[..., 3] = 1.0
    return FineMaps(colour, relief, marks)


def _points(count: int) -> SkinPoints:
    """Points on a chin, where men shave."""
    return SkinPoints([np.tile([0.93, 0.44], (count, 1))])


def _square(material: bpy.types.Material, points: SkinPoints) -> bpy.types.Object:
    """A square of one metre before the camera, its texture coordinates from corner to corner."""
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    mesh = bpy.data.meshes.new("Square")
    mesh.from_pydata([(x - 0.5, y - 0.5, 0.0) for x, y in corners], [], [(0, 1, 2, 3)])
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", np.ravel(corners).astype(np.float32))
    colour = mesh.attributes.new(materials.COLOUR, "FLOAT_COLOR", "POINT")
    colour.data.foreach_set("color", np.tile([*COLOUR, 1.0], 4).astype(np.float32))
    mesh.attributes.new(materials.ROUGHNESS, "FLOAT", "POINT")
    skin_material.add_fine_attributes(mesh)
    skin_material.write_fine(mesh, points, VALUES)
    mesh.materials.append(material)
    square = bpy.data.objects.new("Square", mesh)
    bpy.context.scene.collection.objects.link(square)
    return square


def _show_base_colour(material: bpy.types.Material) -> None:
    """Have the material shine in its base colour, whatever the light; texels as they are."""
    tree = material.node_tree
    bsdf = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    shine = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(bsdf.inputs["Base Color"].links[0].from_socket, shine.inputs["Color"])
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    tree.links.new(shine.outputs[0], output.inputs["Surface"])
    for node in tree.nodes:
        if node.type == "TEX_IMAGE":
            node.interpolation = "Closest"


def _rendered(path: str) -> np.ndarray:
    """What a camera sees in the middle of the square's texels: linear RGB (S, S, 3)."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale, camera.location = "ORTHO", 1.0, (0, 0, 1)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.render.resolution_x = scene.render.resolution_y = 5 * SIZE
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    return linear_of_srgb(pixels(bpy.data.images.load(path))[2::5, 2::5] / 255.0)


def test_the_shader_makes_of_the_maps_what_numpy_makes(maps: FineMaps, tmp_path: Path) -> None:
    points, fine = _points(4), FineWeights.of(VALUES)
    material = skin_material.mapped_skin_material("Skin", lambda: maps)
    _square(material, points)
    _show_base_colour(material)
    seen = _rendered(str(tmp_path / "square.png"))

    light = (maps.colour - 0.5) * 2.0 * FINE_RANGE @ [1.0, *fine.components]
    light += LINE_SHADE * fine.depths[0] * (maps.relief[..., 0] - 1.0)
    stubble = stubble_weight(points, VALUES)[0]
    assert stubble > 0.3
    light -= STUBBLE_SHADE * stubble * maps.relief[..., 3]
    kind = np.rint(maps.marks[..., 2] * 2.0).astype(int)
    turn = (maps.marks[..., 1] + fine.pattern) % 1.0
    t = np.clip((1.0 - turn / fine.shares[kind]) / 0.5, 0.0, 1.0)
    strength = fine.fade * maps.marks[..., 0] * t * t * (3.0 - 2.0 * t)
    marked = 1.0 + strength[..., None] * (MARK_COLOURS[kind] - 1.0)
    made = COLOUR * np.exp(light)[..., None] * marked
    # Images have 8 bits a channel; the darkest weigh most in the logarithm of light.
    assert np.quantile(np.abs(seen - made), 0.95) < 0.012
    assert made.std() > 0.05


def test_heads_share_one_material_and_its_images(maps: FineMaps) -> None:
    first = skin_material.fine_images("Skin", maps)
    material = skin_material.mapped_skin_material("Skin", lambda: maps)
    again = skin_material.fine_images("Skin", maps)
    assert again == first
    assert skin_material.mapped_skin_material("Skin", lambda: maps) == material
    assert all(image.packed_file for image in first.values())
    assert len(bpy.data.images) == 3


def test_heads_of_one_material_have_skins_of_their_own(maps: FineMaps) -> None:
    points = _points(4)
    material = skin_material.mapped_skin_material("Skin", lambda: maps)
    one, other = (_square(material, points).data for _ in range(2))
    skin_material.write_fine(other, points, {**VALUES, "skin_lines": 0.0, "beard_shadow": 0.0})

    def vector(mesh: bpy.types.Mesh, name: str) -> np.ndarray:
        values = np.empty(12, np.float32)
        mesh.attributes[name].data.foreach_get("vector", values)
        return values.reshape(4, 3)

    np.testing.assert_allclose(
        vector(one, skin_material.RELIEF)[:, 0],
        FineWeights.of(VALUES).depths[0] * DEPTHS["lines"],
        rtol=1e-6,
    )
    assert (vector(other, skin_material.RELIEF)[:, 0] == 0.0).all()
    assert vector(one, skin_material.PATTERN)[:, 2].min() > 0.3
    assert (vector(other, skin_material.PATTERN)[:, 2] == 0.0).all()
