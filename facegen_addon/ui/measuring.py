# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators and panel that measure heads, correct their shift, and show what is known of the active
one."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, PointerProperty, StringProperty

from ..encoders.encoder import DEFAULT_ENCODER, same_face_threshold
from ..errors import NotReached, UserError
from ..generators import retold
from ..scene.head import latents
from ..scene.head.head_object import MODEL_KEY, HeadObject
from ..scene.workflows import measure
from ..scene.workflows.measure import Neighbour, Outcome, Work
from . import file_states, jobs, preferences, shift_overlay
from .fetch_offers import draw_lines
from .fetching import draw_offer
from .head_operator import active_head, make_active, movable_head, selected_heads
from .head_panel import draw_sentences
from .jobs import JobOperator, Progress
from .shift_map import degrees
from .shift_overlay import Signature
from .translations import filled

_MEASURING, _CORRECTING = "Measuring", "Correcting"
_NAMED = 4  # heads at most, where they are listed
_SCOPES = [
    ("ACTIVE", "Active", "The active head"),
    ("SELECTED", "Selected", "The selected heads, or the active one if none is"),
    ("ALL", "All", "All heads of the scene"),
]

_MEANINGS = (
    "Distance: how unlike two faces look to FaceNet, which was taught to tell people apart. 0: the"
    " same picture. Most people are about 1 from one another.",
    "Below 0.51 two faces read as one person: like twins, or two photos of somebody.",
    "Off by: how far the head came out from the face that was asked for, as an angle and as a"
    " distance. Below 61° (0.51) it still reads as that face.",
)


@dataclass(frozen=True)
class Summary:
    """The figures that the panel shows of a head.

    measured, moved: whether its latent is known, or was before it moved; shift, before: cosine
    distances to the requested latent; as_asked: whether that still reads as the same face; nearest,
    farthest: of the other measured heads; at_rest: neither expression nor pose. None: not known.
    """

    measured: bool
    moved: bool
    shift: float | None = None
    before: float | None = None
    as_asked: bool | None = None
    nearest: Neighbour | None = None
    farthest: Neighbour | None = None
    at_rest: bool = True


def summarise(mesh_object: bpy.types.Object, others: list[bpy.types.Object]) -> Summary:
    """The summary of a head among others."""
    known = latents.read(mesh_object)
    if known.achieved is None:
        return Summary(False, latents.moved_since(mesh_object))
    head = HeadObject.of(mesh_object)
    nearest, farthest = measure.neighbours(mesh_object, others) or (None, None)
    return Summary(
        measured=True,
        moved=False,
        shift=known.shift,
        before=known.shift_before,
        as_asked=None if known.shift is None else known.shift < same_face_threshold(),
        nearest=nearest,
        farthest=farthest,
        at_rest=measure.at_rest(head.model.table, head.parameters),
    )


def shift_text(distance: float) -> str:
    """A cosine distance, and the angle before it: "23° (0.080)"."""
    return f"{degrees(float(np.arccos(1.0 - distance)))} ({distance:.3f})"


class _HeadsJob(JobOperator):
    """A job on heads of the scene, at whose end the scene changes."""

    scope: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a head, FaceNet to look at it, and no job that runs."""
        hint = facenet_hint()
        if hint:
            cls.poll_message_set(hint)  # type: ignore[attr-defined]
        return not hint and bool(_all_heads(context)) and super().poll(context)

    def heads(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        """The objects of the heads in scope; UserError if there is none."""
        if self.scope == "ALL":
            return _all_heads(context)
        if self.scope == "SELECTED":
            found = [head.mesh_object for head in selected_heads(context)]
        else:
            active = active_head(context)
            found = [] if active is None else [active]
        if not found:
            raise UserError(f"no head is {self.scope.lower()}: select one, or choose all")
        return found

    def tell(self, outcomes: list[Outcome], done: str) -> None:
        """Report what was done, and the heads that were left out; NotReached if these are all."""
        problems = [f"{o.name!r}: {o.problem}" for o in outcomes if o.problem]
        if problems and len(problems) == len(outcomes):
            raise NotReached(f"head {problems[0]}")
        for problem in problems:
            self.report({"WARNING"}, f"left out {problem}")
        self.report({"INFO"}, done)


class FACEGEN_OT_measure_heads(_HeadsJob, bpy.types.Operator):
    """Render heads and see by FaceNet where they lie: how far from what was asked for, and from
    one another"""

    bl_idname = "facegen.measure_heads"
    bl_label = "Measure Heads"
    bl_options = {"UNDO"}

    scope: EnumProperty(name="Heads", items=_SCOPES)  # type: ignore[valid-type]

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Measure one head after the other."""
        ids = [HeadObject.of(head).head_id for head in self.heads(context)]
        forward = measure.rendered_forward(preferences.of(context).device)
        outcomes = yield from _counted(_MEASURING, measure.measure(ids, forward), len(ids))
        measured = sum(not outcome.problem for outcome in outcomes)
        self.tell(outcomes, f"{measured} of {len(ids)} heads measured")


