# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that animates a head by a recording of ARKit's blend shapes."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..heads.catalogue import load_head_model
from ..scene.exchange.arkit_import import import_arkit
from .framing import show
from .head_operator import ReportingOperator, active_head, make_active, movable_head
from .importing import SequenceImport
from .properties import model_property


class FACEGEN_OT_import_arkit(SequenceImport, ReportingOperator, bpy.types.Operator, ImportHelper):
    """Animate a head by ARKit's 52 blend shapes (Live Link Face, Audio2Face, Face Cap, ...)"""

    bl_idname = "facegen.import_arkit"
    bl_label = "Import ARKit Animation"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(  # type: ignore[valid-type]
        default="*.csv;*.json;*.txt", options={"HIDDEN"}
    )
    onto_active: BoolProperty(  # type: ignore[valid-type]
        name="Onto the Active Head",
        description="Animate the active head, whose face and locked sliders stay, instead of"
        " adding one",
        default=False,
    )
    model: model_property()  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Add the head, or move the active one; report what was recognised and what was not."""
        mesh_object = active_head(context) if self.onto_active else None
        target = movable_head(mesh_object) if mesh_object else load_head_model(self.model)
        imported = import_arkit(
            Path(bpy.path.abspath(self.filepath)),
            target,
            context.collection,
            context.scene.cursor.location,
            start=self.start,
            fps=self.fps or None,
        )
        self.report_imported(imported)
        make_active(context, imported.heads[0].mesh_object)
        if mesh_object is None:
            show(context, [imported.heads[0].mesh_object])


CLASSES = (FACEGEN_OT_import_arkit,)
