# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: read properties, call one function, report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..choices import DISTRIBUTIONS, ENGINES
from ..errors import NotReached, UserError
from ..heads.catalogue import DEFAULT_MODEL, load_head_model
from ..mapping.backward import GRADES
from ..scene.head_object import HeadObject
from ..scene.look import LIGHTS
from ..scene.variety import (
    VarietyEvent,
    VarietyRequest,
    VarietyResult,
    place_heads,
    run_variety,
)
from .head_operator import make_active
from .properties import suggest_models

_listener: Callable[[VarietyEvent], None] | None = None
_outcome: VarietyResult | BaseException | None = None


def set_listener(listener: Callable[[VarietyEvent], None] | None) -> None:
    """Have ``listener`` called with every step of the next runs; None for nobody."""
    global _listener
    _listener = listener


def last_outcome() -> VarietyResult | BaseException | None:
    """What the last run made, or the error that ended it.

    Blender hands an operator's caller no more than RuntimeError, so the cause is kept here.
    """
    return _outcome


def _choices(names: Any) -> list[tuple[str, str, str]]:
    return [(name, name.capitalize() if name.islower() else name, "") for name in names]


def _model_property(default: str) -> Any:
    """Names are suggested, but the path of any FLAME file will do."""
    return StringProperty(
        name="Model",
        description="Name of a head model, or path of a FLAME file",
        default=default,
        search=suggest_models,
        search_options={"SUGGESTION"},
    )


class FACEGEN_OT_add_head(bpy.types.Operator):
    """Add the mean head of a model at the 3D cursor"""

    bl_idname = "facegen.add_head"
    bl_label = "Add Head"
    bl_options = {"REGISTER", "UNDO"}

    model: _model_property(DEFAULT_MODEL)  # type: ignore[valid-type]
    subdivision: IntProperty(name="Subdivision", default=1, min=0, max=3)  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the head and make it active."""
        try:
            model = load_head_model(self.model)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        head = HeadObject.create(model, context.collection, self.subdivision)
        head.mesh_object.location = context.scene.cursor.location
        make_active(context, head.mesh_object)
        return {"FINISHED"}


class FACEGEN_OT_generate_variety(bpy.types.Operator):
    """Generate heads of which no two look nearer than a distance"""

    bl_idname = "facegen.generate_variety"
    bl_label = "Generate Variety"
    bl_options = {"REGISTER", "UNDO"}

    model: _model_property(VarietyRequest.model)  # type: ignore[valid-type]
    count: IntProperty(name="Heads", default=16, min=1, max=10_000)  # type: ignore[valid-type]
    distance: FloatProperty(  # type: ignore[valid-type]
        name="Distance",
        default=0.0,
        min=0.0,
        max=1.999,
        description="Cosine distance of every pair; 0: where faces stop reading as the same",
    )
    distribution: EnumProperty(name="Distribution", items=_choices(DISTRIBUTIONS))  # type: ignore[valid-type]
    engine: EnumProperty(name="Engine", items=_choices(ENGINES))  # type: ignore[valid-type]
    samples: IntProperty(name="Samples", default=16, min=1, max=4096)  # type: ignore[valid-type]
    size: IntProperty(name="Size", default=256, min=64, max=4096, subtype="PIXEL")  # type: ignore[valid-type]
    seed: IntProperty(name="Seed", default=0, min=0)  # type: ignore[valid-type]
    budget: IntProperty(  # type: ignore[valid-type]
        name="Renders at Most", default=0, min=0, description="0: ten for each head"
    )
    grade: EnumProperty(name="Grade", items=_choices(GRADES))  # type: ignore[valid-type]
    light: EnumProperty(name="Light", items=_choices(LIGHTS))  # type: ignore[valid-type]
    place: BoolProperty(  # type: ignore[valid-type]
        name="Add to Scene", default=True, description="Stand the heads in a grid at the 3D cursor"
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run to the end; ERROR with one line if the demand was wrong or was not met."""
        global _outcome
        _outcome = None
        try:
            for event in run_variety(self._request(), partial(self._tell, context)):
                self._tell(context, event)
                if event.result is not None:
                    _outcome = event.result
            if self.place and isinstance(_outcome, VarietyResult):
                place_heads(_outcome, context.collection, context.scene.cursor.location)
        except (UserError, NotReached) as error:
            _outcome = error
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            context.window_manager.progress_end()
        return {"FINISHED"}

    def _request(self) -> VarietyRequest:
        names = VarietyRequest.__dataclass_fields__
        values = {name: getattr(self, name) for name in names}
        if not self.distance:
            del values["distance"]
        return VarietyRequest(**values)

    def _tell(self, context: bpy.types.Context, event: VarietyEvent) -> None:
        if _listener is not None:
            _listener(event)
        if event.done <= 1:
            context.window_manager.progress_begin(0, max(event.total, 1))
        context.window_manager.progress_update(event.done)


CLASSES = (FACEGEN_OT_add_head, FACEGEN_OT_generate_variety)
