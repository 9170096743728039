# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes candidates for the active head as a job, shows them as a sheet, takes one by a click."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as translated
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty

from ..errors import UserError
from ..heads.areas import AREAS
from ..heads.catalogue import load_head_model
from ..mapping.backward import is_trained
from ..scene.head import history
from ..scene.head.head_object import ID_KEY, MODEL_KEY, HeadObject
from ..scene.render.portrait import portraits
from ..scene.workflows.candidates import (
    COUNT,
    Candidates,
    CandidatesRequest,
    make_candidates,
    take_candidate,
)
from ..variety.fields import DISTRIBUTION, WHO
from . import jobs, preferences
from .candidate_pages import Pages, Tile
from .candidate_sheet import TITLE, Sheet, cell_at, index_of_key
from .field_properties import property_of
from .head_operator import ReportingOperator, active_head, movable_head
from .jobs import JobOperator, Progress
from .remedies import explain
from .sampling import SEED_OF_ONE, angle_property, offered_distribution
from .sheet_marks import mark_at
from .translations import filled
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
_TURNS = {"LEFT_ARROW": -1, "PAGE_UP": -1, "RIGHT_ARROW": 1, "PAGE_DOWN": 1}
_LETTERS = {"S": "star", "L": "lock"}
_FILTER_NAMES = {"starred": "Starred", "women": "Women", "men": "Men"}
_ASKED = ("kind", "angle", "distribution", *(field.name for field in WHO))

_pages = Pages()
_asked: dict[str, Any] = {}
"""What the candidates that were made last were asked for by, their seed aside."""
_sheet: Sheet | None = None


def current() -> Candidates:
    """The candidates that were made last; UserError if there are none."""
    return _pages.latest


def _take(found: Candidates, index: int) -> None:
    """Make the head that the candidates are for its candidate of this index; its star stays."""
    head = _head(found)
    take_candidate(head, found, index)
    if _pages.is_starred(Tile(found, index)):
        _star(head)


def _star(head: HeadObject) -> None:
    """Star the head's state in its history."""
    entries = history.history_of(head.mesh_object)
    place = entries.position(head.parameters)
    if place is not None and not entries.entries[place].starred:
        history.star(head, place)


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
        "How unlike the head nearby candidates are, 0° being itself: most people are 90° apart (on"
        " the sphere of latents)"
    )


class FACEGEN_PG_candidates(_Settings, bpy.types.PropertyGroup):
    """The panel's settings while Blender runs; nothing of them is saved."""


class FACEGEN_OT_make_candidates(WhoAsked, _Settings, JobOperator, bpy.types.Operator):
    """Draw nine heads that the active one could become, and show them; locked sliders stay"""

    bl_idname = "facegen.make_candidates"
    bl_label = "3 x 3 Candidates"

    distribution: property_of(DISTRIBUTION)  # type: ignore[valid-type]
    seed: property_of(SEED_OF_ONE)  # type: ignore[valid-type]
    more: BoolProperty(  # type: ignore[valid-type]
        name="More",
        description="Nine more for the head of the last ones, of which those with a padlock stay",
        options={"HIDDEN", "SKIP_SAVE"},
    )

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
        mesh_object = _object(current()) if self.more else active_head(context)
        if mesh_object is None:
            raise UserError("the head of these candidates is gone: make some for another one")
        kept = _pages.kept() if self.more else {}
        asked = {name: getattr(self, name) for name in _ASKED}
        # Blender keeps angles in single precision, in which 180 degrees are more than pi.
        angle = min(self.angle, math.pi)
        request = CandidatesRequest(self.kind, angle, self.distribution, self.seed, who_of(self))
        render = partial(portraits, device=preferences.of(context).device)
        with closing(make_candidates(movable_head(mesh_object), request, render, kept)) as events:
            for event in events:
                yield Progress(_LABELS[event.stage], event.done, COUNT)
        assert event.result is not None, "the last event has it"
        people = load_head_model(event.result.model).attributes(event.result.parameters)
        _pages.add(event.result, None if people is None else people[:, 0])
        _asked.clear()
        _asked.update(asked)

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
        _take(current(), self.index)


