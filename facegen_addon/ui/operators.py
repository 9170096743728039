# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that adds a head."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty, StringProperty

from ..errors import UserError
from ..heads.catalogue import DEFAULT_MODEL, load_head_model
from ..scene.head_object import HeadObject
from .head_operator import make_active
from .properties import suggest_models


class FACEGEN_OT_add_head(bpy.types.Operator):
    """Add the mean head of a model at the 3D cursor"""

    bl_idname = "facegen.add_head"
    bl_label = "Add Head"
    bl_options = {"REGISTER", "UNDO"}

    model: StringProperty(  # type: ignore[valid-type]
        name="Model",
        description="Name of a head model, or path of a FLAME file",
        default=DEFAULT_MODEL,
        search=suggest_models,
        search_options={"SUGGESTION"},
    )
    subdivision: IntProperty(name="Subdivision", default=1, min=0, max=3)  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the head and make it active."""
        try:
            model = load_head_model(self.model)
            head = HeadObject.create(model, context.collection, self.subdivision)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        head.mesh_object.location = context.scene.cursor.location
        make_active(context, head.mesh_object)
        return {"FINISHED"}


CLASSES = (FACEGEN_OT_add_head,)
