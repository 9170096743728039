# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator and panel of Generate Variety."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cache
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface
from bpy.props import BoolProperty, PointerProperty, StringProperty

from ..choices import SAMPLES, SEED, SIZE
from ..encoders.encoder import DEFAULT_ENCODER, same_face_threshold
from ..generators import retold
from ..heads.catalogue import load_head_model
from ..heads.wear.outfit import Outfit, check_dressed
from ..request_fields import RequestField, fields_of
from ..scene.head.head_object import MODEL_KEY, HeadObject
from ..scene.head.locks import count_locked, locked
from ..scene.workflows import made_variety
from ..scene.workflows.variety import run_variety
from ..scene.workflows.variety_placing import place_heads
from ..variety import predicted
from ..variety.fields import APART, COUNT, DISTANCE, DISTRIBUTION, FILL_GAPS, GRADE, MODEL
from ..variety.held import Held
from ..variety.predicted import PredictedVariety, predict_variety
from ..variety.request import VarietyRequest
from ..variety.result import VarietyResult
from . import candidates, file_states, jobs, preferences
from .fetching import draw_offer
from .field_properties import property_of
from .framing import show
from .head_operator import active_head, make_active
from .jobs import JobOperator, Progress
from .properties import suggest_models
from .translations import filled
from .who import ask

LABELS = {"sample": "Choosing faces", "render": "Heads"}
"""Stages of a variety -> how a job's progress calls them."""


_ON_PANEL = (COUNT, DISTANCE, APART, DISTRIBUTION, GRADE, SEED, SAMPLES, SIZE)
_SHOWN_OTHERWISE = {MODEL.name: {"search": suggest_models, "search_options": {"SUGGESTION"}}}


def _properties(fields: Iterable[RequestField]) -> dict[str, Any]:
    return {
        field.name: property_of(field, **_SHOWN_OTHERWISE.get(field.name, {})) for field in fields
    }


class _OnPanel:
    __annotations__ = _properties(_ON_PANEL)


class _Asked:
    __annotations__ = _properties(fields_of(VarietyRequest))


class FACEGEN_PG_variety(_OnPanel, bpy.types.PropertyGroup):
    """The panel's settings, and a line on the last run; saved with the scene, as its heads are."""

    last: StringProperty(name="Last Variety")  # type: ignore[valid-type]


