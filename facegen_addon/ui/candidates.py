# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes candidates for the active head as a job, shows them as a sheet, takes one by a click."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import bpy
from bpy.props import EnumProperty, IntProperty, PointerProperty

from ..errors import UserError
from ..heads.areas import AREAS
from ..mapping.backward import is_trained
from ..scene.head.head_object import ID_KEY, MODEL_KEY, HeadObject
from ..scene.render.portrait import portraits
from ..scene.workflows.candidates import (
    COUNT,
    Candidates,
    CandidatesRequest,
    make_candidates,
    take_candidate,
)
from ..variety.fields import DISTRIBUTION
from . import jobs, preferences
from .candidate_sheet import Sheet, cell_at, index_of_key
from .field_properties import property_of
from .head_operator import ReportingOperator, active_head, movable_head
from .jobs import JobOperator, Progress
from .remedies import explain
from .sampling import SEED_OF_ONE, angle_property, offered_distribution
from .who import WhoAsked, ask, who_of

_LABELS = {"draw": "Drawing", "render": "Portraits"}
_KINDS = [
    ("sample", "Any Head", "As One Head at a Time draws them"),
    ("nearby", "Nearby", "At an angle from this head"),
    *(
        (area, f"Other {area.capitalize()}", f"Only this head's {area} drawn anew")
        for area in AREAS
    ),
]
_SEEDS = 2**31

_candidates: Candidates | None = None
_sheet: Sheet | None = None


def current() -> Candidates:
    """The candidates that were made last; UserError if there are none."""
    if _candidates is None:
        raise UserError("there are no candidates: make some first")
    return _candidates


def _take(index: int) -> None:
    """Make the head that the candidates are for its candidate of this index."""
    found = current()
    take_candidate(_head(found), found, index)


def _head(found: Candidates) -> HeadObject:
    mesh_object = _object(found)
    if mesh_object is None:
        raise UserError("the head of these candidates is gone: make some for another one")
    return movable_head(mesh_object)


def _object(found: Candidates) -> bpy.types.Object | None:
    """The head that the candidates are for; None if it was deleted or is of another file."""
    return next((o for o in bpy.data.objects if o.get(ID_KEY) == found.head_id), None)


class _Settings:
    """Properties that the operator and the panel have in common."""

    kind: EnumProperty(  # type: ignore[valid-type]
        name="Kind",
        description="What the candidates share with the head",
        items=_KINDS,
        default="nearby",
    )
    angle: angle_property(  # type: ignore[valid-type]
        "How far from the head, on the sphere of latents, nearby candidates are"
    )


class FACEGEN_PG_candidates(_Settings, bpy.types.PropertyGroup):
    """The panel's settings while Blender runs; nothing of them is saved."""


class FACEGEN_OT_make_candidates(WhoAsked, _Settings, JobOperator, bpy.types.Operator):
    """Draw nine heads that the active one could become, and show them; locked sliders stay"""

    bl_idname = "facegen.make_candidates"
    bl_label = "3 x 3 Candidates"

    distribution: property_of(DISTRIBUTION)  # type: ignore[valid-type]
    seed: property_of(SEED_OF_ONE)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a head is active and no job runs."""
        return super().poll(context) and active_head(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take a new seed."""
        self.seed = secrets.randbelow(_SEEDS)
        return super().invoke(context, event)

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Draw and portray; the scene is not touched."""
        global _candidates
        mesh_object = active_head(context)
        assert mesh_object is not None, "poll has seen to it"
        # Blender keeps angles in single precision, in which 180 degrees are more than pi.
        angle = min(self.angle, math.pi)
        request = CandidatesRequest(self.kind, angle, self.distribution, self.seed, who_of(self))
        render = partial(portraits, device=preferences.of(context).device)
        with closing(make_candidates(movable_head(mesh_object), request, render)) as events:
            for event in events:
                yield Progress(_LABELS[event.stage], event.done, COUNT)
        _candidates = event.result

    def done(self, context: bpy.types.Context) -> None:
        """Show them."""
        if _view(context) is not None:
            bpy.ops.facegen.show_candidates("INVOKE_DEFAULT")


class FACEGEN_OT_take_candidate(ReportingOperator, bpy.types.Operator):
    """Make the head one of its candidates, counted row by row from 0"""

    bl_idname = "facegen.take_candidate"
    bl_label = "Take Candidate"
    bl_options = {"REGISTER", "UNDO"}

    # No limits here: Blender would silently take the nearest index for a wrong one.
    index: IntProperty(name="Index")  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Take it."""
        _take(self.index)


