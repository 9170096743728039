# SPDX-License-Identifier: GPL-3.0-or-later
"""The button that puts the shipped heads into Blender's asset browser."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..heads.gallery import gallery
from ..scene.workflows import presets
from ..scene.workflows.gallery_assets import write_gallery
from .jobs import JobOperator, Progress

_SAVING = "Saving heads"


class FACEGEN_OT_save_gallery(JobOperator, bpy.types.Operator):
    """Save the shipped heads as assets: drag them from the asset browser into any scene"""

    bl_idname = "facegen.save_gallery"
    bl_label = "Save the Gallery as Assets"

    when_stopped = "Stopped; the heads that were saved stay in the asset browser"

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Write them, and have the asset browser show their folder."""
        heads = gallery()
        yield Progress(_SAVING, 0, len(heads.heads))
        presets.offer_library(context.preferences)
        for done in write_gallery(heads):
            yield Progress(_SAVING, done, len(heads.heads))
        self.report(
            {"INFO"},
            f"{len(heads.heads)} heads are in the asset browser's library {presets.LIBRARY}",
        )


CLASSES = (FACEGEN_OT_save_gallery,)
