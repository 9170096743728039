# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's own operators."""

from __future__ import annotations

import bpy
import numpy as np
from bpy.props import StringProperty

from ..errors import UserError
from ..heads.head_model import HeadModel
from ..heads.parameters import FloatArray
from ..scene.head_object import MODEL_KEY
from .head_operator import HeadOperator, active_head
from .properties import adopt_heads, choose_slider, missing_model


def reset(model: HeadModel, parameters: FloatArray, group: str) -> FloatArray:
    """Parameters (P,) with one group, or all where ``group`` is empty, at the model's mean."""
    table = model.table
    columns = table.columns(group) if group else np.arange(len(table))
    values = parameters.copy()
    values[columns] = table.mean[columns]
    return values


def _active_model(context: bpy.types.Context) -> str:
    head = active_head(context)
    assert head is not None, "poll has seen to it"
    return str(head[MODEL_KEY])


class FACEGEN_OT_reset_sliders(HeadOperator, bpy.types.Operator):
    """Set the sliders of one group, or all, back to the mean head"""

    bl_idname = "facegen.reset_sliders"
    bl_label = "Reset Sliders"
    bl_options = {"REGISTER", "UNDO"}

    group: StringProperty(name="Group", description="Empty: all")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Reset them."""
        head = self.head(context)
        head.move_to(reset(head.model, head.parameters, self.group))


class FACEGEN_OT_show_slider(HeadOperator, bpy.types.Operator):
    """Show what this slider does: the head at its lowest and at its highest believable value"""

    bl_idname = "facegen.show_slider"
    bl_label = "Show Slider"
    bl_options = {"INTERNAL"}

    name: StringProperty(name="Slider")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Choose the slider; say where its pictures are missing."""
        model_name = _active_model(context)
        if not choose_slider(context.window_manager, model_name, self.name):
            self.report(
                {"INFO"},
                f"{self.name} is not measured; run `batch/run.py influence --model {model_name}`",
            )


class FACEGEN_OT_load_sliders(HeadOperator, bpy.types.Operator):
    """Look again for the models of this file's heads and show their sliders"""

    bl_idname = "facegen.load_sliders"
    bl_label = "Load Sliders"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> None:
        """Load what is there; ERROR if the active head's model is still missing."""
        adopt_heads()
        message = missing_model(_active_model(context))
        if message:
            raise UserError(message)


class FACEGEN_OT_choose_flame_file(bpy.types.Operator):
    """Choose a FLAME file as the model of the next head"""

    bl_idname = "facegen.choose_flame_file"
    bl_label = "Choose FLAME File"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH")  # type: ignore[valid-type]
    filter_glob: StringProperty(default="*.pkl;*.npz", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open Blender's file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remember the file."""
        context.window_manager.facegen.model = self.filepath
        return {"FINISHED"}


CLASSES = (
    FACEGEN_OT_reset_sliders,
    FACEGEN_OT_show_slider,
    FACEGEN_OT_load_sliders,
    FACEGEN_OT_choose_flame_file,
)
