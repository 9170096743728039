# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin and lips as rows of a head model's table, and how people have them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..appearance_parameters import label_of
from ..parameters import Parameter, ParameterTable

_ROWS = (
    # name, group, lowest, highest, prior mean, prior std, what it does
    ("skin_melanin", "skin", 0.0, 1.0, 0.40, 0.26, "Tone, from the fairest to the darkest skin"),
    ("skin_redness", "skin", 0.0, 1.0, 0.55, 0.13, "Haemoglobin: pale to flushed"),
    ("skin_carotene", "skin", 0.0, 1.0, 0.30, 0.14, "Yellow, as of carotenoids"),
    ("skin_blotchiness", "skin", 0.0, 1.0, 0.26, 0.14, "Uneven melanin and redness"),
    ("cheek_blush", "skin", 0.0, 1.0, 0.27, 0.14, "Blood in cheeks, nose and ears"),
    ("eye_shadow", "skin", 0.0, 1.0, 0.30, 0.18, "Dark skin around the eyes"),
    ("skin_age", "skin", 0.0, 1.0, 0.35, 0.30, "What skins show from youth to old age"),
    ("skin_femininity", "skin", 0.0, 1.0, 0.50, 0.35, "What skins of women show: 0 is a man's"),
    ("skin_african", "skin", 0.0, 1.0, 0.33, 0.27, "What African skins show besides their tone"),
    ("skin_asian", "skin", 0.0, 1.0, 0.33, 0.27, "What Asian skins show besides their tone"),
    ("skin_variation_1", "skin", -2.5, 2.5, 0.0, 0.8, "How skins differ besides: most of it"),
    ("skin_variation_2", "skin", -2.5, 2.5, 0.0, 0.8, "Second component of what differs besides"),
    ("skin_variation_3", "skin", -2.5, 2.5, 0.0, 0.8, "Third component: asymmetry"),
    ("skin_lines", "detail", 0.0, 1.0, 0.30, 0.27, "Lines of forehead, eyes, mouth and neck"),
    ("skin_pores", "detail", 0.0, 1.0, 0.40, 0.18, "How deep pores are"),
    ("skin_gloss", "detail", 0.0, 1.0, 0.40, 0.15, "Dry to oily"),
    ("skin_freckles", "detail", 0.0, 1.0, 0.12, 0.15, "How many freckles"),
    ("skin_moles", "detail", 0.0, 1.0, 0.20, 0.15, "How many moles"),
    ("skin_spots", "detail", 0.0, 1.0, 0.15, 0.18, "How many age spots"),
    ("skin_pattern", "detail", 0.0, 1.0, 0.50, 0.29, "Which freckles, moles and spots there are"),
    ("beard_shadow", "detail", 0.0, 1.0, 0.15, 0.2, "Shadow of a shaved beard"),
    ("lip_colour", "lips", 0.0, 1.0, 0.50, 0.27, "Blood in the lips"),
    ("lip_darkness", "lips", 0.0, 1.0, 0.35, 0.18, "Melanin in the lips"),
)
_UNGUIDED = {"skin_pattern"}  # it goes round: what lies at both ends is alike

SKIN_NAMES = frozenset(name for name, *_ in _ROWS)

SKIN_HELP = {name: text for name, *_, text in _ROWS}
"""Name of a parameter -> what it does, in one line."""


def skin_parameters() -> list[Parameter]:
    """The rows of a head model that has a skin; without unit."""
    return [
        Parameter(name, label_of(name), group, low, high, mean, std, "", name not in _UNGUIDED)
        for name, group, low, high, mean, std, _ in _ROWS
    ]


def with_skin(table: ParameterTable) -> ParameterTable:
    """A table with the rows of a skin in the place of those of groups "skin" and "lips"."""
    others = [row for row in table.parameters if row.group not in ("skin", "lips")]
    first = next(i for i, row in enumerate(table.parameters) if row.group == "skin")
    return ParameterTable([*others[:first], *skin_parameters(), *others[first:]])


