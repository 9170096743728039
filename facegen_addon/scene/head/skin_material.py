# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin in texture space as a material that all heads of a model share.

Each head has the colours of its vertices, and a few numbers that say how much there is of what
is finer: lines, pores, freckles. That is drawn from images which never change, so that a slider
writes no texture, and a scene of hundreds of heads holds no more of them than one.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from ...arrays import Float32Array, FloatArray
from ...heads.skin.fine_maps import FineMaps
from ...heads.skin.points import SkinPoints, Values
from ...heads.skin.textures import (
    DEPTHS,
    FINE_RANGE,
    LINE_SHADE,
    MARK_COLOURS,
    STUBBLE_SHADE,
    FineWeights,
    stubble_weight,
)
from .materials import COLOUR, ROUGHNESS, material
from .nodes import attribute, between, dot, math, multiply_add, parts, principled, scaled, vector

FINE, RELIEF, MARKS, PATTERN = (
    f"facegen_skin_{name}" for name in ("fine", "relief", "marks", "pattern")
)
"""Attributes of vertices: how much there is of the components, layers of relief and kinds of
marks; pattern, fade and stubble."""


_ASLANT, _DULL = (0.10, 0.65, 0.42, 0.0), (0.62, 0.78, 1.0, 0.6)
"""Where skin ceases to mirror, chosen by eye: one minus the cosine between skin and view where its
specular level begins and ends to fade, and the levels there; the same of roughness, as a factor."""

FINE_ATTRIBUTES = (FINE, RELIEF, MARKS, PATTERN)


def add_fine_attributes(mesh: bpy.types.Mesh) -> None:
    """Give a mesh what ``write_fine`` writes."""
    for name in FINE_ATTRIBUTES:
        mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")


def write_fine(mesh: bpy.types.Mesh, points: SkinPoints, values: Values) -> None:
    """Have a mesh's fine detail be that of these parameters; points: the mesh's vertices."""
    weights, count = FineWeights.of(values), len(mesh.vertices)
    metres = weights.depths * list(DEPTHS.values())
    for name, row in ((FINE, weights.components), (RELIEF, metres), (MARKS, weights.shares)):
        _write(mesh, name, np.broadcast_to(row, (count, 3)))
    rest = np.empty((count, 3))
    rest[:, 0], rest[:, 1] = weights.pattern, weights.fade
    rest[:, 2] = stubble_weight(points, values)
    _write(mesh, PATTERN, rest)


def _write(mesh: bpy.types.Mesh, name: str, rows: FloatArray) -> None:
    # The same all over, but kept on the mesh, so that heads can share their materials.
    mesh.attributes[name].data.foreach_set("vector", rows.astype(np.float32).ravel())


def fine_images(name: str, maps: FineMaps) -> dict[str, bpy.types.Image]:
    """The images of a model's fine maps, added once per file and saved with it."""
    named = {"colour": maps.colour, "relief": maps.relief, "marks": maps.marks}
    return {key: _image(f"{name} {key}", codes) for key, codes in named.items()}


def _image(name: str, codes: Float32Array) -> bpy.types.Image:
    image = bpy.data.images.get(name)
    if image is None:
        height, width = codes.shape[:2]
        image = bpy.data.images.new(name, width, height, alpha=True)
        image.colorspace_settings.name = "Non-Color"
        image.alpha_mode = "CHANNEL_PACKED"
        # Blender's first row is the lowest.
        image.pixels.foreach_set(np.ascontiguousarray(codes[::-1]).ravel())
        image.pack()
    return image


def mapped_skin_material(name: str, maps: Callable[[], FineMaps]) -> bpy.types.Material:
    """Skin: each vertex's colour and roughness, and the detail of the maps.

    Built once per file, and only then are ``maps`` asked for.
    """
    return material(name, lambda tree: _build(tree, fine_images(name, maps())))


def _build(tree: bpy.types.NodeTree, images: dict[str, bpy.types.Image]) -> None:
    bsdf = principled(tree)
    weights = {name: attribute(tree, name).outputs["Vector"] for name in (FINE, RELIEF, MARKS)}
    rest = parts(tree, attribute(tree, PATTERN).outputs["Vector"])
    colour, relief, marks = (_image_node(tree, images[k]) for k in ("colour", "relief", "marks"))
    light = _fine_light(tree, colour, weights[FINE])
    light = math(tree, "ADD", light, _shaded(tree, relief, weights[RELIEF], rest[2]))
    skin = scaled(
        tree,
        attribute(tree, COLOUR).outputs["Color"],
        math(tree, "EXPONENT", light, 0.0),
    )
    skin = _marked(tree, skin, marks, parts(tree, weights[MARKS]), rest)
    tree.links.new(skin, bsdf.inputs["Base Color"])
    rough = attribute(tree, ROUGHNESS).outputs["Fac"]
    tree.links.new(rough, bsdf.inputs["Roughness"])
    bump = tree.nodes.new("ShaderNodeBump")
    bump.inputs["Distance"].default_value = 1.0  # heights are metres
    tree.links.new(dot(tree, relief.outputs["Color"], weights[RELIEF]), bump.inputs["Height"])
    tree.links.new(bump.outputs[0], bsdf.inputs["Normal"])
    # No scattering below the surface: Cycles asks the lamp for one path in eight then, and that
    # gave most of the noise of a face. The colours of vertices are as soft as scattered light.
    tree.links.new(_mirroring(tree, rough), bsdf.inputs["Specular IOR Level"])


