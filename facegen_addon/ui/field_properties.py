# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes properties of operators and settings from a request's fields."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy.props import CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..request_fields import FilePaths, Number, OneOf, RequestField, WholeNumber
from .capitals import capital


def property_of(field: RequestField, **more: Any) -> Any:
    """The property of a field, for a class's annotations; ``more`` goes to Blender.

    One that can be left open is so at its default.
    """
    common = {"name": field.shown_label, "description": _description(field), **more}
    if isinstance(field, WholeNumber):
        low = min(field.low, field.default)
        unit = {"subtype": "PIXEL"} if field.unit == "pixels" else {}
        return IntProperty(default=field.default, min=low, max=field.high, **unit, **common)
    if isinstance(field, Number):
        low, high = _bounds(field)
        return FloatProperty(default=field.default, min=low, max=high, **common)
    if isinstance(field, OneOf):
        return EnumProperty(items=_items(field), default=field.default, **common)
    if isinstance(field, FilePaths):
        return CollectionProperty(type=bpy.types.OperatorFileListElement, **common)
    return StringProperty(default=field.default, **common)


def _description(field: RequestField) -> str:
    text = capital(field.help)
    if isinstance(field, FilePaths):
        return f'{text}: [{{"name": "out/first"}}, ...]'
    if not field.unset:
        return text
    open_at = "empty" if field.default == "" else f"{field.default:g}"
    return f"{text}; {open_at}: {field.unset}"


_WORDS = {
    "latent": "Real Faces",
    "prior": "Plausible",
    "uniform": "Any Sliders",
    "direct": "Quick",
    "refined": "Careful",
    "one-render": "One Picture",
    "other-crops": "Cut Otherwise",
    "other-hands": "Light and Pose",
}
"""Name of a choice -> what the panel calls it, where the name is the laboratory's."""


def called(name: str) -> str:
    """What the panel calls a choice of this name."""
    return _WORDS.get(name, name.capitalize() if name.islower() else name)


def _items(field: OneOf) -> list[tuple[str, str, str]]:
    return [(name, called(name), capital(field.said.get(name, ""))) for name in field.names]


def _bounds(field: Number) -> tuple[float, float]:
    """The least and the largest number in Blender's single precision."""
    low, high = np.float32(field.low), np.float32(field.high)
    if field.excluded:
        low, high = np.nextafter(low, high), np.nextafter(high, low)
    return min(float(low), field.default), float(high)
