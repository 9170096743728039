# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that read and write the FLAME parameter files of other programs."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..errors import UserError
from ..heads.catalogue import DEFAULT_FLAME, load_head_model
from ..heads.exchange.arkit.files import check_no_take
from ..heads.exchange.flame_codes import WRITABLE
from ..scene.exchange.flame_export import export_heads
from ..scene.exchange.flame_import import import_heads
from .framing import show
from .head_operator import ReportingOperator, selected_heads
from .importing import SequenceImport

_PROGRAMS = {"plain": "smplx's Names", "deca": "DECA", "emoca": "EMOCA", "mica": "MICA"}
_CONVENTIONS = [(name, _PROGRAMS[name], "") for name in WRITABLE]


class FACEGEN_OT_import_flame(SequenceImport, ReportingOperator, bpy.types.Operator, ImportHelper):
    """Add the heads of a FLAME parameter file (DECA, EMOCA, MICA, ...)"""

    bl_idname = "facegen.import_flame"
    bl_label = "Import FLAME Parameters"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(  # type: ignore[valid-type]
        default="*.npz;*.npy;*.json;*.pkl;*.frame;*.pt;*.pth;*.mat;*.csv;*.txt", options={"HIDDEN"}
    )
    model: StringProperty(  # type: ignore[valid-type]
        name="Model",
        default=DEFAULT_FLAME,
        description="Name of a FLAME head, or path of the FLAME file that the codes belong to",
    )

    def run(self, context: bpy.types.Context) -> None:
        """Add the heads, or one that moves; report what was recognised and what was not."""
        path, model = Path(self.filepath), load_head_model(self.model)
        options = {"start": self.start, "fps": self.fps or None}
        try:
            imported = import_heads(
                path, model, context.collection, context.scene.cursor.location, **options
            )
        except UserError:
            check_no_take(path, "Import ARKit Animation")
            raise
        self.report_imported(imported)
        context.view_layer.objects.active = imported.heads[0].mesh_object
        show(context, [head.mesh_object for head in imported.heads])


class FACEGEN_OT_export_flame(ReportingOperator, bpy.types.Operator, ExportHelper):
    """Write the selected heads as a FLAME parameter file"""

    bl_idname = "facegen.export_flame"
    bl_label = "Export FLAME Parameters"

    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz;*.json", options={"HIDDEN"})  # type: ignore[valid-type]
    convention: EnumProperty(name="Convention", items=_CONVENTIONS)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a head to write."""
        if not selected_heads(context):
            cls.poll_message_set("no head is selected")
            return False
        return True

    def check(self, context: bpy.types.Context) -> bool:
        """Leave the name's suffix to the user: .npz or .json."""
        return False

    def run(self, context: bpy.types.Context) -> None:
        """Write the file; report what the convention has no place for."""
        heads = selected_heads(context)
        losses = export_heads(Path(self.filepath), heads, self.convention)
        self.report({"INFO"}, f"{len(heads)} heads written to {self.filepath}")
        for line in losses:
            self.report({"WARNING"}, line)


CLASSES = (FACEGEN_OT_import_flame, FACEGEN_OT_export_flame)
