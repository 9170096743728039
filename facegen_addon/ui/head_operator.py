# SPDX-License-Identifier: GPL-3.0-or-later
"""Bases of operators, which report errors in one line; the heads that are active or selected."""

from __future__ import annotations

import bpy

from ..blas_threads import one_thread
from ..errors import NotReached, UserError
from ..scene.head.head_object import MODEL_KEY, HeadObject
from .properties import obstacle
from .remedies import explain


def active_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The mesh object of the head that is active, or whose hair is; None if no head is."""
    active = context.active_object
    if active is not None and MODEL_KEY not in active:
        active = active.parent
    return active if active is not None and MODEL_KEY in active else None


def movable_head(mesh_object: bpy.types.Object) -> HeadObject:
    """The head that this object is; UserError if its parameters cannot be set now."""
    if not mesh_object.is_editable:
        raise UserError(f"head {mesh_object.name!r} is linked from another file: make it local")
    head = HeadObject.of(mesh_object)
    hindrance = obstacle(mesh_object, head.model)
    if hindrance:
        raise UserError(f"head {mesh_object.name!r}: {hindrance}")
    return head


def selected_heads(context: bpy.types.Context) -> list[HeadObject]:
    """The selected heads by name, each once though its hair be selected too; or the active one."""
    chosen = {o if MODEL_KEY in o else o.parent for o in context.selected_objects}
    found = {o for o in chosen if o is not None and MODEL_KEY in o}
    active = active_head(context)
    if not found and active is not None:
        found.add(active)
    return [HeadObject.of(o) for o in sorted(found, key=lambda o: str(o.name))]


def make_active(context: bpy.types.Context, mesh_object: bpy.types.Object) -> None:
    """Select this object alone and make it active."""
    for selected in context.selected_objects:
        selected.select_set(False)
    mesh_object.select_set(True)
    context.view_layer.objects.active = mesh_object


class ReportingOperator:
    """An operator whose ``run`` raises UserError or NotReached for what the user can put right.

    A base beside bpy.types.Operator, which Blender wants each registered class to name itself.
    """

    def run(self, context: bpy.types.Context) -> None:
        """Do the operator's work."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run; one line of ERROR and nothing more where it could not be done."""
        try:
            with one_thread():
                self.run(context)
        except (UserError, NotReached) as error:
            self.report({"ERROR"}, explain(error))  # type: ignore[attr-defined]
            return {"CANCELLED"}
        return {"FINISHED"}


class HeadOperator(ReportingOperator):
    """A reporting operator on the active head."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a head is active."""
        return active_head(context) is not None

    def head(self, context: bpy.types.Context) -> HeadObject:
        """The active head; UserError if its parameters cannot be set now."""
        mesh_object = active_head(context)
        assert mesh_object is not None, "poll has seen to it"
        return movable_head(mesh_object)
