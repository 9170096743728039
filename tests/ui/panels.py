# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the panels of the active head without a window, and notes what they ask for."""

from types import SimpleNamespace
from typing import Any

import bpy

from facegen_addon.ui import face_panel, galleries, head_panel, person_panel

OF_A_HEAD = (
    person_panel.FACEGEN_PT_person,
    face_panel.FACEGEN_PT_face,
    galleries.FACEGEN_PT_hair,
    galleries.FACEGEN_PT_expression,
)
"""In the order in which they stand."""


def draw_panels(layout: Any, *panels: Any) -> None:
    """Draw these panels, or the Head panel and all of a head's that show, on a layout."""
    for panel in panels or (head_panel.FACEGEN_PT_head, *OF_A_HEAD):
        if panel not in OF_A_HEAD or panel.poll(bpy.context):
            panel.draw(SimpleNamespace(layout=layout), bpy.context)


def check_call(function: str, **given: object) -> None:
    """Blender's own UILayout has this function with these arguments, and these icons."""
    parameters = bpy.types.UILayout.bl_rna.functions[function].parameters
    assert given.keys() <= set(parameters.keys())
    if "icon" in given:
        assert given["icon"] in parameters["icon"].enum_items


class RecordingLayout:
    """A stand-in for UILayout, which exists only while a window draws: notes what is asked."""

    def __init__(self, log: list[tuple[str, str]]) -> None:
        self.log = log

    def prop(self, data: object, name: str, **options: object) -> None:
        check_call("prop", **options)
        assert hasattr(data, name)
        self.log.append(("prop", name))

    def operator(self, name: str, **options: object) -> object:
        check_call("operator", **options)
        self.log.append(("operator", name))
        # Setting what the operator has no property for is an error.
        module, _, function = name.partition(".")
        operator = getattr(getattr(bpy.ops, module), function)
        allowed = operator.get_rna_type().properties.keys()
        return type("Properties", (), {"__slots__": tuple(allowed)})()

    def label(self, **options: object) -> None:
        check_call("label", **options)
        self.log.append(("label", str(options["text"])))

    def template_icon(self, icon_value: int, **options: object) -> None:
        check_call("template_icon", icon_value=icon_value, **options)
        self.log.append(("icon", str(icon_value)))

    def template_icon_view(self, data: object, name: str, **options: object) -> None:
        check_call("template_icon_view", **options)
        assert hasattr(data, name)
        self.log.append(("gallery", name))

    def panel(self, idname: str, **options: object) -> tuple["RecordingLayout", object]:
        check_call("panel", idname=idname, **options)
        self.log.append(("panel", idname))
        return self, self

    def row(self, **options: object) -> "RecordingLayout":
        check_call("row", **options)
        return self

    column = box = row
