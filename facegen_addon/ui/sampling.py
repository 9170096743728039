# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators and panel that draw heads: a new one, one nearby, one between two, one area anew."""

from __future__ import annotations

import math
import secrets
from typing import Any

import bpy
import numpy as np
from bpy.props import EnumProperty, FloatProperty, PointerProperty, StringProperty

from ..arrays import BoolArray, FloatArray
from ..choices import DISTRIBUTIONS, SEED
from ..errors import UserError
from ..heads.catalogue import load_head_model
from ..heads.head_model import HeadModel
from ..heads.wear.outfit import BARE
from ..mapping.backward import is_trained
from ..mapping.sampling import AREAS, HeadSampler, Sampled
from ..random_streams import random_stream
from ..scene.head.head_object import MODEL_KEY, HeadObject
from ..scene.head.latents import read
from ..scene.head.locks import locked
from ..scene.head.placement import place_between, taken_room
from ..scene.workflows.drawn_heads import apply
from ..scene.workflows.new_head import add_head
from ..variety.fields import DISTRIBUTION
from .field_properties import called, property_of
from .framing import show
from .head_operator import (
    HeadOperator,
    ReportingOperator,
    active_head,
    make_active,
    movable_head,
    selected_heads,
)
from .who import WhoAsked, ask, who_of

_SEEDS = 2**31
_AREA_COLUMNS = 3
_WALK = (
    "How unlike this head, 0° being itself: most people are 90° apart (on the sphere of latents)"
)


def angle_property(description: str) -> Any:
    """An angle on the sphere of latents, radians, 0 to pi."""
    return FloatProperty(
        name="Angle",
        description=description,
        default=math.radians(20.0),
        min=0.0,
        max=math.pi,
        soft_max=math.radians(90.0),
        subtype="ANGLE",
    )


