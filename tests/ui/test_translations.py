# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations name what the panel says, and Blender takes them."""

import ast
from pathlib import Path

import bpy
import pytest

import facegen_addon
from facegen_addon.heads.plain_words import WORDS
from facegen_addon.ui import translations
from facegen_addon.ui.german import GERMAN
from facegen_addon.ui.german_sliders import GERMAN_SLIDERS

ROOT = Path(facegen_addon.__file__).parent
DRAWN_BY_THE_PANEL = ("heads/sections.py", "variety/predicted.py")


def said() -> set[str]:
    """All texts in the code of the panel, and the words for sliders and both their ends."""
    files = [*(ROOT / "ui").glob("*.py"), *(ROOT / name for name in DRAWN_BY_THE_PANEL)]
    texts = {
        node.value
        for file in files
        if not file.name.startswith("german")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for words in WORDS.values():
        texts |= {words.label, *(end[:1].upper() + end[1:] for end in (words.low, words.high))}
    return texts


def test_every_text_that_is_translated_is_there() -> None:
    assert not (set(GERMAN) | set(GERMAN_SLIDERS)) - said()
    assert not set(GERMAN) & set(GERMAN_SLIDERS)


def test_every_slider_of_a_person_is_translated() -> None:
    assert {words.label for words in WORDS.values()} <= set(GERMAN) | set(GERMAN_SLIDERS)


def test_every_panel_is_translated() -> None:
    panels = {
        cls.bl_label
        for cls in (getattr(bpy.types, name) for name in dir(bpy.types))
        if getattr(cls, "bl_category", "") == "FaceGen"
    }
    assert panels and panels <= set(GERMAN)


def test_blender_gives_the_other_text_back() -> None:
    if "de" not in bpy.app.translations.locales and "de_DE" not in bpy.app.translations.locales:
        pytest.skip("this Blender has no other languages")
    view = bpy.context.preferences.view
    view.language = "de" if "de" in bpy.app.translations.locales else "de_DE"
    view.use_translate_interface = True
    try:
        assert bpy.app.translations.pgettext_iface("Hair and Beard") == "Haare und Bart"
    finally:
        view.language = "en_US"


def test_contexts_of_labels_and_buttons_are_covered() -> None:
    for texts in translations.LANGUAGES.values():
        assert {context for context, _ in texts} == {"*", "Operator", "FaceGen"}
        assert len(texts) == 3 * len(GERMAN | GERMAN_SLIDERS)
