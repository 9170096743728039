# SPDX-License-Identifier: GPL-3.0-or-later
"""Says that a head was sculpted by hand, and takes that away again."""

from __future__ import annotations

import bpy

from ..scene.head.sculpted import SCULPTED
from .head_operator import HeadOperator


class FACEGEN_OT_remove_sculpted(HeadOperator, bpy.types.Operator):
    """Remove what was sculpted on this head by hand: it becomes what its sliders say"""

    bl_idname = "facegen.remove_sculpted"
    bl_label = "Remove Sculpted"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        """Remove it."""
        self.head(context).remove_sculpted()


def draw(layout: bpy.types.UILayout, mesh_object: bpy.types.Object) -> None:
    """A line for a head on which something was sculpted."""
    if SCULPTED not in mesh_object.data.attributes:
        return
    row = layout.row(align=True)
    row.label(text="Sculpted by hand; sliders keep it", icon="SCULPTMODE_HLT")
    row.operator("facegen.remove_sculpted", text="", icon="X")


CLASSES = (FACEGEN_OT_remove_sculpted,)