class FACEGEN_OT_show_candidates(bpy.types.Operator):
    """Show the sheet of candidates again"""

    bl_idname = "facegen.show_candidates"
    bl_label = "Show Candidates"
    bl_options = {"UNDO"}

    _shown: Sheet | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there are candidates for a head of this file and a view to show them in."""
        if _candidates is None or _object(_candidates) is None:
            return False
        return _view(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the sheet."""
        global _sheet
        view = _view(context)
        assert view is not None, "poll has seen to it"
        close_sheet()
        self._shown = _sheet = Sheet(*view, current().pictures)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A click or a digit takes a candidate, Esc closes; looking around is let through."""
        if self._shown is None or self._shown is not _sheet:  # closed, or opened anew
            return {"CANCELLED"}
        place = self._shown.place(context.screen)
        if place is None or (event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS"):
            close_sheet()
            return {"CANCELLED"}
        area, region, arrangement = place
        under = cell_at(arrangement, event.mouse_x - region.x, event.mouse_y - region.y)
        if under != self._shown.hovered:
            self._shown.hovered = under
            area.tag_redraw()
        chosen = under if event.type == "LEFTMOUSE" else index_of_key(event.type)
        if event.value == "PRESS" and chosen is not None:
            return self._choose(chosen)
        return {"PASS_THROUGH"} if jobs.is_harmless(context, event) else {"RUNNING_MODAL"}

    def _choose(self, index: int) -> set[str]:
        close_sheet()
        try:
            _take(index)
        except UserError as error:
            self.report({"ERROR"}, explain(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender itself ends the operator."""
        close_sheet()


def close_sheet() -> None:
    """Close the sheet, if one is open."""
    global _sheet
    if _sheet is not None:
        _sheet.close()
        _sheet = None
        for area in bpy.context.screen.areas if bpy.context.screen is not None else ():
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _view(context: bpy.types.Context) -> tuple[bpy.types.Area, bpy.types.Region] | None:
    """The 3D view and the region of it to show a sheet in: where the mouse was, or the largest.

    None in background mode, and where no 3D view is open.
    """
    if bpy.app.background or context.window is None:
        return None
    areas = [area for area in context.window.screen.areas if area.type == "VIEW_3D"]
    if not areas:
        return None
    largest = max(areas, key=lambda area: area.width * area.height)
    area = context.area if context.area in areas else largest
    if context.region is not None and context.region.type == "WINDOW" and area == context.area:
        return area, context.region
    regions = [region for region in area.regions if region.type == "WINDOW"]
    return area, max(regions, key=lambda region: region.width * region.height)


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The panel's part about candidates."""
    header, body = layout.panel("FACEGEN_candidates")
    header.label(text="Candidates")
    if body is None:
        return
    settings = context.window_manager.facegen_candidates
    column = body.column()
    row = column.row(align=True)
    row.prop(settings, "kind", text="")
    angle = row.row(align=True)
    angle.active = settings.kind == "nearby"
    angle.prop(settings, "angle", text="")
    row = column.row(align=True)
    row.scale_y = 1.2
    button = row.operator("facegen.make_candidates", icon="LIGHTPROBE_VOLUME")
    button.kind, button.angle = settings.kind, settings.angle
    head = active_head(context)
    if head is None:
        column.label(text="Add or select a head first", icon="INFO")
        return
    chosen = context.window_manager.facegen_sampling.distribution
    button.distribution = offered_distribution(chosen, is_trained(head[MODEL_KEY]))
    ask(button, context, button.distribution)
    row.operator("facegen.show_candidates", text="", icon="WINDOW")


CLASSES = (
    FACEGEN_PG_candidates,
    FACEGEN_OT_make_candidates,
    FACEGEN_OT_take_candidate,
    FACEGEN_OT_show_candidates,
)


@bpy.app.handlers.persistent
def _close_before(*_: object) -> None:
    """Another file has other windows."""
    close_sheet()


def register() -> None:
    """Register the panel's settings, and close the sheet before another file is opened."""
    bpy.types.WindowManager.facegen_candidates = PointerProperty(type=FACEGEN_PG_candidates)
    bpy.app.handlers.load_pre.append(_close_before)


def unregister() -> None:
    """Undo register; candidates are forgotten."""
    global _candidates
    close_sheet()
    _candidates = None
    bpy.app.handlers.load_pre.remove(_close_before)
    del bpy.types.WindowManager.facegen_candidates