def skin_values(table: ParameterTable, parameters: Annotated[FloatArray, "P"]) -> dict[str, float]:
    """Name -> value of the skin's parameters of one head (P,)."""
    return {name: float(parameters[table.index(name)]) for name, *_ in _ROWS}


def draw_skin(
    rng: np.random.Generator, column: Mapping[str, FloatArray], people: Mapping[str, FloatArray]
) -> None:
    """Make n drawn skins such as people have; ``column``: name -> (n,), changed in place.

    ``people`` (n,) each: shares african, asian and caucasian, age from 0.5 to 1 and male, 0 or 1.
    Tones lie where Del Bino and Bernerd (2013) found the three ancestries' typology angles:
    about 45, 35 and -35 degrees, each spread by some 15. The rest is chosen by eye.
    """
    n = len(people["age"])
    african, asian, caucasian = (people[name] for name in ("african", "asian", "caucasian"))
    noise = {name: rng.standard_normal(n) for name, *_ in _ROWS}
    aged = np.clip((people["age"] - 0.66) / 0.32, 0.0, 1.0) ** 1.4  # 40 years: 0.15, 70: 0.8
    male, old_skin = people["male"], aged + 0.07 * noise["skin_age"]
    darker = np.abs(noise["skin_melanin"])
    tone = caucasian * (0.05 + 0.02 * male + 0.13 * darker) + asian * (
        0.13 + 0.02 * male + 0.12 * darker
    )
    column["skin_melanin"][:] = tone + african * (0.73 + 0.13 * noise["skin_melanin"])
    column["skin_redness"][:] = 0.54 + 0.11 * noise["skin_redness"]
    column["skin_carotene"][:] = 0.26 + 0.08 * asian + 0.12 * noise["skin_carotene"]
    # Of the same lines, a woman's skin is less mottled and sallow.
    column["skin_age"][:] = old_skin - 0.2 * aged * (1.0 - male)
    column["skin_femininity"][:] = 1.0 - male + 0.1 * noise["skin_femininity"]
    column["skin_african"][:] = african + 0.12 * noise["skin_african"]
    column["skin_asian"][:] = asian + 0.12 * noise["skin_asian"]
    lined = np.maximum(old_skin, 0.0) ** 1.25
    column["skin_lines"][:] = lined + 0.04 * np.abs(noise["skin_lines"])
    column["skin_spots"][:] = aged**1.6 * np.abs(0.7 * noise["skin_spots"])
    column["skin_blotchiness"][:] = 0.18 + 0.2 * aged + 0.10 * noise["skin_blotchiness"]
    column["eye_shadow"][:] = 0.28 - 0.06 * male + 0.15 * aged + 0.12 * noise["eye_shadow"]
    fair = np.clip(caucasian - 0.3, 0.0, 1.0)
    column["skin_freckles"][:] = 0.3 * fair * noise["skin_freckles"] ** 2
    column["skin_moles"][:] = np.abs(0.25 * noise["skin_moles"])
    for number in (1, 2, 3):
        usual = 0.7 * noise[f"skin_variation_{number}"]
        column[f"skin_variation_{number}"][:] = np.clip(usual, -1.4, 1.4)
    column["skin_pattern"][:] = rng.random(n)
    column["skin_gloss"][:] = 0.45 + 0.15 * african - 0.15 * aged + 0.14 * noise["skin_gloss"]
    column["skin_pores"][:] = 0.15 + 0.35 * male + 0.15 * aged + 0.12 * noise["skin_pores"]
    column["beard_shadow"][:] = male * (0.55 - 0.2 * asian + 0.22 * noise["beard_shadow"])
    column["lip_colour"][:] = (
        0.72 - 0.36 * male + aged * (0.15 - 0.27 * male) + 0.11 * noise["lip_colour"]
    )
    column["lip_darkness"][:] = 0.31 - 0.07 * male + 0.3 * african + 0.1 * noise["lip_darkness"]
