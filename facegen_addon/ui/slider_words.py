# SPDX-License-Identifier: GPL-3.0-or-later
"""What a slider's tooltip says: what one sees first, figures second."""

from __future__ import annotations

import math

from ..heads.parameters import Parameter
from ..heads.plain_words import words_of
from ..mapping.influence import Influence


def describe(parameter: Parameter, figures: Influence | None) -> str:
    """A slider's tooltip: what both its ends look like, then range and influence."""
    low, high, unit = parameter.minimum, parameter.maximum, parameter.unit
    if unit == "rad":  # Blender shows angles in degrees
        low, high, unit = round(math.degrees(low)), round(math.degrees(high)), "degrees"
    words = words_of(parameter)
    seen = f"{words.label}: {words.ends}.\n" if words.ends else ""
    text = f"{seen}{parameter.label}, from {low:g} to {high:g} {unit}".rstrip()
    found = figures.describe(parameter.name) if figures else ""
    return f"{text}.\n{found}" if found else text
