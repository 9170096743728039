# SPDX-License-Identifier: GPL-3.0-or-later
"""The material of cloth: a colour, a pattern, a weave and slight folds, as its mesh says."""

from __future__ import annotations

import bpy
import numpy as np

from ...heads.wear.outfit import Rgb
from ...heads.wear.pieces import Piece
from .materials import material
from .nodes import attribute, math, noise, parts, principled

_CLOTH, _COLOUR, _SECOND, _PATTERN = (
    f"facegen_cloth_{name}" for name in ("place", "colour", "second", "pattern")
)
"""Attributes of vertices: place on the flat cloth and trim; colours; stripes across and down, a
metre, and how mottled the cloth is."""
_WEAVE, _WEAVE_DEPTH = 1100.0, 0.0004
"""Noise of the weave, waves a metre, and how deep it is, metres."""
_CREASES, _CREASE_DEPTH = 22.0, 0.012
"""Noise of creases, the same."""
FLECKS = 0.55
"""How much of the second colour the flecks of mottled cloth have."""
STRIPES = {"stripes": (0.0, 42.0, 0.0), "pinstripes": (80.0, 0.0, 0.0)}
STRIPES |= {"checks": (46.0, 46.0, 0.0), "heather": (0.0, 0.0, 1.0)}
"""Pattern -> stripes a metre across and down, and how mottled."""


def write(
    mesh: bpy.types.Mesh,
    worn: Piece,
    colour: Rgb,
    trim: Rgb | None = None,
    second: Rgb | None = None,
    pattern: str = "plain",
) -> None:
    """Write what the materials read of a thing: colour, that of its trim, and its pattern.

    The same all over, bar the place and the trim, but on the mesh, so that materials are shared.
    """
    stripes = STRIPES.get(pattern, (0.0, 0.0, 0.0))
    place = np.concatenate([worn.cloth, worn.trim[:, None]], axis=1)
    first = np.asarray(colour) + worn.trim[:, None] * (np.subtract(trim or colour, colour))
    rows = {_CLOTH: place, _COLOUR: first, _SECOND: second or colour, _PATTERN: stripes}
    for name, values in rows.items():
        if name not in mesh.attributes:
            mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
        full = np.broadcast_to(np.asarray(values, np.float32), (len(worn.vertices), 3))
        mesh.attributes[name].data.foreach_set("vector", np.ascontiguousarray(full).ravel())


def garment_materials() -> tuple[bpy.types.Material, bpy.types.Material]:
    """Plain cloth, as cheap to render as it can be, and cloth with a pattern."""
    plain = material("FaceGen Garment", _build_plain)
    return plain, material("FaceGen Patterned Garment", _build_patterned)


def frame_material() -> bpy.types.Material:
    """Acetate or metal, smooth, in the mesh's colour."""

    def build(tree: bpy.types.NodeTree) -> None:
        bsdf = principled(tree)
        tree.links.new(attribute(tree, _COLOUR).outputs["Vector"], bsdf.inputs["Base Color"])
        bsdf.inputs["Roughness"].default_value = 0.4

    return material("FaceGen Frame", build)


def lens_material(*, dark: bool) -> bpy.types.Material:
    """Thin glass that bends nothing: dark with a faint mirror, or clear and a little darker aslant.

    Clear glass mirrors nothing: a path in thirty would, and light up as a dot.
    """
    build = _build_dark_lens if dark else _build_clear_lens
    return material("FaceGen Dark Lens" if dark else "FaceGen Lens", build)


def _build_clear_lens(tree: bpy.types.NodeTree) -> None:
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    facing = tree.nodes.new("ShaderNodeLayerWeight").outputs["Facing"]
    passed = math(tree, "SUBTRACT", 0.97, math(tree, "MULTIPLY", _slanted(tree, facing), 0.35))
    tree.links.new(passed, clear.inputs["Color"])
    tree.links.new(clear.outputs[0], output.inputs["Surface"])


