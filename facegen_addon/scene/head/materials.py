# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of skin, eyes, hair and cloth, which read the colours of each head.

Their constants are chosen by eye unless they say otherwise: roughness, weights, specular levels
and contrasts in [0, 1], as Blender's Principled BSDF has them, without unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import bpy
import numpy as np

from ...arrays import RealArray
from ...heads.appearance import IRIS_EDGE, LIMBUS, PUPIL, SCLERA
from ...heads.skin.colour import linear_of_srgb
from ...heads.swatches import Rgb, nearest_by_look, swatches
from .nodes import attribute, math, nodes_of, noise, principled

COLOUR = "facegen_colour"
IRIS = "facegen_iris"
ROUGHNESS = "facegen_roughness"
REST = "facegen_rest"
GAZE = "facegen_gaze"

CLOTH = (0.012, 0.014, 0.020)
"""Linear RGB."""
_PORES, _MOTTLE = 900.0, 260.0
"""Noise of the skin, waves a metre: a pore each 1.1 mm, a fleck each 3.8 mm."""
_PORE_DEPTH = 0.0006
"""Metres from the bottom to the rim, of which the bump's strength takes 0.22."""
_SCATTERING, _SCATTERING_RGB = 0.004, (1.0, 0.35, 0.2)
"""Metres that light goes under the skin, red the farthest."""
_FIBRES = 14.0
"""Noise of the iris, waves along the unit sphere of the gaze's directions."""
_PUPIL_BLUR = 0.02
"""Half the width of the pupil's edge, sine of the angle from the gaze."""


_ROOT_LIGHT, _TIP_LIGHT = 0.45, 1.0
"""How much of its colour a strand has at root and tip."""
_SHINE_FROM, _SHINE_POWER = (0.0, 0.0, 1.0), 12.0
"""Where the light comes from that strands mirror, and how narrow the band is."""
_SHINE, _SHINE_OWN = (0.065, 0.064, 0.061), 0.9
"""Linear RGB that they mirror, and how much of their own colour besides."""
SKULL = (0.0, -0.035, 0.165)
"""The middle of a head's skull, metres in its object's frame."""
_LEVEL = (-1.0, -1.0, -0.03)
"""The least of what a strand is away from there, metres: what hangs lower does not face down."""
_OWN_NORMAL, _ALONG_LEFT_OUT = 0.2, 0.85
"""How much of the strand's own normal there is beside that of the mass of hair, and how much of
this is left out along the strand: so locks show by their direction, not by grain."""
_IN_SOLID = {
    "FaceGen Skin": (0.48, 0.31, 0.23),
    "FaceGen Lashes": (0.03, 0.02, 0.015),
    "FaceGen Teeth": (0.56, 0.50, 0.39),
    "FaceGen Gums": (0.30, 0.09, 0.08),
    "FaceGen Eye": SCLERA,
    "FaceGen Cornea": SCLERA,
    "FaceGen Cloth": CLOTH,
}
"""What the viewport shows in Solid mode, linear RGB, by how a material's name begins: heads share
materials, so it is the same for all; by Object or Attribute the viewport shows each head's own.
Hair's are told apart by its colour: of strands Blender 5 shows the material by Attribute, too."""
_DULL = 0.8  # roughness there, else dark hair shines grey


def material(
    name: str, build: Callable[[bpy.types.NodeTree], None], in_solid: Rgb | None = None
) -> bpy.types.Material:
    """The material called ``name``, built once per file; in_solid: what Solid mode shows, linear
    RGB, instead of what _IN_SOLID has for it."""
    found = bpy.data.materials.get(name)
    if found is None:
        found = bpy.data.materials.new(name)
        build(nodes_of(found))
        known = (colour for start, colour in _IN_SOLID.items() if name.startswith(start))
        shown = in_solid or next(known, None)
        if shown is not None:
            found.diffuse_color, found.roughness = (*shown, 1.0), _DULL
    return found


def skin_material() -> bpy.types.Material:
    """Skin: colour from the head, pores and fine mottling from noise that sticks to it."""

    def build(tree: bpy.types.NodeTree) -> None:
        bsdf = principled(tree)
        rest = attribute(tree, REST)
        pores = noise(tree, rest.outputs["Vector"], scale=_PORES, detail=2.0)
        mottle = noise(tree, rest.outputs["Vector"], scale=_MOTTLE, detail=4.0)
        tint = _tinted(tree, attribute(tree, COLOUR).outputs["Color"], mottle, 0.5)
        tree.links.new(tint, bsdf.inputs["Base Color"])
        tree.links.new(attribute(tree, ROUGHNESS).outputs["Fac"], bsdf.inputs["Roughness"])
        bump = tree.nodes.new("ShaderNodeBump")
        bump.inputs["Strength"].default_value = 0.22
        bump.inputs["Distance"].default_value = _PORE_DEPTH
        tree.links.new(pores, bump.inputs["Height"])
        tree.links.new(bump.outputs[0], bsdf.inputs["Normal"])
        bsdf.subsurface_method = "BURLEY"
        bsdf.inputs["Subsurface Weight"].default_value = 0.12
        bsdf.inputs["Subsurface Radius"].default_value = _SCATTERING_RGB
        bsdf.inputs["Subsurface Scale"].default_value = _SCATTERING
        bsdf.inputs["Specular IOR Level"].default_value = 0.42

    return material("FaceGen Skin", build)


