# SPDX-License-Identifier: GPL-3.0-or-later
"""Outfits as text, by which they are asked for and kept: `garment=hoodie, colour=navy`.

What the text does not name is not worn, or has the colour that it has by default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import UserError
from ..skin.colour import linear_of_srgb
from .garments import NECKLINES
from .glasses import GLASSES
from .headwear import HEADWEAR
from .outfit import BARE, CLOTH_COLOURS, FRAME_COLOURS, NONE, PATTERNS, Outfit, Rgb

FIELDS = {
    "garment": "neckline",
    "colour": "colour",
    "pattern": "pattern",
    "second_colour": "second",
    "glasses": "glasses",
    "frame_colour": "frame",
    "headwear": "headwear",
    "hat_colour": "hat",
}
"""Words of the text -> fields of an Outfit."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "garment": (NONE, *NECKLINES),
    "pattern": PATTERNS,
    "glasses": (NONE, *GLASSES),
    "headwear": (NONE, *HEADWEAR),
}
"""Words that are one of some names -> these."""
COLOURS: Mapping[str, Mapping[str, Rgb]] = {
    "colour": CLOTH_COLOURS,
    "second_colour": CLOTH_COLOURS,
    "frame_colour": FRAME_COLOURS,
    "hat_colour": CLOTH_COLOURS,
}
"""Words that are colours -> those that have a name."""


def read_outfit(text: str) -> Outfit:
    """The outfit that a text asks for; UserError names the word that is wrong, and the remedy."""
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or word not in FIELDS:
            raise UserError(
                f"{part!r} is nothing to wear: give WORD=VALUE, separated by commas; words are"
                f" {', '.join(FIELDS)}"
            )
        if FIELDS[word] in values:
            raise UserError(f"{word} is given twice in {text!r}; give it once")
        values[FIELDS[word]] = _name(word, value) if word in NAMES else _colour(word, value)
    return replace(BARE, **values)


def outfit_text(outfit: Outfit) -> str:
    """The text that asks for an outfit, to the last bit; empty where nothing is worn."""
    if outfit == BARE:
        return ""
    parts = []
    for word, field in FIELDS.items():
        value = getattr(outfit, field)
        if value != getattr(BARE, field):
            shown = " ".join(map(repr, map(float, value))) if word in COLOURS else value
            parts.append(f"{word}={shown}")
    return ", ".join(parts)


def _name(word: str, value: str) -> str:
    if value not in NAMES[word]:
        raise UserError(f"unknown {word} {value!r}; choose from {', '.join(NAMES[word])}")
    return value


def _colour(word: str, value: str) -> Rgb:
    """A colour by its name, as #rrggbb (sRGB) or as three numbers from 0 to 1 (linear)."""
    if value in COLOURS[word]:
        return COLOURS[word][value]
    if re.fullmatch("#[0-9a-fA-F]{6}", value):
        codes = np.array([int(value[start : start + 2], 16) for start in (1, 3, 5)]) / 255.0
        red, green, blue = linear_of_srgb(codes).tolist()
        return red, green, blue
    try:
        numbers = [float(number) for number in value.split()]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(0.0 <= number <= 1.0 for number in numbers):
        raise UserError(
            f"{word} is {value!r}; choose from {', '.join(COLOURS[word])}, or give #rrggbb or three"
            " numbers from 0 to 1, such as '0.2 0.3 0.4'"
        )
    red, green, blue = numbers
    return red, green, blue