def _build_dark_lens(tree: bpy.types.NodeTree) -> None:
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    clear.inputs["Color"].default_value = (0.045, 0.045, 0.05, 1.0)
    mirror = tree.nodes.new("ShaderNodeBsdfGlossy")
    mirror.inputs["Roughness"].default_value = 0.04
    facing = tree.nodes.new("ShaderNodeLayerWeight").outputs["Facing"]
    slanted = math(tree, "MULTIPLY", _slanted(tree, facing), 0.6)
    seen = tree.nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"]
    share = math(tree, "MULTIPLY", math(tree, "ADD", slanted, 0.035), seen)
    mix = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(share, mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(mirror.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])


def _slanted(tree: bpy.types.NodeTree, facing: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """0 where glass faces the eye, 1 at its edge, as mirrors of glass grow."""
    return math(tree, "POWER", facing, 3.0)


def _build_plain(tree: bpy.types.NodeTree) -> None:
    place = attribute(tree, _CLOTH).outputs["Vector"]
    creases = math(tree, "MULTIPLY", noise(tree, place, _CREASES, 0.0), _CREASE_DEPTH)
    _build_cloth(tree, attribute(tree, _COLOUR).outputs["Vector"], creases)


def _build_patterned(tree: bpy.types.NodeTree) -> None:
    place = attribute(tree, _CLOTH).outputs["Vector"]
    x, z, trim = parts(tree, place)
    across, down, mottled = parts(tree, attribute(tree, _PATTERN).outputs["Vector"])
    weave = noise(tree, place, _WEAVE, 1.0)
    stripes = math(tree, "ADD", _stripe(tree, x, across), _stripe(tree, z, down))
    both = math(tree, "MULTIPLY", math(tree, "SIGN", across, 0.0), math(tree, "SIGN", down, 0.0))
    # Where there is but one kind of stripe it covers wholly, where there are two by half each.
    covers = math(tree, "SUBTRACT", 1.0, math(tree, "MULTIPLY", both, 0.5))
    flecks = math(tree, "MULTIPLY", math(tree, "MULTIPLY", weave, mottled), FLECKS)
    share = math(tree, "ADD", math(tree, "MULTIPLY", stripes, covers), flecks)
    share = math(tree, "MULTIPLY", share, math(tree, "SUBTRACT", 1.0, trim))
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "VECTOR"
    tree.links.new(share, mix.inputs[0])
    first, second = (s for s in mix.inputs if s.type == "VECTOR" and s.name in ("A", "B"))
    tree.links.new(attribute(tree, _COLOUR).outputs["Vector"], first)
    tree.links.new(attribute(tree, _SECOND).outputs["Vector"], second)
    creases = math(tree, "MULTIPLY", noise(tree, place, _CREASES, 0.0), _CREASE_DEPTH)
    height = math(tree, "ADD", creases, math(tree, "MULTIPLY", weave, _WEAVE_DEPTH))
    _build_cloth(tree, next(s for s in mix.outputs if s.type == "VECTOR"), height)


def _build_cloth(
    tree: bpy.types.NodeTree, colour: bpy.types.NodeSocket, height: bpy.types.NodeSocket
) -> None:
    """Cloth of a colour and a height, metres: nothing glossy, which nobody would see."""
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    tree.nodes.remove(principled(tree))
    bsdf = tree.nodes.new("ShaderNodeBsdfDiffuse")
    tree.links.new(bsdf.outputs[0], output.inputs["Surface"])
    tree.links.new(colour, bsdf.inputs["Color"])
    bump = tree.nodes.new("ShaderNodeBump")
    bump.inputs["Distance"].default_value = 1.0  # heights are metres
    bump.inputs["Strength"].default_value = 0.7
    tree.links.new(height, bump.inputs["Height"])
    tree.links.new(bump.outputs[0], bsdf.inputs["Normal"])
    bsdf.inputs["Roughness"].default_value = 0.5


def _stripe(
    tree: bpy.types.NodeTree, along: bpy.types.NodeSocket, often: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """1 on the last two fifths of each wave, 0 on the rest and where there are no waves."""
    turn = math(tree, "FRACT", math(tree, "MULTIPLY", along, often), 0.0)
    return math(tree, "GREATER_THAN", turn, 0.6)
