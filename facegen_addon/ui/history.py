# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators and panel of the active head's history: back, forward, stars.

History is not Blender's data: a star is not undone with Ctrl-Z, and stepping pushes an undo step
only because the head changes.
"""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, IntProperty, PointerProperty

from ..scene.head import history
from ..scene.head.history_text import Entry
from .head_operator import HeadOperator, active_head
from .translations import filled

_ROWS = 8
"""Entries that the panel shows, around the one that the head is at."""


def shown_entries(
    entries: list[Entry], here: int, starred_only: bool
) -> tuple[list[tuple[int, Entry]], int, int]:
    """Entries by index that the panel shows, and how many more there are before and after."""
    chosen = [(i, entry) for i, entry in enumerate(entries) if entry.starred or not starred_only]
    before_here = sum(index < here for index, _ in chosen)
    start = max(min(before_here - _ROWS // 2, len(chosen) - _ROWS), 0)
    shown = chosen[start : start + _ROWS]
    return shown, start, len(chosen) - start - len(shown)


def title(entries: list[Entry], position: int | None) -> str:
    """The head's place in its history, e.g. "3 of 7: Nearby 20°"."""
    if position is None:
        return "Edited" if entries else "No steps yet"
    return f"{position + 1} of {len(entries)}: {entries[position].label}"


class _StepOperator(HeadOperator):
    """One entry back or forward."""

    by = 0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is an entry on that side."""
        mesh_object = active_head(context)
        if mesh_object is None:
            return False
        known = history.history_of(mesh_object)
        position = history.position(mesh_object)
        if position is None:  # going back first keeps what sliders have made
            return bool(known.entries) and (cls.by < 0 or known.cursor + 1 < len(known.entries))
        return 0 <= position + cls.by < len(known.entries)

    def run(self, context: bpy.types.Context) -> None:
        """Step."""
        history.step(self.head(context), self.by)


class FACEGEN_OT_history_back(_StepOperator, bpy.types.Operator):
    """Make the head what it was a step before, locked sliders too"""

    bl_idname = "facegen.history_back"
    bl_label = "Step Back"
    bl_options = {"REGISTER", "UNDO"}
    by = -1


class FACEGEN_OT_history_forward(_StepOperator, bpy.types.Operator):
    """Make the head what it was a step after, locked sliders too"""

    bl_idname = "facegen.history_forward"
    bl_label = "Step Forward"
    bl_options = {"REGISTER", "UNDO"}
    by = 1


class FACEGEN_OT_history_go(HeadOperator, bpy.types.Operator):
    """Make the head what it was at this step, locked sliders too"""

    bl_idname = "facegen.history_go"
    bl_label = "Go to Step"
    bl_options = {"REGISTER", "UNDO"}

    index: IntProperty(name="Step", description="Counted from 0", min=0)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Go there."""
        history.go(self.head(context), self.index)


class FACEGEN_OT_history_star(HeadOperator, bpy.types.Operator):
    """Star this step, so that it is never forgotten, or take the star away"""

    bl_idname = "facegen.history_star"
    bl_label = "Star"
    bl_options = {"REGISTER"}

    index: IntProperty(  # type: ignore[valid-type]
        name="Step", description="Counted from 0; -1: the head as it is now", default=-1, min=-1
    )

    def run(self, context: bpy.types.Context) -> None:
        """Star it or not."""
        history.star(self.head(context), None if self.index < 0 else self.index)


class FACEGEN_OT_history_forget(HeadOperator, bpy.types.Operator):
    """Forget all steps without a star but the present one"""

    bl_idname = "facegen.history_forget"
    bl_label = "Forget Steps without a Star"
    bl_options = {"REGISTER"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: this cannot be undone."""
        return context.window_manager.invoke_confirm(self, event)

    def run(self, context: bpy.types.Context) -> None:
        """Forget them; say how many."""
        count = history.forget(self.head(context))
        self.report({"INFO"}, f"{count} steps forgotten")


class FACEGEN_PG_history(bpy.types.PropertyGroup):
    """The panel's settings while Blender runs; nothing of them is saved."""

    starred_only: BoolProperty(  # type: ignore[valid-type]
        name="Only Starred", description="List only the steps with a star"
    )


class FACEGEN_PT_history(bpy.types.Panel):
    """Steps of the active head."""

    bl_label = "History"
    bl_translation_context = "FaceGen"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 30
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw where the head stands and the steps around."""
        layout = self.layout
        mesh_object = active_head(context)
        if mesh_object is None:
            layout.label(text="Select a head", icon="INFO")
            return
        entries = history.history_of(mesh_object).entries
        position = history.position(mesh_object)
        row = layout.row(align=True)
        row.operator("facegen.history_back", text="", icon="TRIA_LEFT")
        row.operator("facegen.history_forward", text="", icon="TRIA_RIGHT")
        row.separator()
        row.label(text=title(entries, position))
        starred = position is not None and entries[position].starred
        row.operator("facegen.history_star", text="", icon=_star(starred)).index = -1
        if entries:
            _draw_list(layout, context.window_manager.facegen_history, mesh_object, position)


def _draw_list(
    layout: bpy.types.UILayout,
    settings: bpy.types.PropertyGroup,
    mesh_object: bpy.types.Object,
    position: int | None,
) -> None:
    known = history.history_of(mesh_object)
    here = known.cursor if position is None else position
    rows, before, after = shown_entries(known.entries, here, settings.starred_only)
    column = layout.column(align=True)
    if before:
        earlier = filled("{count} before", count=before)
        column.label(text=earlier, icon="BLANK1", translate=False)
    for index, entry in rows:
        row = column.row(align=True)
        going = row.operator(
            "facegen.history_go", text=f"{index + 1}  {entry.label}", depress=index == position
        )
        going.index = index
        row.operator("facegen.history_star", text="", icon=_star(entry.starred)).index = index
    if after:
        column.label(text=filled("{count} after", count=after), icon="BLANK1", translate=False)
    if not rows:
        column.label(text="No step has a star", icon="INFO")
    row = layout.row(align=True)
    row.prop(settings, "starred_only", icon=_star(True), toggle=True)
    row.operator("facegen.history_forget", text="", icon="TRASH")


def _star(is_on: bool) -> str:
    return "SOLO_ON" if is_on else "SOLO_OFF"


CLASSES = (
    FACEGEN_OT_history_back,
    FACEGEN_OT_history_forward,
    FACEGEN_OT_history_go,
    FACEGEN_OT_history_star,
    FACEGEN_OT_history_forget,
    FACEGEN_PG_history,
    FACEGEN_PT_history,
)


def register() -> None:
    """Register the panel's property, and have histories saved with files."""
    bpy.types.WindowManager.facegen_history = PointerProperty(type=FACEGEN_PG_history)
    history.register()


def unregister() -> None:
    """Undo register; histories stay on their heads."""
    history.unregister()
    del bpy.types.WindowManager.facegen_history