def _tinted(
    tree: bpy.types.NodeTree,
    colour: bpy.types.NodeSocket,
    grain: bpy.types.NodeSocket,
    contrast: float,
) -> bpy.types.NodeSocket:
    """``colour`` made lighter and darker by grain around 0.5."""
    shade = math(tree, "MULTIPLY_ADD", grain, contrast)
    shade.node.inputs[2].default_value = 1.0 - 0.5 * contrast
    tint = tree.nodes.new("ShaderNodeVectorMath")
    tint.operation = "SCALE"
    tree.links.new(colour, tint.inputs[0])
    tree.links.new(shade, tint.inputs["Scale"])
    return tint.outputs[0]


def eye_material() -> bpy.types.Material:
    """Sclera, iris and pupil by the angle from the direction of gaze, under a wet coat."""
    return material("FaceGen Eye", build_eye)


def build_eye(tree: bpy.types.NodeTree) -> None:
    """The nodes of an eye's material."""
    bsdf = principled(tree)
    radius = _gaze_radius(tree)
    sclera_mix = _mix(tree, _step(tree, radius, IRIS_EDGE, LIMBUS))
    sclera_mix.inputs["A"].default_value = (0.0, 0.0, 0.0, 1.0)
    sclera_mix.inputs["B"].default_value = (*SCLERA, 1.0)
    pupil_mix = _mix(tree, _step(tree, radius, PUPIL - _PUPIL_BLUR, PUPIL + _PUPIL_BLUR))
    pupil_mix.inputs["A"].default_value = (0.002, 0.002, 0.002, 1.0)
    tree.links.new(_iris_fibres(tree), pupil_mix.inputs["B"])
    tree.links.new(pupil_mix.outputs["Result"], sclera_mix.inputs["A"])
    tree.links.new(sclera_mix.outputs["Result"], bsdf.inputs["Base Color"])
    bsdf.inputs["Roughness"].default_value = 0.35
    bsdf.inputs["Coat Weight"].default_value = 1.0
    bsdf.inputs["Coat Roughness"].default_value = 0.04