class FACEGEN_OT_show_candidates(bpy.types.Operator):
    """Show the sheet of candidates again"""

    bl_idname = "facegen.show_candidates"
    bl_label = "Show Candidates"
    bl_options = {"UNDO"}

    _shown: Sheet | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there are candidates for a head of this file and a view to show them in."""
        if not _pages.made or _object(current()) is None:
            return False
        return _view(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the sheet."""
        global _sheet
        view = _view(context)
        assert view is not None, "poll has seen to it"
        close_sheet()
        self._shown = _sheet = Sheet(*view)
        _show_page(_sheet)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A click or a digit takes a candidate, Esc closes; looking around is let through.

        Letters and arrows are the hints below the pictures; with Shift a digit stars a candidate,
        with Ctrl it locks it.
        """
        if self._shown is None or self._shown is not _sheet:  # closed, or opened anew
            return {"CANCELLED"}
        place = self._shown.place(context.screen)
        if place is None or (event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS"):
            close_sheet()
            return {"CANCELLED"}
        area, region, arrangement = place
        mouse = event.mouse_x - region.x, event.mouse_y - region.y
        under = cell_at(arrangement, *mouse)
        if under != self._shown.hovered:
            self._shown.hovered = under
            area.tag_redraw()
        if event.value != "PRESS":
            return _passed(context, event)
        if event.type == "N":
            return self._make_more()
        if _press(event, under, mark_at(arrangement.cells, arrangement.scale, *mouse)):
            _show_page(self._shown)
            area.tag_redraw()
            return {"RUNNING_MODAL"}
        chosen = under if event.type == "LEFTMOUSE" else index_of_key(event.type)
        if chosen is not None and chosen < len(_pages.shown):
            return self._choose(_pages.shown[chosen])
        return _passed(context, event)

    def _make_more(self) -> set[str]:
        """Close the sheet; it comes again with nine more."""
        close_sheet()
        if not bpy.ops.facegen.make_candidates.poll():
            self.report({"ERROR"}, "no more can be made now: select the head, or stop the job")
            return {"CANCELLED"}
        bpy.ops.facegen.make_candidates("INVOKE_DEFAULT", more=True, **_asked)
        return {"FINISHED"}

    def _choose(self, tile: Tile) -> set[str]:
        close_sheet()
        try:
            _take(tile.made, tile.index)
        except UserError as error:
            self.report({"ERROR"}, explain(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender itself ends the operator."""
        close_sheet()


def _passed(context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
    """What the sheet does not want: looking around is let through."""
    return {"PASS_THROUGH"} if jobs.is_harmless(context, event) else {"RUNNING_MODAL"}


def _press(event: Any, under: int | None, mark: tuple[int, str] | None) -> bool:
    """Turn a page, choose a filter, or mark a candidate, as a pressed key or button asks.

    under: index of the picture under the mouse; mark: index and mark there. False for others.
    """
    digit = index_of_key(event.type)
    if event.type in _TURNS:
        _pages.turn(_TURNS[event.type])
    elif event.type == "F":
        _pages.next_filter()
    elif event.type == "LEFTMOUSE" and mark is not None:
        _mark(*mark)
    elif event.type in _LETTERS and under is not None:
        _mark(under, _LETTERS[event.type])
    elif digit is not None and (event.shift or event.ctrl):
        _mark(digit, "star" if event.shift else "lock")
    else:
        return False
    return True


def _mark(index: int, mark: str) -> None:
    if index < len(_pages.shown):
        _pages.toggle(_pages.shown[index], mark)


def _show_page(sheet: Sheet) -> None:
    """Have the sheet show the page, its marks, and a line that says which it is."""
    tiles = _pages.shown
    marked = [
        {*(["star"] if _pages.is_starred(t) else []), *(["lock"] if _pages.is_locked(t) else [])}
        for t in tiles
    ]
    sheet.show([tile.picture for tile in tiles], marked, title(_pages))


def title(pages: Pages) -> str:
    """What stands above the pictures, in Blender's language."""
    which = translated(_FILTER_NAMES.get(pages.filter, ""))
    if which and not pages.shown:
        return filled("{which}: none yet  ·  F shows others  ·  Esc to close", which=which)
    place = ""
    if pages.count > 1:
        place = filled("{number} of {count}", number=pages.number + 1, count=pages.count)
    return "  ·  ".join(filter(None, (which, place, translated(TITLE))))


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
    global _pages
    close_sheet()
    _pages = Pages()
    bpy.app.handlers.load_pre.remove(_close_before)
    del bpy.types.WindowManager.facegen_candidates
