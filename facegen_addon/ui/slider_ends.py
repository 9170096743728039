# SPDX-License-Identifier: GPL-3.0-or-later
"""The words at both ends of a slider."""

from __future__ import annotations

import bpy

from .capitals import capital

_UNITS = {"RIGHT": 2.6, "LEFT": 3.3}
"""Alignment of the word at a slider's end -> its width, in Blender's units of a button's height."""


def draw_end(row: bpy.types.UILayout, word: str, alignment: str) -> None:
    """The word for one end, "RIGHT" where it stands before the slider, "LEFT" behind it."""
    end = row.row(align=True)
    end.ui_units_x, end.alignment = _UNITS[alignment], alignment
    end.label(text=capital(word))
