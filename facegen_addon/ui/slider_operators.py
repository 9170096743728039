# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the Head panel: reset, lock, show, rank and load sliders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

import bpy
import numpy as np
from bpy.props import StringProperty

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import UserError
from ..generators import retold
from ..heads.catalogue import load_head_model
from ..heads.parameters import ParameterTable
from ..heads.sections import section_columns
from ..mapping import ranking
from ..scene.head import locks
from ..scene.head.head_object import MODEL_KEY
from . import jobs, preferences
from .head_operator import HeadOperator, active_head
from .properties import (
    adopt_heads,
    choose_slider,
    keep_ranking,
    missing_model,
    model_sliders,
)
from .short_lists import view_property, viewed

RANKING = "Ranking"
"""Label of the job that ranks sliders."""


def chosen_columns(
    table: ParameterTable, name: str = "", group: str = "", section: str = ""
) -> Annotated[IntArray, "K"]:
    """Columns of one parameter, else of one section of the panel, else of one group, else of all;
    UserError if there is none."""
    if name:
        return np.array([table.index(name)])
    if section:
        return section_columns(table, section)
    if not group:
        return np.arange(len(table))
    if group not in table.groups:
        raise UserError(f"unknown group {group!r}; choose from {', '.join(table.groups)}")
    return table.columns(group)


def reset(
    table: ParameterTable,
    parameters: Annotated[FloatArray, "P"],
    locked: Annotated[BoolArray, "P"],
    columns: Annotated[IntArray, "K"],
) -> Annotated[FloatArray, "P"]:
    """Parameters (P,) with those of columns (K,) at their mean, but for locked ones (P,)."""
    chosen = np.zeros(len(table), np.bool_)
    chosen[columns] = True
    return np.where(chosen & ~locked, table.mean, parameters)


def _shown(table: ParameterTable, model_name: str, view: str) -> BoolArray:
    """The parameters (P,) that a view of the panel shows."""
    sliders = model_sliders(model_name)
    return viewed(table, sliders.ranking if sliders else None, view)


def _active_model(context: bpy.types.Context) -> str:
    head = active_head(context)
    assert head is not None, "poll has seen to it"
    return str(head[MODEL_KEY])


class FACEGEN_OT_reset_sliders(HeadOperator, bpy.types.Operator):
    """Set the sliders of one section, or all, back to the mean head; locked ones stay"""

    bl_idname = "facegen.reset_sliders"
    bl_label = "Reset Sliders"
    bl_options = {"REGISTER", "UNDO"}

    group: StringProperty(name="Group", description="Empty: all")  # type: ignore[valid-type]
    section: StringProperty(name="Section", description="Of the panel, such as face/Nose")  # type: ignore[valid-type]
    view: view_property()  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Reset those that the view shows."""
        head = self.head(context)
        table = head.model.table
        kept = locks.locked(head.mesh_object, table) | ~_shown(table, head.model.name, self.view)
        columns = chosen_columns(table, group=self.group, section=self.section)
        head.move_to(reset(table, head.parameters, kept, columns))


class FACEGEN_OT_toggle_lock(HeadOperator, bpy.types.Operator):
    """Lock: sampling and resetting leave this alone, you can still move it. Again to unlock"""

    bl_idname = "facegen.toggle_lock"
    bl_label = "Lock Sliders"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Slider", description="Empty: its group")  # type: ignore[valid-type]
    group: StringProperty(name="Group", description="Empty: all")  # type: ignore[valid-type]
    section: StringProperty(name="Section", description="Of the panel, such as face/Nose")  # type: ignore[valid-type]
    view: view_property()  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Lock all that the view shows, or unlock them if all are locked."""
        head = self.head(context)
        table = head.model.table
        columns = chosen_columns(table, self.name, self.group, self.section)
        if not self.name:
            columns = columns[_shown(table, head.model.name, self.view)[columns]]
        all_locked = locks.locked(head.mesh_object, table)[columns].all()
        names = [table.names[column] for column in columns]
        locks.set_locked(head.mesh_object, names, not all_locked)


class FACEGEN_OT_toggle_pin(HeadOperator, bpy.types.Operator):
    """Pin: moving other characteristics leaves this one as it is. Again to take the pin out"""

    bl_idname = "facegen.toggle_pin"
    bl_label = "Pin Characteristic"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Characteristic")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Pin it, or take its pin out; UserError where the model has no such characteristic."""
        head = self.head(context)
        known = head.model.characteristics
        if known is None:
            raise UserError(f"head model {head.model.name!r} has sliders of such things itself")
        known.index(self.name)
        locks.set_pinned(
            head.mesh_object, self.name, self.name not in locks.pinned(head.mesh_object)
        )


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
                f"{self.name} of {model_name} is not measured: there is no picture of it",
            )


class FACEGEN_OT_rank_sliders(jobs.JobOperator, bpy.types.Operator):
    """Find out which sliders of this model make the visual variety: once, a minute at most"""

    bl_idname = "facegen.rank_sliders"
    bl_label = "Rank Sliders"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a head is active, and no job runs."""
        return active_head(context) is not None and super().poll(context)

    def steps(self, context: bpy.types.Context) -> Iterator[jobs.Progress]:
        """Rank by the model's surrogates and keep the ranking; UserError where it has none."""
        model = load_head_model(_active_model(context))
        work = ranking.compute_steps(model)
        ranked = yield from retold(work, lambda step: jobs.Progress(RANKING, *step))
        ranking.save(ranked, ranking.cached_path(model.name))
        keep_ranking(model.name, ranked)


class FACEGEN_OT_load_sliders(HeadOperator, bpy.types.Operator):
    """Look again for the models of this file's heads and show their sliders"""

    bl_idname = "facegen.load_sliders"
    bl_label = "Load Sliders"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> None:
        """Load what is there; ERROR if the active head's model is still missing.

        FLAME files that the preferences list are read again: their cache may have been cleared.
        """
        for path in preferences.flame_files():
            with suppress(UserError):  # the preferences say what is wrong with it
                load_head_model(str(path))
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
    FACEGEN_OT_toggle_lock,
    FACEGEN_OT_toggle_pin,
    FACEGEN_OT_show_slider,
    FACEGEN_OT_rank_sliders,
    FACEGEN_OT_load_sliders,
    FACEGEN_OT_choose_flame_file,
)
