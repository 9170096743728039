# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that adds the mean head of a model."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty

from ..heads.catalogue import load_head_model
from ..scene.workflows.new_head import add_head
from .framing import show
from .head_operator import ReportingOperator, make_active
from .properties import model_property


class FACEGEN_OT_add_head(ReportingOperator, bpy.types.Operator):
    """Add the mean head of a model at the 3D cursor, or beside what stands there"""

    bl_idname = "facegen.add_head"
    bl_label = "Add Head"
    bl_options = {"REGISTER", "UNDO"}

    model: model_property()  # type: ignore[valid-type]
    subdivision: IntProperty(name="Subdivision", default=1, min=0, max=3)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Add the head, make it active and have it seen."""
        head = add_head(load_head_model(self.model), context, self.subdivision)
        make_active(context, head.mesh_object)
        show(context, [head.mesh_object])


CLASSES = (FACEGEN_OT_add_head,)
