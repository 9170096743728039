# SPDX-License-Identifier: GPL-3.0-or-later
"""The eye as seen through its cornea, painted on the cornea.

Where a ray would meet the iris behind it is worked out in the shader: real refraction would have to
be found by chance and costs noise. Lengths are of the unit sphere of gaze: 1 is the cornea's
distance from the eye's middle (15 mm). Constants are chosen by eye unless they say otherwise.
"""

from __future__ import annotations

import bpy

from ...heads.person.eyes import IRIS, PUPIL, SCLERA, SCLERA_CORNER, WHITE
from . import materials
from .nodes import attribute, dot, math, multiply_add, noise, parts, principled, scaled, vector

_IOR = 1.376
"""Of the cornea."""
_GLOSS = 1.5
"""Index of refraction of the coat, more than the tears' 1.34: small catchlights can be seen."""
_CHAMBER = 0.22
"""Depth of the iris behind the middle of the cornea; none at the limbus."""
_HOLLOW = 1.6
"""How much the iris leans inwards: its light comes from the side opposite a lamp."""
_SPOKES, _DETAIL = 5.0, 1.2
"""Noise of the fibres, waves around and along them."""
_LIMBAL_RING = 0.30
_WARM = (1.25, 1.0, 0.72, 1.0)
"""What the ring about the pupil has of the iris's colour: more pigment, more yellow."""
_PUPIL_BLUR = 0.016
_LID, _LID_SHADE = (0.0, 0.36), -0.6
"""Height above the gaze over which the upper lid's shade grows, and by what."""


def cornea_material() -> bpy.types.Material:
    """Sclera, iris with depth and pupil under one wet coat."""
    return materials.material("FaceGen Cornea", _build)


def _build(tree: bpy.types.NodeTree) -> None:
    bsdf = principled(tree)
    x, y, z = parts(tree, attribute(tree, materials.GAZE).outputs["Vector"])
    across, up = _frame(tree)
    outer = _length(tree, x, z)
    seen_x, seen_z = _seen(tree, (x, z), outer, (across, up))
    radius = _length(tree, seen_x, seen_z)
    behind = math(tree, "GREATER_THAN", y, 0.0)
    white = math(tree, "MAXIMUM", _step(tree, radius, IRIS, WHITE), behind)
    iris = _iris(tree, seen_x, seen_z, radius)
    sclera = _sclera(tree, x, z, math(tree, "ADD", outer, behind))
    shade = multiply_add(tree, _step(tree, z, *_LID), _LID_SHADE, 1.0)
    colour = scaled(tree, _mixed(tree, white, iris, sclera), shade)
    tree.links.new(colour, bsdf.inputs["Base Color"])
    tree.links.new(_hollow(tree, (x, z), (across, up), white), bsdf.inputs["Normal"])
    bsdf.inputs["Roughness"].default_value = 0.6
    bsdf.inputs["Specular IOR Level"].default_value = 0.0
    bsdf.inputs["Coat Weight"].default_value = 1.0
    bsdf.inputs["Coat IOR"].default_value = _GLOSS
    bsdf.inputs["Coat Roughness"].default_value = 0.07
    geometry = tree.nodes.new("ShaderNodeNewGeometry")
    tree.links.new(geometry.outputs["Normal"], bsdf.inputs["Coat Normal"])


def _frame(tree: bpy.types.NodeTree) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Two directions along the cornea, to the head's left and up: gaze's x and z where it is
    met from ahead."""
    upright = tree.nodes.new("ShaderNodeVectorTransform")
    upright.vector_type, upright.convert_from, upright.convert_to = "NORMAL", "OBJECT", "WORLD"
    upright.inputs[0].default_value = (0.0, 0.0, 1.0)
    normal = tree.nodes.new("ShaderNodeNewGeometry").outputs["Normal"]
    across = _vector(tree, "NORMALIZE", _vector(tree, "CROSS_PRODUCT", upright.outputs[0], normal))
    return across, _vector(tree, "CROSS_PRODUCT", normal, across)


def _seen(
    tree: bpy.types.NodeTree,
    at: tuple[bpy.types.NodeSocket, bpy.types.NodeSocket],
    radius: bpy.types.NodeSocket,
    frame: tuple[bpy.types.NodeSocket, bpy.types.NodeSocket],
) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Where a ray that is bent at the cornea meets the iris, as gaze's x and z."""
    incoming = tree.nodes.new("ShaderNodeNewGeometry").outputs["Incoming"]  # towards the viewer
    slant = [
        math(tree, "MULTIPLY", dot(tree, incoming, direction), -1.0 / _IOR) for direction in frame
    ]
    squared = math(tree, "POWER", _length(tree, *slant), 2.0)
    inwards = math(tree, "SQRT", math(tree, "SUBTRACT", 1.0, squared), 0.0)
    rim = math(tree, "MINIMUM", math(tree, "DIVIDE", radius, WHITE), 1.0)
    depth = math(tree, "SUBTRACT", 1.0, math(tree, "MULTIPLY", rim, rim))
    stretch = math(tree, "DIVIDE", math(tree, "MULTIPLY", depth, _CHAMBER), inwards)
    x, z = (
        math(tree, "ADD", start, math(tree, "MULTIPLY", part, stretch))
        for start, part in zip(at, slant, strict=True)
    )
    return x, z