def _mirroring(tree: bpy.types.NodeTree, rough: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """Specular level: less where skin is dull, and where it is seen aslant through its down.

    At few samples what is bright in such a mirror, a rim light say, was the speckle of necks.
    """
    facing = tree.nodes.new("ShaderNodeLayerWeight").outputs["Facing"]  # 0 ahead, 1 at the edge
    return math(tree, "MULTIPLY", _fading(tree, facing, _ASLANT), _fading(tree, rough, _DULL))


def _fading(
    tree: bpy.types.NodeTree, value: bpy.types.NodeSocket, bounds: tuple[float, ...]
) -> bpy.types.NodeSocket:
    """A smooth step: the third of ``bounds`` up to the first, the fourth from the second on."""
    step = tree.nodes.new("ShaderNodeMapRange")
    step.interpolation_type = "SMOOTHSTEP"
    for name, bound in zip(("From Min", "From Max", "To Min", "To Max"), bounds, strict=True):
        step.inputs[name].default_value = bound
    tree.links.new(value, step.inputs["Value"])
    return step.outputs["Result"]


def _fine_light(
    tree: bpy.types.NodeTree, colour: bpy.types.Node, weights: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """Log of light: of every skin, in red, and of the components, in green, blue and alpha."""
    r, g, b = parts(tree, colour.outputs["Color"])
    w = parts(tree, weights)
    total = r
    middle = math(tree, "ADD", math(tree, "ADD", w[0], w[1]), w[2])
    for weight, code in zip(w, (g, b, colour.outputs["Alpha"]), strict=True):
        total = multiply_add(tree, weight, code, total)
    # What codes say lies around one half: of the first, and of as much as there is of the others.
    half = multiply_add(tree, middle, 0.5, 0.5)
    return math(tree, "MULTIPLY", math(tree, "SUBTRACT", total, half), 2.0 * FINE_RANGE)


def _shaded(
    tree: bpy.types.NodeTree,
    relief: bpy.types.Node,
    metres: bpy.types.NodeSocket,
    stubble: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """Log of light that lines and shaved hairs take."""
    deep = math(tree, "SUBTRACT", parts(tree, relief.outputs["Color"])[0], 1.0)
    lines = math(tree, "MULTIPLY", deep, parts(tree, metres)[0])
    lines = math(tree, "MULTIPLY", lines, LINE_SHADE / DEPTHS["lines"])
    hairs = math(tree, "MULTIPLY", stubble, relief.outputs["Alpha"])
    return multiply_add(tree, hairs, -STUBBLE_SHADE, lines)


def _marked(
    tree: bpy.types.NodeTree,
    skin: bpy.types.NodeSocket,
    marks: bpy.types.Node,
    shares: list[bpy.types.NodeSocket],
    rest: list[bpy.types.NodeSocket],
) -> bpy.types.NodeSocket:
    """Skin with the freckles, spots and moles of a head's pattern."""
    profile, phase, kind = parts(tree, marks.outputs["Color"])
    spotted = math(tree, "GREATER_THAN", kind, 0.25)
    moles = math(tree, "GREATER_THAN", kind, 0.75)
    share = between(tree, moles, between(tree, spotted, shares[0], shares[1]), shares[2])
    share = math(tree, "MAXIMUM", share, 1e-3)
    turn = math(tree, "FRACT", math(tree, "ADD", phase, rest[0]), 0.0)
    there = tree.nodes.new("ShaderNodeMapRange")
    there.interpolation_type = "SMOOTHSTEP"
    there.inputs["From Min"].default_value, there.inputs["From Max"].default_value = 0.5, 1.0
    there.inputs["To Min"].default_value, there.inputs["To Max"].default_value = 1.0, 0.0
    tree.links.new(math(tree, "DIVIDE", turn, share), there.inputs["Value"])
    strength = math(tree, "MULTIPLY", there.outputs["Result"], profile)
    strength = math(tree, "MULTIPLY", strength, rest[1])
    factor = vector(tree, "MULTIPLY_ADD", spotted, MARK_COLOURS[1] - MARK_COLOURS[0])
    factor.inputs[2].default_value = MARK_COLOURS[0] - 1.0
    more = vector(tree, "MULTIPLY_ADD", moles, MARK_COLOURS[2] - MARK_COLOURS[1])
    tree.links.new(factor.outputs[0], more.inputs[2])
    change = vector(tree, "MULTIPLY_ADD", strength, more.outputs[0])
    change.inputs[2].default_value = (1.0, 1.0, 1.0)
    return vector(tree, "MULTIPLY", skin, change.outputs[0]).outputs[0]


def _image_node(tree: bpy.types.NodeTree, image: bpy.types.Image) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node