def _fraction() -> FloatProperty:
    return FloatProperty(
        name="Fraction",
        description="Where between the heads: 0 is the active one, 1 the other",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


SEED_OF_ONE = SEED.but(help="another seed, another head")


class Draw:
    """An operator that draws: pressed, it takes a new seed; scripts and redoing name one."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take a new seed."""
        self.seed = secrets.randbelow(_SEEDS)
        return self.execute(context)  # type: ignore[attr-defined, no-any-return]

    def rng(self) -> np.random.Generator:
        """A generator that is the same for the same seed."""
        return random_stream(self.seed)

    def take(self, head: HeadObject, sampled: Sampled, label: str) -> None:
        """Give the head what was drawn; say so where nothing was left to draw."""
        if not apply(head, sampled, label, self.seed):
            self.report({"INFO"}, "The head stays as it is")  # type: ignore[attr-defined]


def _locks(head: HeadObject) -> BoolArray:
    return locked(head.mesh_object, head.model.table)


class FACEGEN_OT_sample_head(WhoAsked, Draw, ReportingOperator, bpy.types.Operator):
    """Make the active head another one, or add one; locked sliders stay and the others suit them"""

    bl_idname = "facegen.sample_head"
    bl_label = "Random Head"
    bl_options = {"REGISTER", "UNDO"}

    distribution: property_of(DISTRIBUTION)  # type: ignore[valid-type]
    seed: property_of(SEED_OF_ONE)  # type: ignore[valid-type]
    model: StringProperty(  # type: ignore[valid-type]
        name="Model", description="Of the head that is added; empty: the panel's", default=""
    )

    def run(self, context: bpy.types.Context) -> None:
        """Draw it."""
        mesh_object = active_head(context)
        if mesh_object is not None:
            head = movable_head(mesh_object)
            sampled = self._sampled(head.model, head.parameters, _locks(head))
        else:
            model = load_head_model(self.model or context.window_manager.facegen.model)
            sampled = self._sampled(model, model.table.default(), np.zeros(len(model.table), bool))
            head = add_head(model, context)
            make_active(context, head.mesh_object)
            show(context, [head.mesh_object])
        self.take(head, sampled, f"Drawn: {called(self.distribution)}")

    def _sampled(self, model: HeadModel, parameters: FloatArray, locks: BoolArray) -> Sampled:
        sampler, who = HeadSampler.load(model), who_of(self)
        return sampler.sample(self.distribution, parameters, locks, self.rng(), who)


class FACEGEN_OT_sample_nearby(Draw, HeadOperator, bpy.types.Operator):
    """Walk from this head to one that looks like it, towards a face drawn at random"""

    bl_idname = "facegen.sample_nearby"
    bl_label = "Nearby"
    bl_options = {"REGISTER", "UNDO"}

    angle: angle_property(_WALK)  # type: ignore[valid-type]
    seed: property_of(SEED_OF_ONE)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Walk, from where FaceNet sees the head if that was measured."""
        head = self.head(context)
        measured = read(head.mesh_object).achieved
        sampler = HeadSampler.load(head.model)
        # Blender keeps angles in single precision, in which 180 degrees are more than pi.
        angle = min(self.angle, math.pi)
        sampled = sampler.nearby(angle, head.parameters, measured, _locks(head), self.rng())
        self.take(head, sampled, f"Nearby {math.degrees(angle):.0f}°")


class FACEGEN_OT_blend_heads(HeadOperator, bpy.types.Operator):
    """Add a head between the active head, whose clothes it wears, and the other selected one"""

    bl_idname = "facegen.blend_heads"
    bl_label = "Blend"
    bl_options = {"REGISTER", "UNDO"}

    fraction: _fraction()  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Blend, and stand the new head between the two."""
        first, second = _pair(context)
        sampler = HeadSampler.load(first.model)
        sampled = sampler.blend(first.parameters, second.parameters, self.fraction, _locks(first))
        taken = taken_room(context.view_layer)  # first, where scripts have just moved heads
        head = HeadObject.create(first.model, context.collection)
        head.mesh_object.location = place_between(
            first.mesh_object.matrix_world.translation,
            second.mesh_object.matrix_world.translation,
            taken,
        )
        apply(head, sampled, f"Blend {100 * self.fraction:.0f} %", None)
        if first.outfit != BARE:
            head.wear(first.outfit)
        make_active(context, head.mesh_object)
        show(context, [first.mesh_object, second.mesh_object, head.mesh_object])


class FACEGEN_OT_reroll_area(Draw, HeadOperator, bpy.types.Operator):
    """Draw one area of the face anew; the rest stays where it is"""

    bl_idname = "facegen.reroll_area"
    bl_label = "Re-roll Area"
    bl_options = {"REGISTER", "UNDO"}

    area: EnumProperty(  # type: ignore[valid-type]
        name="Area", items=[(area, area.capitalize(), "") for area in AREAS]
    )
    seed: property_of(SEED_OF_ONE)  # type: ignore[valid-type]

    def run(self, context: bpy.types.Context) -> None:
        """Draw it."""
        head = self.head(context)
        sampler = HeadSampler.load(head.model)
        sampled = sampler.reroll(self.area, head.parameters, _locks(head), self.rng())
        self.take(head, sampled, f"Re-roll {self.area}")


def _pair(context: bpy.types.Context) -> tuple[HeadObject, HeadObject]:
    """The active head and the other selected one; UserError if there is no such pair."""
    heads = selected_heads(context)
    active = [head for head in heads if head.mesh_object == active_head(context)]
    if len(heads) != 2 or not active:
        raise UserError(f"{len(heads)} heads are selected: select two, one of them active")
    first = active[0]
    second = next(head for head in heads if head is not first)
    if first.model.name != second.model.name:
        raise UserError(
            f"the heads are of models {first.model.name!r} and {second.model.name!r}: select two"
            " of one model"
        )
    return first, second


class FACEGEN_PG_sampling(bpy.types.PropertyGroup):
    """The panel's settings while Blender runs; nothing of them is saved."""

    distribution: property_of(DISTRIBUTION)  # type: ignore[valid-type]
    angle: angle_property(_WALK)  # type: ignore[valid-type]
    fraction: _fraction()  # type: ignore[valid-type]


class FACEGEN_PT_sample(bpy.types.Panel):
    """Heads drawn at random."""

    bl_label = "One Head at a Time"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_parent_id = "FACEGEN_PT_variety"
    bl_order = 2
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a button for each way to draw a head."""
        layout = self.layout
        head = active_head(context)
        model_name = head[MODEL_KEY] if head else context.window_manager.facegen.model
        trained = is_trained(model_name)
        column = layout.column(align=True)
        _draw_distribution(column, context, trained)
        _draw_walks(layout, context, trained)
        if head is None:
            return
        column = layout.column(align=True)
        column.label(text="Re-roll")
        grid = column.grid_flow(
            row_major=True, columns=_AREA_COLUMNS, even_columns=True, align=True
        )
        for area in AREAS:
            grid.operator("facegen.reroll_area", text=area.capitalize()).area = area


def offered_distribution(chosen: str, trained: bool) -> str:
    """The distribution that the panel's button takes: a model without B has no latents' guide."""
    return chosen if trained or chosen != "latent" else "prior"


def _draw_distribution(
    layout: bpy.types.UILayout, context: bpy.types.Context, trained: bool
) -> None:
    settings = context.window_manager.facegen_sampling
    row = layout.row(align=True)
    for name in DISTRIBUTIONS:
        choice = row.row(align=True)
        choice.enabled = trained or name != "latent"
        choice.prop_enum(settings, "distribution", name)
    offered = offered_distribution(settings.distribution, trained)
    button = layout.operator("facegen.sample_head", icon="SHADERFX")
    button.distribution = offered
    ask(button, context, offered)
    if not trained:
        layout.label(text="No real faces yet: the others work", icon="INFO")


def _draw_walks(layout: bpy.types.UILayout, context: bpy.types.Context, trained: bool) -> None:
    settings = context.window_manager.facegen_sampling
    column = layout.column(align=True)
    row = column.row(align=True)
    row.enabled = trained and active_head(context) is not None
    row.prop(settings, "angle", text="")
    row.operator("facegen.sample_nearby", icon="ORIENTATION_GIMBAL").angle = settings.angle
    row = column.row(align=True)
    row.enabled = sum(MODEL_KEY in chosen for chosen in context.selected_objects) == 2
    row.prop(settings, "fraction", text="")
    row.operator("facegen.blend_heads", icon="ARROW_LEFTRIGHT").fraction = settings.fraction


CLASSES = (
    FACEGEN_OT_sample_head,
    FACEGEN_OT_sample_nearby,
    FACEGEN_OT_blend_heads,
    FACEGEN_OT_reroll_area,
    FACEGEN_PG_sampling,
    FACEGEN_PT_sample,
)


def register() -> None:
    """Register the panel's properties."""
    bpy.types.WindowManager.facegen_sampling = PointerProperty(type=FACEGEN_PG_sampling)


def unregister() -> None:
    """Undo register."""
    del bpy.types.WindowManager.facegen_sampling
