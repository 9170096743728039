# SPDX-License-Identifier: GPL-3.0-or-later
"""The look of a head as textures, baked by Cycles from the materials that renders use.

So whatever a material comes to be, exports look like it: nothing here knows what skin or an iris
are made of, only which colour, roughness and normal reach the surface.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import bpy
import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32Array, FloatArray
from ...heads.appearance import Appearance
from ...heads.head_model import HeadModel
from ...heads.skin.colour import srgb_of_linear
from ...heads.surface import Surface
from ..head import materials
from ..head.head_object import new_mesh, write_look
from ..head.nodes import attribute
from ..head.slots import Slot, slot_of_polygons, slots_of

_LAYER = "FaceGen Bake"
_TARGET = "FaceGen Target"
_MARGIN = 8  # texels painted around islands, for filters and mipmaps
_BEHIND_CORNEAS = (("eye_left",), ("eye_right",))
"""Parts of slots of their own: the eye is painted on the cornea before it, as renders show it."""


@dataclass(frozen=True)
class BakedLook:
    """A head (P,) whose materials are to be baked, as it stands: vertices (V, 3) metres."""

    model: HeadModel
    parameters: Annotated[FloatArray, "P"]
    vertices: Annotated[Float32Array, "V 3"]
    appearance: Appearance


@dataclass(frozen=True)
class Textures:
    """Images of one kind of material: roughness and normal None where one value does for all;
    alpha: whether the colour's alpha says where something is."""

    colour: bpy.types.Image
    roughness: bpy.types.Image | None = None
    normal: bpy.types.Image | None = None
    alpha: bool = False


def kind_of_texture(slot: Slot) -> str:
    """The texture that a slot is painted on; none for eyeballs that lie behind corneas."""
    if slot.parts in _BEHIND_CORNEAS:
        return ""
    return {"eye": "eyes", "cards": "lashes"}.get(slot.kind, "skin")


def texture_uv(surface: Surface) -> Annotated[Float32Array, "F C 2"]:
    """Each polygon's corners (F, C, 2) in the texture of its kind.

    Skin, mouth and teeth lie as the model's layout has them; eyes and lashes fill textures of their
    own, which in the layout would have few texels.
    """
    uv = surface.polygon_uv.copy()
    kinds = _kinds_of_polygons(surface)
    eyes = kinds == "eyes"
    if eyes.any():
        corners = uv[eyes].reshape(-1, 2)
        low, size = corners.min(0), np.ptp(corners, axis=0)
        uv[eyes] = (uv[eyes] - low) / size * np.float32(0.98) + np.float32(0.01)
    if surface.lashes is not None:
        lashes, (low, high) = kinds == "lashes", surface.lashes.box
        uv[lashes] = (uv[lashes] - low) / (high - low)
    return uv


def _kinds_of_polygons(surface: Surface) -> NDArray[np.str_]:
    names = np.array([kind_of_texture(slot) for slot in slots_of(surface)])
    kinds: NDArray[np.str_] = names[slot_of_polygons(surface)]
    return kinds