class FACEGEN_OT_correct_shift(_HeadsJob, bpy.types.Operator):
    """Move heads nearer to the faces they were asked to be: ask for half as much more as was
    missing, render, and keep what is nearer (corrects the roundtrip shift). Expression, pose and
    locked sliders stay"""

    bl_idname = "facegen.correct_shift"
    bl_label = "Bring Nearer"
    bl_options = {"UNDO"}

    scope: EnumProperty(name="Heads", items=_SCOPES)  # type: ignore[valid-type]

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """What it does, and to which heads."""
        chosen = _all_heads(context)
        if properties.scope != "ALL":
            chosen = [head.mesh_object for head in selected_heads(context)]
        return f"{' '.join(str(cls.__doc__).split())}. {will_change(chosen)}"

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Correct one head after the other."""
        asked = [o for o in self.heads(context) if latents.read(o).requested is not None]
        if not asked:
            raise UserError(
                "no face was asked for: make heads by New Face or Generate Variety first"
            )
        ids = [movable_head(mesh_object).head_id for mesh_object in asked]
        forward = measure.rendered_forward(preferences.of(context).device)
        work = measure.correct(ids, forward, measure.loaded_backward)
        outcomes = yield from _counted(_CORRECTING, work, len(ids))
        changed = [outcome.name for outcome in outcomes if outcome.improved]
        rest = "" if len(changed) == len(ids) else ", the others are as near as they get"
        names = f": {_listed(changed)}" if changed else ""
        self.tell(outcomes, f"{len(changed)} of {len(ids)} heads brought nearer{names}{rest}")


class FACEGEN_OT_select_head(bpy.types.Operator):
    """Select this head and make it active"""

    bl_idname = "facegen.select_head"
    bl_label = "Select Head"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Name", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select it alone; one line where that cannot be."""
        chosen = context.view_layer.objects.get(self.name)
        if chosen is None or not chosen.visible_get():
            self.report({"ERROR"}, f"head {self.name!r} is not to be seen: show it first")
            return {"CANCELLED"}
        make_active(context, chosen)
        return {"FINISHED"}


