# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of operators that read other programs' files as heads."""

from __future__ import annotations

from bpy.props import FloatProperty, IntProperty

from ..scene.exchange.imported_heads import ImportedHeads


class SequenceImport:
    """Properties that place a file's frames on the timeline, and the reports of an import.

    A base beside bpy.types.Operator, which Blender wants each registered class to name itself.
    """

    start: IntProperty(  # type: ignore[valid-type]
        name="Start Frame",
        description="Frame of the scene at which a sequence begins",
        default=1,
        min=0,
        max=1_000_000,
    )
    fps: FloatProperty(  # type: ignore[valid-type]
        name="Frame Rate",
        description="Take the file's rows for frames of one head, so many a second; 0: as the file"
        " says",
        default=0.0,
        min=0.0,
        max=1000.0,
    )

    def report_imported(self, imported: ImportedHeads) -> None:
        """Report the convention, what was ignored, clamped and doubted, and the animation."""
        sliders = imported.sliders
        say = self.report  # type: ignore[attr-defined]
        say({"INFO"}, f"{len(imported.heads)} heads, convention {sliders.convention}")
        for line in (*sliders.notes, *imported.lines):
            say({"INFO"}, line)
        for line in sliders.clamped:
            say({"WARNING"}, f"clamped: {line}")
        for line in sliders.warnings:
            say({"WARNING"}, line)
