# SPDX-License-Identifier: GPL-3.0-or-later
"""The appearance of a head as parameters: skin, lips, iris, brows, hair and beard, the same for
every head model, and which of them people have together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ..arrays import FloatArray
from .parameters import Parameter

_ROWS = (
    # name, group, prior mean, prior std; every range is [0, 1] bar the exceptions below. All
    # are without unit and chosen by eye.
    ("skin_melanin", "skin", 0.35, 0.22),
    ("skin_redness", "skin", 0.45, 0.18),
    ("skin_blotchiness", "skin", 0.35, 0.18),
    ("skin_gloss", "skin", 0.4, 0.15),
    ("cheek_blush", "skin", 0.3, 0.18),
    ("eye_shadow", "skin", 0.3, 0.18),
    ("lip_colour", "lips", 0.45, 0.2),
    ("lip_darkness", "lips", 0.35, 0.18),
    ("iris_melanin", "iris", 0.6, 0.28),
    ("iris_green", "iris", 0.3, 0.2),
    ("brow_density", "brow", 0.55, 0.2),
    ("brow_thickness", "brow", 0.5, 0.18),
    ("brow_melanin", "brow", 0.65, 0.22),
    ("lash_density", "brow", 0.45, 0.2),
    ("hair_density", "hair", 0.8, 0.25),
    ("hair_length", "hair", 0.3, 0.22),
    ("hair_recession", "hair", 0.25, 0.2),
    ("hair_volume", "hair", 0.4, 0.2),
    ("hair_curl", "hair", 0.3, 0.22),
    ("hair_forward", "hair", 0.0, 0.4),
    ("hair_sideways", "hair", 0.0, 0.4),
    ("hair_melanin", "hair", 0.65, 0.25),
    ("hair_redness", "hair", 0.3, 0.18),
    ("hair_grey", "hair", 0.15, 0.2),
    ("beard_density", "beard", 0.25, 0.25),
    ("beard_length", "beard", 0.25, 0.2),
    ("beard_extent", "beard", 0.5, 0.22),
    ("moustache_density", "beard", 0.25, 0.25),
)
# Directions have two signs; skin without any pigment or blood would look painted white.
_LOWEST = {"hair_forward": -1.0, "hair_sideways": -1.0, "skin_melanin": 0.15, "skin_redness": 0.2}

APPEARANCE_NAMES = frozenset(name for name, *_ in _ROWS)


def label_of(name: str) -> str:
    """A label for a name: ``skin_melanin`` -> ``Skin melanin``; camel case is split, too."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")
    return words[0].upper() + words[1:].lower()


def appearance_parameters() -> list[Parameter]:
    """The appearance's rows, the same in the table of every head model; all are guided."""
    return [
        Parameter(name, label_of(name), group, _LOWEST.get(name, 0.0), 1.0, mean, std, "", True)
        for name, group, mean, std in _ROWS
    ]


def masculinity(gender: Annotated[FloatArray, "..."]) -> Annotated[FloatArray, "..."]:
    """The factor on facial hair, 1 for men, 0 for women; gender is Anny's, 0 (male) to 1 (female).

    It fades from 0.3 to 0.6, chosen by eye.
    """
    return np.clip((0.6 - gender) / 0.3, 0.0, 1.0)


def draw_appearance(
    rng: np.random.Generator,
    column: Mapping[str, Annotated[FloatArray, "N"]],
    people: Mapping[str, Annotated[FloatArray, "N"]],
) -> None:
    """Give n drawn heads appearances with correlations that people have.

    ``column``: name -> (n,), the drawn parameters, changed in place; ``people``: name -> (n,),
    shares african, asian and caucasian, age from 0.5 to 1 and male, 0 or 1.
    Melanin of skin, hair, brows and iris follows ancestry; hair greys and recedes with age. By how
    much is chosen by eye: numbers of slider units, from no statistics of people.
    """
    n = len(people["age"])
    noise = rng.standard_normal((5, n))
    column["skin_melanin"][:] = (
        0.14 + 0.55 * people["african"] + 0.12 * people["asian"] + 0.09 * noise[0]
    )
    fair = np.clip(people["caucasian"] + 0.25 * noise[1], 0.0, 1.0)
    column["hair_melanin"][:] = 0.95 - 0.65 * fair * rng.random(n)
    column["brow_melanin"][:] = column["hair_melanin"] + 0.08 * noise[2]
    column["iris_melanin"][:] = 0.95 - 0.85 * fair * rng.random(n)
    aged = np.clip((people["age"] - 0.7) / 0.25, 0.0, 1.0)
    column["hair_grey"][:] = aged * rng.random(n) + 0.04 * np.abs(noise[3])
    column["hair_recession"][:] = 0.12 + 0.45 * aged * people["male"] + 0.12 * noise[4]
    column["hair_length"][:] += np.where(people["male"] > 0.5, -0.08, 0.25)