def _redraw(overlay: Any, context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


class FACEGEN_PG_overlay(bpy.types.PropertyGroup):
    """Switches of the overlay; saved with the file, in the scene."""

    show: BoolProperty(  # type: ignore[valid-type]
        name="How Far Off",
        description="A ring around each measured head, coloured by how far it came out from the"
        " face that was asked for: the roundtrip shift, an angle between two latents",
        update=_redraw,
    )
    show_map: BoolProperty(  # type: ignore[valid-type]
        name="Map",
        description="Faces as dots, alike ones together; an arrow for each head, from the face that"
        " was asked for to how it came out, and for their mean (a plane through the latents)",
        default=True,
        update=_redraw,
    )


class FACEGEN_PT_measure(bpy.types.Panel):
    """How far heads came out from what was asked for, and from one another."""

    bl_label = "Measure"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 40

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the buttons, what is known of the active head, and the overlay's switches."""
        layout = self.layout
        hint = facenet_hint()
        if hint:
            draw_lines(layout, hint, 34)
            draw_offer(layout, DEFAULT_ENCODER)
        job = jobs.current()
        if job is not None and job.label in (_MEASURING, _CORRECTING):
            jobs.draw(layout)
        else:
            row = layout.row(align=True)
            _button(row, "facegen.measure_heads", "Measure", "SELECTED", "DRIVER_DISTANCE")
            _button(row, "facegen.measure_heads", "All", "ALL")
        active = active_head(context)
        if active is not None:
            _draw_summary(layout.box().column(align=True), _summary(context, active))
            row = layout.row(align=True)
            row.enabled = latents.read(active).requested is not None
            _button(row, "facegen.correct_shift", "Bring Nearer", "SELECTED", "CON_TRACKTO")
            chosen = [o for o in context.selected_objects if MODEL_KEY in o] or [active]
            layout.label(text=will_change(chosen), icon="INFO", translate=False)
        overlay = context.scene.facegen_overlay
        row = layout.row(align=True)
        row.prop(overlay, "show", toggle=True, icon="OVERLAY")
        side = row.row(align=True)
        side.enabled = overlay.show
        side.prop(overlay, "show_map", toggle=True)
        header, body = layout.panel("FACEGEN_figures")
        header.label(text="What the Figures Mean")
        if body is not None:
            draw_sentences(body, *_MEANINGS)


def will_change(heads: Sequence[bpy.types.Object]) -> str:
    """Which of these heads Bring Nearer would change: those that were asked for by a latent."""
    names = sorted(str(o.name) for o in heads if latents.read(o).requested is not None)
    if not names:
        return filled("Changes none: no face was asked for")
    return filled("Will change: {heads}", heads=_listed(names))


def _listed(names: Sequence[str]) -> str:
    """Names, the first few of many."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    first = ", ".join(names[: _NAMED - 1])
    return filled("{heads} and {count} more", heads=first, count=len(names) - _NAMED + 1)


def facenet_hint() -> str:
    """Why nothing can be measured; empty if it can, or if that is still being found out."""
    state = file_states.facenet()
    if state is None or state.usable:
        return ""
    if state.missing:
        return "To measure heads, FaceGen needs FaceNet, which is not here yet"
    return "FaceNet's file cannot be used: see FaceGen's preferences"


def _all_heads(context: bpy.types.Context) -> list[bpy.types.Object]:
    return shift_overlay.heads_of(context.scene.objects)


def _counted(label: str, work: Work, total: int) -> Generator[Progress, None, list[Outcome]]:
    """The progress of work on heads; what it returns."""
    yield Progress(label, 0, total)
    with closing(work):
        outcomes = yield from retold(work, lambda done: Progress(label, done, total))
    return list(outcomes)


_last: tuple[str, Signature, Summary] | None = None


def _summary(context: bpy.types.Context, active: bpy.types.Object) -> Summary:
    """The active head's summary, made anew only when a head has changed."""
    global _last
    heads = _all_heads(context)
    signature = shift_overlay.signature(heads)
    if _last is None or _last[0] != active.name or _last[1].latents != signature.latents:
        _last = active.name, signature, summarise(active, heads)
    return _last[2]


def _button(
    layout: bpy.types.UILayout, operator: str, text: str, scope: str, icon: str = "NONE"
) -> None:
    layout.operator(operator, text=text, icon=icon).scope = scope


def _draw_summary(layout: bpy.types.UILayout, summary: Summary) -> None:
    if not summary.measured:
        text = "Moved since measured" if summary.moved else "Not measured yet"
        layout.label(text=text, icon="INFO")
        return
    if summary.shift is None:
        layout.label(text="No face was asked for", icon="INFO")
    else:
        _draw_figure(layout, "Off by {far}", summary.shift, "DRIVER_ROTATIONAL_DIFFERENCE")
        if summary.before is not None:
            _draw_figure(layout, "Before {far}", summary.before, "BLANK1")
        as_asked = "Reads as asked for" if summary.as_asked else "Reads as another face"
        layout.label(text=as_asked, icon="CHECKMARK" if summary.as_asked else "ERROR")
    if not summary.at_rest:
        layout.label(text="Measured as posed", icon="POSE_HLT")
    nearest, farthest = ("Nearest {far}", summary.nearest), ("Farthest {far}", summary.farthest)
    for words, neighbour in (nearest, farthest):
        if neighbour is not None:
            _draw_neighbour(layout, words, neighbour)


def _draw_figure(layout: bpy.types.UILayout, words: str, distance: float, icon: str) -> None:
    layout.label(text=filled(words, far=shift_text(distance)), icon=icon, translate=False)


def _draw_neighbour(layout: bpy.types.UILayout, words: str, neighbour: Neighbour) -> None:
    row = layout.row(align=True)
    row.label(text=filled(words, far=f"{neighbour.distance:.2f}"), translate=False)
    button = row.operator(
        "facegen.select_head",
        text=neighbour.name,
        translate=False,
        icon="LINKED" if neighbour.same_face else "RESTRICT_SELECT_OFF",
    )
    button.name = neighbour.name
    if neighbour.same_face:
        layout.label(text="Reads as the same face", icon="LINKED")


def register() -> None:
    """Register the overlay's switches, which each scene keeps."""
    bpy.utils.register_class(FACEGEN_PG_overlay)
    bpy.types.Scene.facegen_overlay = PointerProperty(type=FACEGEN_PG_overlay)


def unregister() -> None:
    """Undo register."""
    global _last
    _last = None
    del bpy.types.Scene.facegen_overlay
    bpy.utils.unregister_class(FACEGEN_PG_overlay)


CLASSES = (
    FACEGEN_OT_measure_heads,
    FACEGEN_OT_correct_shift,
    FACEGEN_OT_select_head,
    FACEGEN_PT_measure,
)