def _iris(
    tree: bpy.types.NodeTree,
    x: bpy.types.NodeSocket,
    z: bpy.types.NodeSocket,
    radius: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """Fibres that run outwards, a lighter collarette, a dark rim; the pupil."""
    colour = attribute(tree, materials.IRIS).outputs["Vector"]
    around = tree.nodes.new("ShaderNodeCombineXYZ")
    for socket, part in zip(around.inputs, (x, z), strict=False):
        unit = math(tree, "DIVIDE", part, math(tree, "MAXIMUM", radius, 0.01))
        tree.links.new(math(tree, "MULTIPLY", unit, _SPOKES), socket)
    tree.links.new(math(tree, "MULTIPLY", radius, _DETAIL / 0.1), around.inputs[2])
    fibres = noise(tree, around.outputs[0], 1.6, detail=3.0)
    light = multiply_add(tree, _step(tree, fibres, 0.3, 0.72), 0.8, 0.5)
    # A ring a third of the way out, where fibres cross and the pigment is thin.
    ring = math(tree, "SUBTRACT", 1.0, _step(tree, radius, 0.18, 0.29))
    light = math(tree, "MULTIPLY", light, multiply_add(tree, ring, 0.25, 0.9))
    edge = _step(tree, radius, IRIS - 0.095, IRIS + 0.01)
    rim = multiply_add(tree, edge, _LIMBAL_RING - 1.0, 1.0)
    warm = tree.nodes.new("ShaderNodeRGB")
    warm.outputs[0].default_value = _WARM
    amber = _vector(tree, "MULTIPLY", colour, warm.outputs[0])
    tint = _mixed(tree, math(tree, "MULTIPLY", ring, 0.7), colour, amber)
    shaded = scaled(tree, tint, math(tree, "MULTIPLY", light, rim))
    pupil = _step(tree, radius, PUPIL - _PUPIL_BLUR, PUPIL + _PUPIL_BLUR)
    return scaled(tree, shaded, pupil)


def _sclera(
    tree: bpy.types.NodeTree,
    x: bpy.types.NodeSocket,
    z: bpy.types.NodeSocket,
    radius: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """Off-white, redder and darker towards the corners, with faint veins."""
    white = tree.nodes.new("ShaderNodeRGB")
    white.outputs[0].default_value = (*SCLERA, 1.0)
    corner = tree.nodes.new("ShaderNodeRGB")
    corner.outputs[0].default_value = (*SCLERA_CORNER, 1.0)
    gaze = attribute(tree, materials.GAZE).outputs["Vector"]
    wave = math(tree, "ABSOLUTE", math(tree, "SUBTRACT", noise(tree, gaze, 7.0, 3.0), 0.5), 0.0)
    outwards = _step(tree, radius, 0.42, 0.75)
    vein = math(tree, "SUBTRACT", 1.0, _step(tree, wave, 0.0, 0.03))
    vein = math(tree, "MULTIPLY", vein, math(tree, "MULTIPLY", outwards, 0.55))
    red = math(tree, "MAXIMUM", vein, _step(tree, radius, 0.62, 1.0))
    tinted = _mixed(tree, red, white.outputs[0], corner.outputs[0])
    return scaled(tree, tinted, multiply_add(tree, _step(tree, radius, 0.6, 0.95), -0.35, 1.0))


def _hollow(
    tree: bpy.types.NodeTree,
    at: tuple[bpy.types.NodeSocket, bpy.types.NodeSocket],
    frame: tuple[bpy.types.NodeSocket, bpy.types.NodeSocket],
    white: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """Normals of an iris that is a bowl; the surface's own on the white."""
    normal = tree.nodes.new("ShaderNodeNewGeometry").outputs["Normal"]
    lean = multiply_add(tree, white, _HOLLOW, -_HOLLOW)
    for part, direction in zip(at, frame, strict=True):
        slope = scaled(tree, direction, math(tree, "MULTIPLY", part, lean))
        normal = _vector(tree, "ADD", normal, slope)
    return _vector(tree, "NORMALIZE", normal)


def _step(
    tree: bpy.types.NodeTree, value: bpy.types.NodeSocket, low: float, high: float
) -> bpy.types.NodeSocket:
    """A smooth step from 0 to 1."""
    node = tree.nodes.new("ShaderNodeMapRange")
    node.interpolation_type = "SMOOTHSTEP"
    node.inputs["From Min"].default_value, node.inputs["From Max"].default_value = low, high
    tree.links.new(value, node.inputs["Value"])
    return node.outputs["Result"]


def _vector(
    tree: bpy.types.NodeTree, operation: str, *inputs: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    return vector(tree, operation, *inputs).outputs["Vector"]


def _mixed(
    tree: bpy.types.NodeTree,
    share: bpy.types.NodeSocket,
    first: bpy.types.NodeSocket,
    second: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """``first`` where ``share`` is 0, ``second`` where it is 1: colours."""
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    colours = [socket for socket in node.inputs if socket.type == "RGBA"]
    for socket, source in zip((node.inputs[0], *colours), (share, first, second), strict=True):
        tree.links.new(source, socket)
    return next(socket for socket in node.outputs if socket.type == "RGBA")


def _length(
    tree: bpy.types.NodeTree, x: bpy.types.NodeSocket, z: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """The length of a vector in the plane."""
    return math(tree, "SQRT", multiply_add(tree, x, x, math(tree, "MULTIPLY", z, z)), 0.0)