def _gaze_radius(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """Sine of the angle between the surface's direction and the gaze; above 1 behind."""
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(attribute(tree, GAZE).outputs["Vector"], parts.inputs[0])
    x, y, z = parts.outputs
    squared = math(tree, "ADD", math(tree, "MULTIPLY", x, x), math(tree, "MULTIPLY", z, z))
    behind = math(tree, "GREATER_THAN", y, 0.0)
    return math(tree, "ADD", math(tree, "SQRT", squared, 0.0), behind)


def _step(
    tree: bpy.types.NodeTree, value: bpy.types.NodeSocket, low: float, high: float
) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeMapRange")
    node.interpolation_type = "SMOOTHSTEP"
    node.inputs["From Min"].default_value = low
    node.inputs["From Max"].default_value = high
    tree.links.new(value, node.inputs["Value"])
    return node.outputs["Result"]


class _ColourMix:
    """A Mix node in colour mode, its sockets by name (Blender keeps one set per data type)."""

    def __init__(self, node: bpy.types.Node) -> None:
        colour = [s for s in node.inputs if s.type == "RGBA"]
        self.inputs = {"A": colour[0], "B": colour[1]}
        self.outputs = {"Result": next(s for s in node.outputs if s.type == "RGBA")}


def _mix(tree: bpy.types.NodeTree, factor: bpy.types.NodeSocket) -> _ColourMix:
    node = tree.nodes.new("ShaderNodeMix")
    node.data_type = "RGBA"
    tree.links.new(factor, node.inputs[0])
    return _ColourMix(node)


def _iris_fibres(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The iris colour, streaked by noise."""
    fibres = noise(tree, attribute(tree, GAZE).outputs["Vector"], scale=_FIBRES, detail=3.0)
    return _tinted(tree, attribute(tree, IRIS).outputs["Vector"], fibres, 1.2)


def hair_material(colour: Annotated[RealArray, "3"], groomed: bool) -> bpy.types.Material:
    """That of strands whose colour (3,), linear RGB, is nearest to one of the named ones.

    The nodes are the same in all of them, and read each strand's own colour.
    """
    swatch = nearest_by_look(colour, "hair")
    kind, build = _HAIR[groomed]
    red, green, blue = linear_of_srgb(np.array(swatch.rgb)).tolist()
    return material(f"{kind} {swatch.name}", build, (red, green, blue))


def is_hair_material(found: bpy.types.Material) -> bool:
    """Whether it is one of ours: nobody's copy, and not another in its place."""
    kinds = [kind for kind, _ in _HAIR.values()]
    names = {f"{kind} {swatch.name}" for kind in kinds for swatch in swatches("hair")}
    return found.name in names.union(kinds)  # a kind alone: of files from before


def _build_soft_hair(tree: bpy.types.NodeTree) -> None:
    """Strands: each its own colour, with a soft sheen."""
    bsdf = principled(tree)
    tree.links.new(attribute(tree, COLOUR).outputs["Color"], bsdf.inputs["Base Color"])
    bsdf.inputs["Roughness"].default_value = 0.55
    bsdf.inputs["Specular IOR Level"].default_value = 0.15


def _build_groomed_hair(tree: bpy.types.NodeTree) -> None:
    """Strands that are darker at the root, and shine along their length."""
    tree.nodes.remove(principled(tree))  # it costs more than it shows on a strand
    bsdf = tree.nodes.new("ShaderNodeBsdfDiffuse")
    colour = attribute(tree, COLOUR).outputs["Color"]
    along = tree.nodes.new("ShaderNodeHairInfo").outputs["Intercept"]
    light = math(tree, "MULTIPLY_ADD", along, _TIP_LIGHT - _ROOT_LIGHT)
    light.node.inputs[2].default_value = _ROOT_LIGHT
    shaded = _vectors(tree, "SCALE", _shining(tree, colour))
    tree.links.new(light, shaded.node.inputs["Scale"])
    tree.links.new(shaded, bsdf.inputs["Color"])
    tree.links.new(_across_the_strand(tree), bsdf.inputs["Normal"])
    out = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    tree.links.new(bsdf.outputs[0], out.inputs["Surface"])


_HAIR = {
    False: ("FaceGen Hair", _build_soft_hair),
    True: ("FaceGen Groomed Hair", _build_groomed_hair),
}
"""Whether hair is groomed -> how its materials' names begin, and their nodes."""


def _shining(tree: bpy.types.NodeTree, colour: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """``colour``, lighter where the strand would mirror light from above to who looks at it.

    It takes no sample of a light, so that a few samples show a band and no grain.
    """
    geometry = tree.nodes.new("ShaderNodeNewGeometry").outputs
    halfway = _vectors(tree, "NORMALIZE", _vectors(tree, "ADD", geometry["Incoming"], _SHINE_FROM))
    along = _vectors(tree, "DOT_PRODUCT", halfway, geometry["Tangent"])
    across = math(tree, "MULTIPLY_ADD", math(tree, "MULTIPLY", along, along), -1.0)
    across.node.inputs[2].default_value = 1.0
    shine = math(tree, "POWER", across, _SHINE_POWER)
    mirrored = _vectors(tree, "ADD", _scaled(tree, colour, _SHINE_OWN), _SHINE)
    band = _vectors(tree, "SCALE", mirrored)
    tree.links.new(shine, band.node.inputs["Scale"])
    return _vectors(tree, "ADD", colour, band)


def _across_the_strand(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The normal of the mass of hair, away from the skull, as far as it is across the strand, with
    a little of the strand's own."""
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    away = _vectors(tree, "SUBTRACT", place, SKULL)
    away = _vectors(tree, "MAXIMUM", away, _LEVEL)
    world = tree.nodes.new("ShaderNodeVectorTransform")
    world.vector_type, world.convert_from, world.convert_to = "VECTOR", "OBJECT", "WORLD"
    tree.links.new(_vectors(tree, "NORMALIZE", away), world.inputs[0])
    geometry = tree.nodes.new("ShaderNodeNewGeometry").outputs
    along = _vectors(tree, "PROJECT", world.outputs[0], geometry["Tangent"])
    along = _scaled(tree, along, _ALONG_LEFT_OUT)
    own = _scaled(tree, geometry["Normal"], _OWN_NORMAL)
    mass = _vectors(tree, "SUBTRACT", world.outputs[0], along)
    return _vectors(tree, "NORMALIZE", _vectors(tree, "ADD", mass, own))


def _scaled(
    tree: bpy.types.NodeTree, vector: bpy.types.NodeSocket, much: float
) -> bpy.types.NodeSocket:
    scaled = _vectors(tree, "SCALE", vector)
    scaled.node.inputs["Scale"].default_value = much
    return scaled


def _vectors(
    tree: bpy.types.NodeTree,
    operation: str,
    *operands: bpy.types.NodeSocket | tuple[float, float, float],
) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeVectorMath")
    node.operation = operation
    for socket, operand in zip(node.inputs, operands, strict=False):
        if isinstance(operand, tuple):
            socket.default_value = operand
        else:
            tree.links.new(operand, socket)
    return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]


def cloth_material() -> bpy.types.Material:
    """The collar that ends the bust."""

    def build(tree: bpy.types.NodeTree) -> None:
        bsdf = principled(tree)
        bsdf.inputs["Base Color"].default_value = (*CLOTH, 1.0)
        bsdf.inputs["Roughness"].default_value = 0.9

    return material("FaceGen Cloth", build)
