# SPDX-License-Identifier: GPL-3.0-or-later
"""Has Blender render the label passes beside an image; labels.passes says what they hold.

Materials are shared with heads of the artist's own file, so the outputs go into copies of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import bpy
import numpy as np

from ...arrays import RealArray
from ...heads.head_model import HeadModel
from ...heads.strands import BEARD, BROW, MOUSTACHE, SCALP
from ...labels.exr import read_exr
from ...labels.maps import CLASSES
from ...labels.passes import (
    BODY_PASS,
    CLASS_PASSES,
    DEPTH_PASS,
    FACE_PASS,
    NORMAL_PASS,
    PASSES,
    STRAND_PASS,
    UV_CENTRE,
    UV_PASS,
    Passes,
)
from ...labels.regions import vertex_classes
from ..head.part_materials import coverage_of
from ..head.slots import slots_of
from .studio import Studio

_WEIGHTS = "facegen_classes"
_VERTEX_CLASSES = (*CLASS_PASSES[FACE_PASS], "neck")
"""Classes that vertices of the skin have weights of, beside the skin itself."""
_CLASS_OF_REGION = {SCALP: "hair", BROW: "brows", BEARD: "beard", MOUSTACHE: "beard"}


class LabelPasses:
    """Label passes of a studio's scene; close them when done."""

    def __init__(self, studio: Studio, model: HeadModel) -> None:
        self._studio = studio
        self._file = studio.folder / "passes.exr"
        self._layer = studio.scene.view_layers[0]
        for name in PASSES:
            self._layer.aovs.add().name = name
        self._copies: list[bpy.types.Material] = []
        head, hair = studio.head.mesh_object.data, studio.head.hair_object
        assert hair is not None, "nobody has removed it from a studio"
        weights = vertex_classes(model)[:, [CLASSES.index(name) for name in _VERTEX_CLASSES]]
        _add_attribute(head, "FLOAT_COLOR", "POINT", weights)
        self._put_out(head, *(_OUTPUTS[slot.kind] for slot in slots_of(model.surface)))
        strands = np.array([_one_class(_CLASS_OF_REGION[r]) for r in model.strands.region.tolist()])
        _add_attribute(hair.data, "FLOAT_VECTOR", "CURVE", strands)
        self._put_out(hair.data, _strand_outputs)
        for mesh, classes in studio.worn.classes:
            self._put_out(mesh, *(partial(_worn_outputs, name) for name in classes))

    def close(self) -> None:
        """Remove the copies of materials; call it when no object has them any more."""
        bpy.data.batch_remove(self._copies)

    def read(self) -> Passes:
        """The passes of what was last rendered."""
        _use_multilayer(self._studio.scene.render.image_settings)
        self._studio.save(self._file)
        return Passes.of(read_exr(self._file), self._layer.name)

    def _put_out(
        self, data: bpy.types.ID, *additions: Callable[[bpy.types.NodeTree], None]
    ) -> None:
        """Give a mesh or curves copies of their materials with outputs added to each."""
        for slot, add_outputs in enumerate(additions):
            copy = data.materials[slot].copy()
            self._copies.append(copy)
            add_outputs(copy.node_tree)
            data.materials[slot] = copy


def _add_attribute(data: bpy.types.ID, kind: str, domain: str, weights: RealArray) -> None:
    attribute = data.attributes.new(_WEIGHTS, kind, domain)
    field = "color" if kind == "FLOAT_COLOR" else "vector"
    attribute.data.foreach_set(field, weights.astype(np.float32).ravel())


def _use_multilayer(settings: bpy.types.ImageFormatSettings) -> None:
    """Have files hold every pass as 32-bit floats in the layout that labels.exr reads."""
    if hasattr(settings, "media_type"):  # Blender 5.0
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth, settings.exr_codec = "32", "NONE"
    if hasattr(settings, "use_exr_interleave"):  # Blender 5.0 makes a part of each pass, else
        settings.use_exr_interleave = True


def _one_class(name: str) -> tuple[float, ...]:
    """The channels of a class's pass where there is this class alone."""
    names = next(names for names in CLASS_PASSES.values() if name in names)
    channels = tuple(float(name == other) for other in names)
    return channels + (0.0,) * (3 - len(channels))


def _skin_outputs(tree: bpy.types.NodeTree) -> None:
    weights = _weights(tree)
    _put_out(tree, FACE_PASS, weights.outputs["Color"])
    _put_out(tree, BODY_PASS, _combined(tree, None, weights.outputs["Alpha"], None))
    _surface_outputs(tree)
    _uv_outputs(tree)


def _eye_outputs(tree: bpy.types.NodeTree) -> None:
    _put_out(tree, BODY_PASS, _combined(tree, *_one_class("eyes")))
    _surface_outputs(tree)
    _uv_outputs(tree)


