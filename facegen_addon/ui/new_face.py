# SPDX-License-Identifier: GPL-3.0-or-later
"""The first buttons of the panel: somebody new, and six people who differ."""

from __future__ import annotations

import bpy
import numpy as np
from bpy.props import StringProperty

from ..heads.catalogue import load_head_model
from ..mapping.backward import is_trained
from ..mapping.sampling import HeadSampler
from ..scene.workflows.new_head import add_drawn_head
from ..variety.fields import DISTRIBUTION
from . import jobs, variety, warm_up
from .field_properties import property_of
from .framing import show
from .head_operator import ReportingOperator, make_active
from .sampling import SEED_OF_ONE, Draw, offered_distribution
from .translations import filled
from .who import WhoAsked, ask, who_of

_SEVERAL = 6


class FACEGEN_OT_new_face(WhoAsked, Draw, ReportingOperator, bpy.types.Operator):
    """Add somebody who could exist, beside what stands there, and look at the face"""

    bl_idname = "facegen.new_face"
    bl_label = "New Face"
    bl_options = {"REGISTER", "UNDO"}

    distribution: property_of(DISTRIBUTION)  # type: ignore[valid-type]
    seed: property_of(SEED_OF_ONE)  # type: ignore[valid-type]
    model: StringProperty(  # type: ignore[valid-type]
        name="Model", description="Head model of the new head; empty: the panel's", default=""
    )

    def run(self, context: bpy.types.Context) -> None:
        """Draw a face, where real faces lie if the model has latents, else of its prior; add it."""
        model = load_head_model(self.model or context.window_manager.facegen.model)
        distribution = offered_distribution(self.distribution, is_trained(model.name))
        start, free = model.table.default(), np.zeros(len(model.table), bool)
        sampler = HeadSampler.load(model)
        sampled = sampler.sample(distribution, start, free, self.rng(), who_of(self))
        head = add_drawn_head(model, sampled, context, self.bl_label, self.seed)
        make_active(context, head.mesh_object)
        show(context, [head.mesh_object])


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the buttons; they ask for whom People to Draw asks for.

    A job shows in their place, as high as they are, so that nothing below moves.
    """
    column = layout.column()
    column.scale_y = 1.5
    if jobs.draw(column, align=False):
        return
    model_name = context.window_manager.facegen.model
    warm_up.begin(model_name)
    distribution = offered_distribution(DISTRIBUTION.default, is_trained(model_name))
    button = column.operator("facegen.new_face", icon="USER")
    button.distribution = distribution
    ask(button, context, distribution)
    several = column.operator(
        "facegen.generate_variety",
        text=filled("{count} Different Faces", count=_SEVERAL),
        icon="COMMUNITY",
        translate=False,
    )
    several.count, several.distribution = _SEVERAL, distribution
    variety.ask_button(several, context, distribution)


CLASSES = (FACEGEN_OT_new_face,)
