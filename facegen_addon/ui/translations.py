# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in other languages, by Blender's own means: it looks up every label that it draws."""

from __future__ import annotations

import bpy

from .german import GERMAN
from .german_sliders import GERMAN_SLIDERS

_CONTEXTS = ("*", "Operator", "FaceGen")
"""Where a text stands, as Blender has it: labels, operators' buttons, and panels whose titles mean
something else in Blender, as a mesh's Face."""
_GERMAN = GERMAN | GERMAN_SLIDERS
_LOCALES = {"de": _GERMAN, "de_DE": _GERMAN}  # the second up to Blender 4
LANGUAGES = {
    locale: {(context, english): other for english, other in texts.items() for context in _CONTEXTS}
    for locale, texts in _LOCALES.items()
}
"""Locale -> (context, English) -> text, as Blender wants it."""


def filled(text: str, **values: object) -> str:
    """A text in Blender's language, its fields filled; to be drawn with translate=False."""
    return str(bpy.app.translations.pgettext_iface(text).format(**values))


def register() -> None:
    """Have Blender know the texts."""
    bpy.app.translations.register(__name__, LANGUAGES)


def unregister() -> None:
    """Undo register."""
    bpy.app.translations.unregister(__name__)
