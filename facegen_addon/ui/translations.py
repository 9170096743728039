# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in other languages, by Blender's own means: it looks up every label that it draws."""

from __future__ import annotations

import bpy

from .german import GERMAN

_CONTEXTS = ("*", "Operator")
"""Blender's names for where a text stands: labels, and operators' buttons."""
_LOCALES = {"de": GERMAN, "de_DE": GERMAN}  # the second up to Blender 4
LANGUAGES = {
    locale: {(context, english): other for english, other in texts.items() for context in _CONTEXTS}
    for locale, texts in _LOCALES.items()
}
"""Locale -> (context, English) -> text, as Blender wants it."""


def register() -> None:
    """Have Blender know the texts."""
    bpy.app.translations.register(__name__, LANGUAGES)


def unregister() -> None:
    """Undo register."""
    bpy.app.translations.unregister(__name__)