class FACEGEN_OT_generate_variety(_Asked, JobOperator, bpy.types.Operator):
    """Generate heads of which no two look nearer than a distance"""

    bl_idname = "facegen.generate_variety"
    bl_label = "Generate Variety"
    bl_options = {"UNDO"}

    place: BoolProperty(  # type: ignore[valid-type]
        name="Add to Scene",
        default=True,
        description="Stand the heads in a grid where there is room for it",
    )
    keep_locked: BoolProperty(  # type: ignore[valid-type]
        name="Keep Locked",
        default=True,
        description="What is locked on the active head stays as it is there, on all of them",
    )
    keep_images: BoolProperty(  # type: ignore[valid-type]
        name="Keep Images",
        description="Keep the render of each head in the scene, as bytes, for a script to read",
    )

    predicted: BoolProperty(  # type: ignore[valid-type]
        name="By Prediction",
        description="Tell heads apart by what surrogates of FaceNet predict, with a margin for"
        " their error, instead of renders: needs no FaceNet, but nothing was seen",
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """What it does, and what holds of the heads."""
        if not properties.predicted:
            return str(cls.__doc__)
        said = predicted.guarantee(properties.distance or _threshold(), pgettext_iface)
        return f"{cls.__doc__}. {' '.join(said)}"

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Generate, then place; what was made stays in the scene (made_variety)."""
        made_variety.forget_error(context.scene)
        request = self._request(context)
        held = _held(context, request.model) if self.keep_locked else None
        if self.predicted:
            yield from _predicting(context, request, held)
            return
        with closing(run_variety(request, held)) as events:
            for event in events:
                yield Progress(LABELS[event.stage], event.done, event.total)
        result = event.result
        assert result is not None, "the last event has it"
        if self.place:
            yield from _placing(context, result, request.outfit)
        made_variety.keep(context.scene, result, images=self.keep_images)

    def fail(self, context: bpy.types.Context, error: BaseException, text: str) -> set[str]:
        """Leave the error in the scene, since Blender hands a caller no more than RuntimeError."""
        made_variety.keep_error(context.scene, error, text)
        return super().fail(context, error, text)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run to the end; Ctrl-C, which Blender would print the whole way of, is one line too."""
        try:
            return super().execute(context)
        except KeyboardInterrupt as stop:
            return self.fail(context, stop, "KeyboardInterrupt: stopped")

    def _request(self, context: bpy.types.Context) -> VarietyRequest:
        values = {field.name: getattr(self, field.name) for field in fields_of(VarietyRequest)}
        values[FILL_GAPS.name] = tuple(run.name for run in values[FILL_GAPS.name])
        return VarietyRequest(**values, device=preferences.of(context).device)


def _held(context: bpy.types.Context, model_name: str) -> Held | None:
    """What is locked on the active head; None where nothing is, or it is of another model."""
    mesh_object = active_head(context)
    if mesh_object is None or mesh_object[MODEL_KEY] != load_head_model(model_name).name:
        return None
    head = HeadObject.of(mesh_object)
    kept = locked(mesh_object, head.model.table)
    return Held(head.parameters, kept) if kept.any() else None


def _predicting(
    context: bpy.types.Context, request: VarietyRequest, held: Held | None
) -> Iterator[Progress]:
    """Choose heads by prediction and stand them in the scene, which keeps no latents of renders."""
    model = load_head_model(request.model)
    if request.wear:
        check_dressed(model)
    choosing = predict_variety(request, model, held=held)
    with closing(choosing):
        result = yield from retold(
            choosing, lambda event: Progress(LABELS[event.stage], event.done, event.total)
        )
    yield from _placing(context, result, request.outfit)
    made_variety.forget(context.scene)


def _placing(
    context: bpy.types.Context, result: VarietyResult | PredictedVariety, outfit: Outfit
) -> Iterator[Progress]:
    """Stand the heads at the 3D cursor in an outfit and select them."""
    count = len(result.heads)
    placing = place_heads(result, context.collection, context.scene.cursor.location, outfit)
    head_ids = []
    with closing(placing) as heads:
        for done, head in enumerate(heads, start=1):
            head_ids.append(head.head_id)
            yield Progress("Placing", done, count)
    _select(context, head_ids)
    context.scene.facegen_variety.last = result.summary


def _select(context: bpy.types.Context, head_ids: list[str]) -> None:
    """Select these heads alone, the first as the active object, and have them seen."""
    objects = [HeadObject.find(head_id).mesh_object for head_id in head_ids]
    make_active(context, objects[0])
    for mesh_object in objects:
        mesh_object.select_set(True)
    show(context, objects)


class FACEGEN_PT_variety(bpy.types.Panel):
    """Many heads that differ, and candidates for the active one."""

    bl_label = "Variety"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_order = 20

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the running job, or what can be asked for."""
        layout = self.layout
        if jobs.draw(layout):
            return
        settings = context.scene.facegen_variety
        _draw_settings(layout, settings)
        _draw_button(layout, context, settings)
        if settings.last:
            layout.label(text=settings.last, icon="CHECKMARK")
        candidates.draw(layout, context)


def _draw_settings(layout: bpy.types.UILayout, settings: FACEGEN_PG_variety) -> None:
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    column.prop(settings, "count")
    column.prop(settings, "distance")
    said = filled("0: as unlike as two people ({threshold})", threshold=f"{_threshold():.2f}")
    column.label(text=said, icon="INFO", translate=False)
    column.prop(settings, "seed")
    header, body = layout.panel("FACEGEN_variety_advanced", default_closed=True)
    header.label(text="Advanced")
    if body is None:
        return
    body.use_property_split, body.use_property_decorate = True, False
    body.prop(settings, "distribution")
    grade = body.row()
    grade.enabled = settings.distribution == "latent"
    grade.prop(settings, "grade")
    body.prop(settings, "apart_in")
    body.prop(settings, "samples")
    body.prop(settings, "size")


def _draw_button(
    layout: bpy.types.UILayout, context: bpy.types.Context, settings: FACEGEN_PG_variety
) -> None:
    """The button, and what holds of its heads where FaceNet cannot see them."""
    row = layout.row()
    row.scale_y = 1.4
    button = row.operator("facegen.generate_variety", icon="OUTLINER_OB_GROUP_INSTANCE")
    for field in _ON_PANEL:
        setattr(button, field.name, getattr(settings, field.name))
    ask_button(button, context, settings.distribution)
    head = active_head(context)
    if head is not None and head[MODEL_KEY] == button.model and count_locked(head):
        staying = filled("{count} locked sliders stay", count=count_locked(head))
        layout.label(text=staying, icon="LOCKED", translate=False)
    if button.predicted:
        row.enabled = settings.distribution == "latent"
        if not row.enabled:
            layout.label(text="Without FaceNet: Real Faces alone", icon="ERROR")
        draw_guarantee(layout, settings.distance)


def ask_button(button: Any, context: bpy.types.Context, distribution: str) -> None:
    """Have a variety's button ask for whom the panels ask for, by renders if FaceNet is there."""
    ask(button, context, distribution)
    button.model = context.window_manager.facegen.model
    facenet = file_states.facenet()
    button.predicted = facenet is not None and not facenet.usable  # None: not looked for yet


def draw_guarantee(layout: bpy.types.UILayout, distance: float) -> None:
    """Say what holds of a variety by prediction, and where FaceNet is to be had."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    lines = predicted.guarantee(distance or _threshold(), pgettext_iface)
    for number, line in enumerate(lines):
        column.label(text=line, icon="BLANK1" if number else "INFO", translate=False)
    draw_offer(layout, DEFAULT_ENCODER)


@cache
def _threshold() -> float:
    return same_face_threshold()


CLASSES = (FACEGEN_PG_variety, FACEGEN_OT_generate_variety, FACEGEN_PT_variety)


def register() -> None:
    """Register the panel's settings."""
    bpy.types.Scene.facegen_variety = PointerProperty(type=FACEGEN_PG_variety)


def unregister() -> None:
    """Undo register; what was set stays in the file."""
    del bpy.types.Scene.facegen_variety