def _card_outputs(tree: bpy.types.NodeTree) -> None:
    """Rays go on through what cards do not cover: each hit adds its share alone."""
    share = coverage_of(tree)

    def scaled(value: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
        node = _vector_math(tree, "SCALE", value, (0.0, 0.0, 0.0))
        tree.links.new(share, node.inputs["Scale"])
        return node.outputs["Vector"]

    _put_out(tree, DEPTH_PASS, scaled(_combined(tree, _depth(tree), None, 1.0)))
    geometry = tree.nodes.new("ShaderNodeNewGeometry")
    _put_out(tree, NORMAL_PASS, scaled(geometry.outputs["Normal"]))


def _worn_outputs(name: str, tree: bpy.types.NodeTree) -> None:
    """What is worn, or the chest: of a class, and without a place on the head's texture.

    Without a name it is clear: rays go on through it.
    """
    if not name:
        return
    of_class = next(p for p, names in CLASS_PASSES.items() if name in names)
    _put_out(tree, of_class, _combined(tree, *_one_class(name)))
    _surface_outputs(tree)
    if name == "neck":  # skin, but elsewhere than anything: no spread lets it pass
        _put_out(tree, UV_PASS, _combined(tree, None, None, 1.0))


def _strand_outputs(tree: bpy.types.NodeTree) -> None:
    _put_out(tree, STRAND_PASS, _weights(tree).outputs["Vector"])
    _put_out(tree, DEPTH_PASS, _combined(tree, None, _depth(tree), None))


_OUTPUTS = {"skin": _skin_outputs, "eye": _eye_outputs, "cards": _card_outputs}
"""What the slots of a head's mesh put out, by their kind."""


def _surface_outputs(tree: bpy.types.NodeTree) -> None:
    _put_out(tree, DEPTH_PASS, _combined(tree, _depth(tree), None, 1.0))
    geometry = tree.nodes.new("ShaderNodeNewGeometry")
    _put_out(tree, NORMAL_PASS, geometry.outputs["Normal"])


def _uv_outputs(tree: bpy.types.NodeTree) -> None:
    uv = tree.nodes.new("ShaderNodeUVMap").outputs[0]
    centred = _vector_math(tree, "SUBTRACT", uv, (UV_CENTRE, UV_CENTRE, 0.0)).outputs["Vector"]
    squared = _vector_math(tree, "DOT_PRODUCT", centred, centred).outputs["Value"]
    u, v, _ = _parts(tree, centred)
    _put_out(tree, UV_PASS, _combined(tree, u, v, squared))


def _vector_math(
    tree: bpy.types.NodeTree,
    operation: str,
    first: bpy.types.NodeSocket,
    second: bpy.types.NodeSocket | tuple[float, float, float],
) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeVectorMath")
    node.operation = operation
    tree.links.new(first, node.inputs[0])
    if isinstance(second, bpy.types.NodeSocket):
        tree.links.new(second, node.inputs[1])
    else:
        node.inputs[1].default_value = second
    return node


def _weights(tree: bpy.types.NodeTree) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = _WEIGHTS
    return node


def _depth(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The depth along the optical axis, less that of the world's origin.

    EEVEE keeps 16 bits of each output: a millimetre of a depth, 0.1 mm of a difference.
    """
    position = tree.nodes.new("ShaderNodeNewGeometry").outputs["Position"]
    turned = tree.nodes.new("ShaderNodeVectorTransform")
    turned.vector_type = "VECTOR"
    turned.convert_from, turned.convert_to = "WORLD", "CAMERA"
    tree.links.new(position, turned.inputs[0])
    return _parts(tree, turned.outputs[0])[2]


def _parts(
    tree: bpy.types.NodeTree, vector: bpy.types.NodeSocket
) -> Sequence[bpy.types.NodeSocket]:
    """The three numbers of a vector."""
    node = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(vector, node.inputs[0])
    return node.outputs[:]


def _combined(
    tree: bpy.types.NodeTree, *parts: bpy.types.NodeSocket | float | None
) -> bpy.types.NodeSocket:
    """Three numbers as one vector; None for zero."""
    node = tree.nodes.new("ShaderNodeCombineXYZ")
    for socket, part in zip(node.inputs, parts, strict=True):
        if isinstance(part, bpy.types.NodeSocket):
            tree.links.new(part, socket)
        elif part is not None:
            socket.default_value = part
    return node.outputs[0]


def _put_out(tree: bpy.types.NodeTree, name: str, source: bpy.types.NodeSocket) -> None:
    node = tree.nodes.new("ShaderNodeOutputAOV")
    node.aov_name = name
    tree.links.new(source, node.inputs["Color"])
