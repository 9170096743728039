# SPDX-License-Identifier: GPL-3.0-or-later
"""Hairstyles and beards to choose from: the mean of many is one that nobody wears."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import Float32Array, IntArray, RealArray
from .traits import Traits

_SHARES = np.array([2.0, 1.0, 0.7])
"""How much sex, age and lightness count, where a spread of the prior's heads is 1: hair is worn
by sex and age first."""

_STYLES = 24
"""Hairstyles of people of a kind that are tried on each head."""


class Wardrobe(Traits):
    """What W heads of the prior wear: all that says how hair and beard are worn."""

    PREFIX = "wardrobe_"
    VALUES = "worn"

    def chosen(
        self, goals: Annotated[RealArray, "N 512"], attributes: Annotated[RealArray, "N 3"]
    ) -> Annotated[Float32Array, "N C"]:
        """What suits heads for latents `goals` best of what people with ATTRIBUTES wear: (N, C)."""
        styles = self.of_people(attributes, _STYLES)
        own = np.asarray(goals, np.float32) - self.common
        # What a style does at all is its price: else too many would be bald or have an afro.
        sizes = np.sum(self.effects**2, axis=1)
        suits = [
            self.effects[row] @ goal - sizes[row] for row, goal in zip(styles, own, strict=True)
        ]
        best = np.take_along_axis(styles, np.argmax(suits, axis=1)[:, None], axis=1)[:, 0]
        return self.values[best]

    def of_people(
        self, attributes: Annotated[RealArray, "N 3"], count: int
    ) -> Annotated[IntArray, "N K"]:
        """Rows (N, K) of the `count` heads, or all, that are most like people with ATTRIBUTES."""
        scale = _SHARES / np.maximum(self.attributes.std(axis=0), 1e-9)
        away = (attributes[:, None] - self.attributes) * scale
        order: IntArray = np.argsort((away**2).sum(axis=2), axis=1, kind="stable")[:, :count]
        return order
