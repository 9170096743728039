# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of the parts that only some heads have: teeth, gums and lashes."""

from __future__ import annotations

import bpy
import numpy as np

from ...heads.surface import Cards, Surface
from . import materials
from .nodes import attribute, principled

_COVERAGE = "FaceGen Lashes"


def teeth_material() -> bpy.types.Material:
    """Enamel: the colour of each vertex, glossy, light goes a little into it."""
    return _moist("FaceGen Teeth", roughness=0.22, subsurface=0.15)


def gums_material() -> bpy.types.Material:
    """Gums and tongue: the colour of each vertex, wet."""
    return _moist("FaceGen Gums", roughness=0.32, subsurface=0.2)


def _moist(name: str, roughness: float, subsurface: float) -> bpy.types.Material:
    def build(tree: bpy.types.NodeTree) -> None:
        bsdf = principled(tree)
        colour = attribute(tree, materials.COLOUR).outputs["Color"]
        tree.links.new(colour, bsdf.inputs["Base Color"])
        bsdf.inputs["Roughness"].default_value = roughness
        bsdf.subsurface_method = "BURLEY"
        bsdf.inputs["Subsurface Weight"].default_value = subsurface
        bsdf.inputs["Subsurface Scale"].default_value = 0.001

    return materials.material(name, build)


def lash_material(surface: Surface) -> bpy.types.Material:
    """Hairs where the cards' picture has some, nothing between them."""
    assert surface.lashes is not None, "who has cards has their picture"
    cards = surface.lashes

    def build(tree: bpy.types.NodeTree) -> None:
        bsdf = principled(tree)
        colour = attribute(tree, materials.COLOUR).outputs["Color"]
        tree.links.new(colour, bsdf.inputs["Base Color"])
        bsdf.inputs["Roughness"].default_value = 0.6
        bsdf.inputs["Specular IOR Level"].default_value = 0.1
        tree.links.new(_coverage(tree, cards), bsdf.inputs["Alpha"])

    return materials.material("FaceGen Lashes", build)


def _coverage(tree: bpy.types.NodeTree, cards: Cards) -> bpy.types.NodeSocket:
    """How much of a point of the cards is hair."""
    low, high = cards.box
    size = high - low
    place = tree.nodes.new("ShaderNodeMapping")
    place.inputs["Location"].default_value = (*(-low / size), 0.0)
    place.inputs["Scale"].default_value = (*(1.0 / size), 1.0)
    tree.links.new(tree.nodes.new("ShaderNodeUVMap").outputs[0], place.inputs["Vector"])
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.name = _COVERAGE
    picture.image, picture.extension = _image(cards), "CLIP"
    tree.links.new(place.outputs[0], picture.inputs["Vector"])
    return picture.outputs["Color"]


def coverage_of(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The coverage in the material of cards."""
    return tree.nodes[_COVERAGE].outputs["Color"]


def _image(cards: Cards) -> bpy.types.Image:
    """The cards' picture, kept in the file that is saved."""
    image = bpy.data.images.get(_COVERAGE)
    if image is None:
        rows, columns = cards.coverage.shape
        image = bpy.data.images.new(_COVERAGE, columns, rows, is_data=True)
        grey = cards.coverage[::-1, :, None].astype(np.float32) / 255.0
        pixels = np.concatenate([np.repeat(grey, 3, axis=2), np.ones_like(grey)], axis=2)
        image.pixels.foreach_set(pixels.ravel())
        image.pack()
    return image