def bake(look: BakedLook, size: int, scene: bpy.types.Scene) -> dict[str, Textures]:
    """Textures of ``size`` texels each way by kind, as new images of the file.

    ``scene`` is the window's and empty, and is left so.
    """
    surface = look.model.surface
    skin, eyes = _image("skin colour", size), _image("eyes colour", max(size // 2, 1))
    roughness = _image("skin roughness", size, data=True)
    normal = _image("skin normal", size, data=True)
    with _bakeable(look, scene) as mesh, _scratch() as scratch:
        _onto(mesh, surface, {"skin": normal}, scratch)
        _run_bake("NORMAL")
        for name, images in (
            ("Roughness", {"skin": roughness}),
            ("Base Color", {"skin": skin, "eyes": eyes}),
        ):
            _onto(mesh, surface, images, scratch)
            for material in mesh.materials:
                _emit(material.node_tree, name)
            _run_bake("EMIT")
    found = {"skin": Textures(skin, roughness, normal), "eyes": Textures(eyes)}
    if surface.lashes is not None:
        found["lashes"] = Textures(_lash_image(look), alpha=True)
    return found


def _onto(
    mesh: bpy.types.Mesh,
    surface: Surface,
    images: dict[str, bpy.types.Image],
    scratch: bpy.types.Image,
) -> None:
    """Have each material baked to the image of its kind, or to one that nobody needs."""
    for slot, material in zip(slots_of(surface), mesh.materials, strict=True):
        nodes = material.node_tree.nodes
        target = nodes.get(_TARGET) or nodes.new("ShaderNodeTexImage")
        target.name = _TARGET
        target.image = images.get(kind_of_texture(slot), scratch)
        nodes.active = target


def _emit(tree: bpy.types.NodeTree, name: str) -> None:
    """Have a material shine with what an input of its Principled shader gets.

    One without such a shader, as of clear parts that nobody bakes, with its vertices' colours.
    """
    light = tree.nodes.new("ShaderNodeEmission")
    shader = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    source = None if shader is None else shader.inputs[name]
    if source is None:
        colour = attribute(tree, materials.COLOUR)
        tree.links.new(colour.outputs["Color"], light.inputs["Color"])
    elif source.links:
        tree.links.new(source.links[0].from_socket, light.inputs["Color"])
    else:
        value = source.default_value
        rgb = [value] * 3 if isinstance(value, float) else value[:3]
        light.inputs["Color"].default_value = (*rgb, 1.0)
    for output in (node for node in tree.nodes if node.type == "OUTPUT_MATERIAL"):
        tree.links.new(light.outputs[0], output.inputs["Surface"])


def _run_bake(kind: str) -> None:
    bpy.ops.object.bake(type=kind, margin=_MARGIN, margin_type="EXTEND", use_clear=False)


@contextmanager
def _scratch() -> Iterator[bpy.types.Image]:
    """An image for what is baked in passing."""
    image = _image("scratch", 8)
    try:
        yield image
    finally:
        bpy.data.images.remove(image)


def _image(name: str, size: int, data: bool = False) -> bpy.types.Image:
    image = bpy.data.images.new(f"FaceGen {name}", size, size, alpha=False, is_data=data)
    if data:
        image.generated_color = (0.5, 0.5, 1.0, 1.0) if "normal" in name else (0.5, 0.5, 0.5, 1.0)
    return image


def _lash_image(look: BakedLook) -> bpy.types.Image:
    """The lashes' colour where their cards have hairs, clear between them."""
    surface = look.model.surface
    assert surface.lashes is not None, "asked for cards only"
    coverage = surface.lashes.coverage[::-1].astype(np.float32) / 255.0
    of_lashes = look.appearance.vertex_colour[surface.vertices_of("lashes")].mean(0)
    return colour_image("lashes colour", np.broadcast_to(of_lashes, (*coverage.shape, 3)), coverage)


def colour_image(
    name: str,
    light: Annotated[Float32Array, "H W 3"],
    alpha: Annotated[Float32Array, "H W"],
) -> bpy.types.Image:
    """A new image of linear RGB (H, W, 3) and alpha (H, W), the lowest row first."""
    rows, columns = alpha.shape
    image = bpy.data.images.new(f"FaceGen {name}", columns, rows, alpha=True)
    image.alpha_mode = "CHANNEL_PACKED"  # the colour goes on where nothing is seen of it
    codes = srgb_of_linear(light)
    image.pixels.foreach_set(np.concatenate([codes, alpha[..., None]], 2, dtype=np.float32).ravel())
    return image


@contextmanager
def _bakeable(look: BakedLook, scene: bpy.types.Scene) -> Iterator[bpy.types.Mesh]:
    """The head as renders have it, active in the scene, with materials that may be changed."""
    with _without_leftovers():
        mesh = new_mesh(look.model)
        mesh_object = bpy.data.objects.new("FaceGen Bake", mesh)
        mesh.attributes["position"].data.foreach_set("vector", look.vertices.ravel())
        write_look(mesh, look.model, look.appearance, look.parameters)
        target = mesh.uv_layers.new(name=_LAYER)
        target.uv.foreach_set("vector", texture_uv(look.model.surface).ravel())
        mesh.uv_layers[0].active_render = True  # where materials look up their own images
        mesh.uv_layers.active = mesh.uv_layers[_LAYER]  # where they are baked to
        for slot, material in enumerate(list(mesh.materials)):
            mesh.materials[slot] = material.copy()
        mesh.update()
        scene.collection.objects.link(mesh_object)
        view_layer = scene.view_layers[0]
        view_layer.objects.active = mesh_object
        mesh_object.select_set(True, view_layer=view_layer)
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.device = 1, "CPU"
        yield mesh


@contextmanager
def _without_leftovers() -> Iterator[None]:
    """Remove the objects, meshes, materials and their images that were added meanwhile."""
    kinds = (bpy.data.objects, bpy.data.meshes, bpy.data.materials, bpy.data.images)
    before = [set(blocks) for blocks in kinds]
    try:
        yield
    finally:
        added = [b for blocks, old in zip(kinds, before, strict=True) for b in set(blocks) - old]
        bpy.data.batch_remove(added)
