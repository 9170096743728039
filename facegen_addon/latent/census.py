# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a set of latents: how many of each sex, age and skin, as probes read them."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import IntArray, RealArray
from .attributes import AttributeProbes
from .people import POPULATIONS, SEXES, SKINS

AGES = tuple(POPULATIONS["balanced"][1])
"""Ranges of age, years, that a census tells apart; the outer ones hold all beyond as well."""


def census(
    latents: Annotated[RealArray, "N D"], probes: AttributeProbes
) -> Annotated[IntArray, "S K A"]:
    """Numbers of people (2, 3, 4) among latents: by SEXES, SKINS and AGES, all N counted once."""
    female, age, lightness = probes.read(latents).T
    sex = (female < SEXES["woman"][0]).astype(int)
    skin = np.searchsorted([low for low, _ in list(SKINS.values())[1:]], lightness, side="right")
    years = np.searchsorted([low for low, _ in AGES[1:]], age, side="right")
    counts = np.zeros((len(SEXES), len(SKINS), len(AGES)), int)
    np.add.at(counts, (sex, skin, years), 1)
    return counts
