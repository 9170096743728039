# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of shaders, each made and linked by one call."""

from __future__ import annotations

import bpy


def attribute(tree: bpy.types.NodeTree, name: str) -> bpy.types.Node:
    """A node that reads an attribute of the head."""
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node


def nodes_of(block: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The nodes of a new material or world, which Blender 5 has from the start and 4 makes."""
    if block.node_tree is None:
        block.use_nodes = True  # to set it in Blender 5 is a warning, and an error in 6
    return block.node_tree


def principled(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """The shader that a new material begins with."""
    return next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")


def math(
    tree: bpy.types.NodeTree,
    operation: str,
    first: bpy.types.NodeSocket | float,
    second: bpy.types.NodeSocket | float,
) -> bpy.types.NodeSocket:
    """The result of a node of mathematics."""
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    for socket, value in zip(node.inputs, (first, second), strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[0]


def vector(tree: bpy.types.NodeTree, operation: str, *inputs: object) -> bpy.types.Node:
    """A node of vector mathematics; a number or a socket of one counts for all three."""
    node = tree.nodes.new("ShaderNodeVectorMath")
    node.operation = operation
    for socket, value in zip(node.inputs, inputs, strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node


def scaled(
    tree: bpy.types.NodeTree, vector: bpy.types.NodeSocket, scale: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """A vector times a number."""
    node = tree.nodes.new("ShaderNodeVectorMath")
    node.operation = "SCALE"
    tree.links.new(vector, node.inputs[0])
    tree.links.new(scale, node.inputs["Scale"])
    return node.outputs["Vector"]


def dot(
    tree: bpy.types.NodeTree, first: bpy.types.NodeSocket, second: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """The product of two vectors."""
    return vector(tree, "DOT_PRODUCT", first, second).outputs["Value"]


def multiply_add(
    tree: bpy.types.NodeTree,
    first: bpy.types.NodeSocket,
    second: bpy.types.NodeSocket | float,
    third: bpy.types.NodeSocket | float,
) -> bpy.types.NodeSocket:
    """``first`` times ``second``, and ``third`` more."""
    return math(tree, "ADD", math(tree, "MULTIPLY", first, second), third)


def between(
    tree: bpy.types.NodeTree,
    share: bpy.types.NodeSocket,
    low: bpy.types.NodeSocket,
    high: bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """``low`` where ``share`` is 0, ``high`` where it is 1."""
    return multiply_add(tree, share, math(tree, "SUBTRACT", high, low), low)


def parts(tree: bpy.types.NodeTree, vector: bpy.types.NodeSocket) -> list[bpy.types.NodeSocket]:
    """X, Y and Z of a vector."""
    node = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(vector, node.inputs[0])
    return list(node.outputs)


def noise(
    tree: bpy.types.NodeTree, vector: bpy.types.NodeSocket, scale: float, detail: float
) -> bpy.types.NodeSocket:
    """Smooth noise at points of a vector."""
    node = tree.nodes.new("ShaderNodeTexNoise")
    node.inputs["Scale"].default_value = scale
    node.inputs["Detail"].default_value = detail
    tree.links.new(vector, node.inputs["Vector"])
    return node.outputs[0]
