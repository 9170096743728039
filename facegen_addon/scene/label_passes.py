# SPDX-License-Identifier: GPL-3.0-or-later
"""What has Blender write the label passes beside an image: see labels.passes for what they hold.

Materials are shared with heads of the artist's own file, so the outputs go into copies of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..heads.head_model import HeadModel
from ..heads.strands import BEARD, BROW, MOUSTACHE, SCALP
from ..labels.exr import read_exr
from ..labels.maps import CLASSES
from ..labels.passes import (
    CLASS_PASSES,
    DEPTH_PASS,
    NORMAL_PASS,
    PASSES,
    PER_PASS,
    UV_CENTRE,
    UV_PASS,
    Passes,
)
from ..labels.regions import vertex_classes
from .studio import Studio

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
        skin, hair = studio.head.mesh_object, studio.head.hair_object
        assert hair is not None, "nobody has removed it from a studio"
        self._label(skin, "POINT", vertex_classes(model), _head_outputs)
        strands = np.stack([_one_class(_CLASS_OF_REGION[r]) for r in model.strands.region.tolist()])
        self._label(hair, "CURVE", strands, _strand_outputs)
        cloth = np.tile(_one_class("clothes"), (len(studio.bust.data.vertices), 1))
        self._label(studio.bust, "POINT", cloth, _mesh_outputs)

    def close(self) -> None:
        """Remove the copies of materials, when nothing has them any more."""
        bpy.data.batch_remove(self._copies)

    def read(self) -> Passes:
        """The passes of what was last rendered."""
        _use_multilayer(self._studio.scene.render.image_settings)
        self._studio.save(self._file)
        return Passes.of(read_exr(self._file), self._layer.name)

    def _label(
        self,
        owner: bpy.types.Object,
        domain: str,
        classes: NDArray[np.float32],
        add_outputs: Callable[[bpy.types.NodeTree], None],
    ) -> None:
        """Give a mesh or curves the classes (N, C) of its elements, and materials that put out."""
        data = owner.data
        padded = np.zeros((len(classes), PER_PASS * len(CLASS_PASSES)), np.float32)
        padded[:, : len(CLASSES) - 1] = classes[:, 1:]
        for k, name in enumerate(CLASS_PASSES):
            attribute = data.attributes.new(name, "FLOAT_VECTOR", domain)
            part = padded[:, PER_PASS * k : PER_PASS * (k + 1)]
            attribute.data.foreach_set("vector", part.ravel())
        for slot, material in enumerate(data.materials):
            copy = material.copy()
            self._copies.append(copy)
            add_outputs(copy.node_tree)
            data.materials[slot] = copy


def use_single_layer(settings: bpy.types.ImageFormatSettings, file_format: str) -> None:
    """Have files hold the image alone, 8 bits a channel."""
    if hasattr(settings, "media_type"):  # Blender 5.0
        settings.media_type = "IMAGE"
    settings.file_format = file_format
    settings.color_mode, settings.color_depth = "RGB", "8"


def _use_multilayer(settings: bpy.types.ImageFormatSettings) -> None:
    """Have files hold every pass as 32-bit floats in the layout that labels.exr reads."""
    if hasattr(settings, "media_type"):  # Blender 5.0
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth, settings.exr_codec = "32", "NONE"
    if hasattr(settings, "use_exr_interleave"):  # Blender 5.0 makes a part of each pass, else
        settings.use_exr_interleave = True


def _one_class(name: str) -> NDArray[np.float32]:
    """The weights (C,) of what belongs to one class alone."""
    return (np.arange(len(CLASSES)) == CLASSES.index(name)).astype(np.float32)


def _head_outputs(tree: bpy.types.NodeTree) -> None:
    _mesh_outputs(tree)
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


def _mesh_outputs(tree: bpy.types.NodeTree) -> None:
    _class_outputs(tree)
    _put_out(tree, DEPTH_PASS, _combined(tree, _depth(tree), None, 1.0))
    geometry = tree.nodes.new("ShaderNodeNewGeometry")
    _put_out(tree, NORMAL_PASS, geometry.outputs["Normal"])


def _strand_outputs(tree: bpy.types.NodeTree) -> None:
    _class_outputs(tree)
    _put_out(tree, DEPTH_PASS, _combined(tree, None, _depth(tree), None))


def _class_outputs(tree: bpy.types.NodeTree) -> None:
    for name in CLASS_PASSES:
        attribute = tree.nodes.new("ShaderNodeAttribute")
        attribute.attribute_name = name
        _put_out(tree, name, attribute.outputs["Vector"])


def _depth(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """Along the optical axis, less the depth of the world's origin.

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
