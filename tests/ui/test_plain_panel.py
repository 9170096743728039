# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels say what an artist sees; words of a laboratory stand in tooltips alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import facegen_addon
from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.heads.plain_words import WORDS
from facegen_addon.mapping.backward import GRADES
from facegen_addon.request_fields import fields_of
from facegen_addon.ui.field_properties import called
from facegen_addon.ui.german import GERMAN
from facegen_addon.variety.hands import APART_IN
from facegen_addon.variety.request import VarietyRequest

UI = Path(facegen_addon.__file__).parent / "ui"
LABORATORY = re.compile(
    r"latent|roundtrip|\bshift\b|standard deviation|cosine|surrogate|\bprior\b|distribution"
    r"|\bgrade\b|\bprobe\b|embedding|\bsample\b|melanin|backward",
    re.IGNORECASE,
)
_SHOWN = ("text", "name", "heading", "placeholder")
"""Arguments of Blender's functions that are drawn as they are."""


def labels_of(file: Path) -> Iterator[str]:
    """What a file of the ui has drawn: labels, names of properties, labels of operators."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            values = [argument.value for argument in node.keywords if argument.arg in _SHOWN]
            if getattr(node.func, "id", "") in ("translated", "filled", "_button", "_draw_figure"):
                values += node.args
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "bl_label":
            values = [node.value]
        else:
            continue
        for value in values:
            yield from (
                part.value
                for part in ast.walk(value)
                if isinstance(part, ast.Constant)
                and isinstance(part.value, str)
                # not names of operators
                and not part.value.startswith("facegen.")
            )


def test_labels_have_no_word_of_the_laboratory() -> None:
    said = {label for file in UI.glob("*.py") for label in labels_of(file)}
    assert {"How Far Off", "Bring Nearer", "Off by {far}"} <= said
    said |= set(GERMAN)
    said |= {field.shown_label for field in fields_of(VarietyRequest)}
    said |= {called(name) for name in (*DISTRIBUTIONS, *GRADES, *APART_IN)}
    said |= {word for words in WORDS.values() for word in (words.label, words.low, words.high)}
    assert not {label for label in said if LABORATORY.search(label)}


def test_tooltips_have_the_exact_term() -> None:
    texts = "\n".join(file.read_text(encoding="utf-8") for file in UI.glob("*.py"))
    for term in ("roundtrip shift", "latent", "angle between two latents"):
        assert term in texts


def test_words_with_figures_in_them_can_be_translated() -> None:
    """Blender looks a label up as a whole: one put together from words and figures is not found."""
    composed = [
        (file.name, ast.unparse(argument.value))
        for file in UI.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for argument in node.keywords
        if argument.arg == "text"
        for part in ast.walk(argument.value)
        if isinstance(part, ast.JoinedStr)
        and any(
            isinstance(piece, ast.Constant) and re.search("[A-Za-z]{2}", str(piece.value))
            for piece in part.values
        )
    ]
    assert not composed
