# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's joints as an armature that holds the head's pose."""

from __future__ import annotations

from typing import Annotated

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...arrays import FloatArray
from ...heads.rig import Rig
from ...heads.skinning import rotation_matrices

# Which way bones point, for whoever looks at them; how they turn does not depend on it.
_DIRECTIONS = {"jaw": (0.0, -0.05, -0.03), "eye_left": (0.0, -0.02, 0.0)}
_DIRECTIONS["eye_right"] = _DIRECTIONS["eye_left"]
_UP = (0.0, 0.0, 0.05)


def new_armature(rig: Rig, scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """Add an armature of the rig's joints to ``scene``, which must be the window's, and pose it."""
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    scene.collection.objects.link(armature)
    scene.view_layers[0].objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")  # only there bones can be made
    try:
        _add_bones(armature.data, rig)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    _pose(armature, rig)
    return armature


def _add_bones(data: bpy.types.Armature, rig: Rig) -> None:
    for name, parent, joint in zip(rig.names, rig.parents, rig.joints, strict=True):
        bone = data.edit_bones.new(name)
        bone.head = Vector(joint)
        bone.tail = bone.head + Vector(_DIRECTIONS.get(name, _UP))
        if parent >= 0:
            bone.parent = data.edit_bones[rig.names[parent]]


def _pose(armature: bpy.types.Object, rig: Rig) -> None:
    for name, turn in zip(rig.names, rotation_matrices(rig.turns), strict=True):
        bone = armature.pose.bones[name]
        axes = bone.bone.matrix_local.to_3x3()
        # The turn about the armature's axes, told in the bone's own.
        own = axes.inverted() @ Matrix(turn.tolist()) @ axes
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = own.to_quaternion()


def bind(
    mesh_object: bpy.types.Object, names: tuple[str, ...], weights: Annotated[FloatArray, "V J"]
) -> None:
    """Give a mesh weights (V, J) as vertex groups that have the bones' names."""
    for name, column in zip(names, weights.T, strict=True):
        group = mesh_object.vertex_groups.new(name=name)
        values, kind = np.unique(column, return_inverse=True)
        order = np.argsort(kind, kind="stable")
        alike = np.split(order, np.cumsum(np.bincount(kind))[:-1])
        for value, members in zip(values, alike, strict=True):
            if value > 0.0:
                group.add(members.tolist(), float(value), "REPLACE")


def follow(mesh_object: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Have a bound mesh follow the armature."""
    mesh_object.parent = armature
    mesh_object.modifiers.new("Armature", "ARMATURE").object = armature
