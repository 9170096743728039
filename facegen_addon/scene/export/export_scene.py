# SPDX-License-Identifier: GPL-3.0-or-later
"""A temporary scene that holds one head as exporters understand it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import bpy
import numpy as np
from mathutils import Matrix

from ...arrays import Int32Array, IntArray
from ..head.nodes import nodes_of, principled
from ..head.objects import add_subdivision
from .armature import bind, follow, new_armature
from .bake import Textures
from .moving_parts import moving_parts
from .part import Look, Part, ShapeKeys
from .parts import HeadParts

BakeTextures = Callable[[bpy.types.Scene], dict[str, Textures]]
"""Makes the textures by kind, in the scene, which is empty then and afterwards."""

COLOUR = "Color"
"""Name of the colour attribute, the one that other programs know."""


@contextmanager
def export_scene(
    name: str,
    parts: HeadParts,
    armature: bool,
    subdivision: int,
    bake: BakeTextures,
    scale: float = 1.0,
) -> Iterator[None]:
    """Show the parts in the window, alone; afterwards all is as it was before.

    scale: by which lengths are multiplied, the scene's unit being as much smaller.
    """
    window = bpy.context.window or bpy.context.window_manager.windows[0]
    before, layer = window.scene, window.view_layer
    scene = bpy.data.scenes.new("FaceGen Export")
    with _without_new_images():
        try:
            window.scene = scene
            _build(name, parts, armature, subdivision, scene, bake(scene))
            if scale != 1.0:
                _scale(scene, scale)
            yield
        finally:
            window.scene = before
            window.view_layer = layer  # a scene begins with its first one
            _remove(scene)


@contextmanager
def _without_new_images() -> Iterator[None]:
    before = set(bpy.data.images)
    try:
        yield
    finally:
        bpy.data.batch_remove([image for image in bpy.data.images if image not in before])


def _scale(scene: bpy.types.Scene, scale: float) -> None:
    """Make meshes, keys and bones larger and the unit of lengths smaller: objects keep scale 1."""
    larger = Matrix.Scale(scale, 4)
    for item in scene.objects:
        if item.type == "MESH":
            item.data.transform(larger, shape_keys=True)
        else:
            item.data.transform(larger)
    scene.unit_settings.system = "METRIC"
    scene.unit_settings.scale_length = 1.0 / scale
    scene.view_layers[0].update()


def _remove(scene: bpy.types.Scene) -> None:
    """Remove a scene with all that it alone uses."""
    objects = list(scene.collection.all_objects)
    data = [o.data for o in objects]
    materials = {m for d in data if isinstance(d, bpy.types.Mesh) for m in d.materials}
    bpy.data.batch_remove([*objects, *data, *materials, scene])


def _build(
    name: str,
    parts: HeadParts,
    armature: bool,
    subdivision: int,
    scene: bpy.types.Scene,
    textures: dict[str, Textures],
) -> None:
    others = [part for part in (parts.hair, *parts.worn) if part is not None]
    found = [*moving_parts(parts.head), *others]
    objects = [_new_object(f"{name} {part.name}", part, scene, textures) for part in found]
    if armature:
        for mesh_object, part in zip(objects, found, strict=True):
            bind(mesh_object, parts.rig.names, part.weights)
    if subdivision:
        _subdivide(objects[0], subdivision)
    if armature:
        rig = new_armature(parts.rig, scene, f"{name} Rig")
        for mesh_object in objects:
            follow(mesh_object, rig)
    scene.view_layers[0].update()


def _new_object(
    name: str, part: Part, scene: bpy.types.Scene, textures: dict[str, Textures]
) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh_object = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(mesh_object)
    mesh.from_pydata(part.vertices.tolist(), [], part.faces.tolist())
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", part.uv.ravel())
    if not all(look.texture for look in part.looks):
        _add_colours(mesh, part)  # beside a texture, glTF would multiply it by them
    for look in part.looks:
        mesh.materials.append(_new_material(look, textures.get(look.texture)))
    mesh.polygons.foreach_set("material_index", part.look_of_face)
    mesh.shade_smooth()
    if len(part.sharp):
        _sharpen(mesh, part.sharp)
    mesh.update()
    if part.keys is not None:
        _add_keys(mesh_object, part, part.keys)
    return mesh_object


def _sharpen(mesh: bpy.types.Mesh, edges: Annotated[Int32Array, "E 2"]) -> None:
    """Have edges (E, 2) look sharp, and keep them so when the mesh is subdivided."""
    ends = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", ends)
    sharp = np.isin(_numbers(ends.reshape(-1, 2)), _numbers(edges))
    for name, kind in (("sharp_edge", "BOOLEAN"), ("crease_edge", "FLOAT")):
        mesh.attributes.new(name, kind, "EDGE").data.foreach_set("value", sharp)


def _numbers(edges: Annotated[Int32Array, "E 2"]) -> Annotated[IntArray, "E"]:
    """A number (E,) for each edge (E, 2), whichever of its ends is the first."""
    low, high = np.sort(edges, axis=1).astype(np.int64).T
    numbers: IntArray = (low << 32) + high
    return numbers


def _add_colours(mesh: bpy.types.Mesh, part: Part) -> None:
    mesh.attributes.new(COLOUR, "FLOAT_COLOR", "POINT").data.foreach_set(
        "color", part.colour.ravel().astype(np.float32)
    )
    mesh.attributes.active_color_name = COLOUR
    mesh.attributes.render_color_index = mesh.color_attributes.find(COLOUR)


def _new_material(look: Look, textures: Textures | None) -> bpy.types.Material:
    """A Principled material that all formats have a place for, coloured by textures or vertices."""
    material = bpy.data.materials.new(look.name)
    tree = nodes_of(material)
    bsdf = principled(tree)
    bsdf.inputs["Base Color"].default_value = (*look.colour, 1.0)
    bsdf.inputs["Roughness"].default_value = look.roughness
    bsdf.inputs["Specular IOR Level"].default_value = look.specular
    bsdf.inputs["Alpha"].default_value = look.alpha
    if textures is not None:
        _add_textures(tree, bsdf.inputs, textures)
        return material
    if look.alpha < 1.0:  # readers of glTF would take the alpha of vertices for it
        return material
    colour = tree.nodes.new("ShaderNodeVertexColor")
    colour.layer_name = COLOUR
    tree.links.new(colour.outputs["Color"], bsdf.inputs["Base Color"])
    return material


def _add_textures(
    tree: bpy.types.NodeTree, inputs: bpy.types.NodeInputs, textures: Textures
) -> None:
    colour = _image_node(tree, textures.colour)
    tree.links.new(colour.outputs["Color"], inputs["Base Color"])
    if textures.alpha:
        tree.links.new(colour.outputs["Alpha"], inputs["Alpha"])
    if textures.roughness is not None:
        rough = _image_node(tree, textures.roughness)
        tree.links.new(rough.outputs["Color"], inputs["Roughness"])
    if textures.normal is not None:
        normal = tree.nodes.new("ShaderNodeNormalMap")
        picture = _image_node(tree, textures.normal)
        tree.links.new(picture.outputs["Color"], normal.inputs["Color"])
        tree.links.new(normal.outputs["Normal"], inputs["Normal"])


def _image_node(tree: bpy.types.NodeTree, image: bpy.types.Image) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node


def _add_keys(mesh_object: bpy.types.Object, part: Part, keys: ShapeKeys) -> None:
    mesh_object.shape_key_add(name="Basis", from_mix=False)
    rows = zip(keys.names, keys.offsets, keys.values, keys.lowest, strict=True)
    for name, offset, value, lowest in rows:
        key = mesh_object.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", (part.vertices + offset).ravel())
        key.slider_min, key.value = lowest, value


def _subdivide(mesh_object: bpy.types.Object, levels: int) -> None:
    """Replace the mesh by itself, subdivided; its vertex groups are kept."""
    add_subdivision(mesh_object, levels)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    coarse = mesh_object.data
    name = coarse.name
    mesh_object.data = bpy.data.meshes.new_from_object(
        mesh_object.evaluated_get(depsgraph), preserve_all_data_layers=True, depsgraph=depsgraph
    )
    mesh_object.modifiers.clear()
    bpy.data.meshes.remove(coarse)
    mesh_object.data.name = name
