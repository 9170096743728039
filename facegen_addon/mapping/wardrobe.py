# SPDX-License-Identifier: GPL-3.0-or-later
"""Hairstyles and beards to choose from: the mean of many is one that nobody wears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, IntArray, RealArray
from ..errors import Need, Remedy, UserError

_PREFIX = "wardrobe_"
_SHARES = np.array([2.0, 1.0, 0.7])
"""How much sex, age and lightness count, where a spread of the prior's heads is 1: hair is worn
by sex and age first."""

_STYLES = 24
"""Hairstyles of people of a kind that are tried on each head."""


@dataclass(frozen=True)
class Wardrobe:
    """What W heads of the prior wear.

    Attributes:
        columns: (C,) of the guided parameters that say how hair and beard are worn.
        worn: (W, C) in standard units.
        attributes: (W, 3) ATTRIBUTES of those heads, by their parameters.
        effects: (W, 512) by how much each style moves what the surrogates predict of the mean head
            of such people.
        common: (512,) mean latent of people. What all photos have and renders lack, it
            has, too: a hairstyle like it would suit everybody.
    """

    columns: Annotated[IntArray, "C"]
    worn: Annotated[Float32Array, "W C"]
    attributes: Annotated[FloatArray, "W 3"]
    effects: Annotated[Float32Array, "W 512"]
    common: Annotated[Float32Array, "512"]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> Wardrobe | None:
        """Of the arrays beside the surrogates' weights; None where there are none.

        UserError where some are missing.
        """
        if not any(name.startswith(_PREFIX) for name in arrays):
            return None
        try:
            columns, worn, attributes, effects, common = (
                arrays[_PREFIX + name]
                for name in ("columns", "worn", "attributes", "effects", "common")
            )
        except KeyError as error:
            raise UserError(f"the surrogates lack {error}", Need(Remedy.RETRAIN)) from None
        return cls(
            columns.astype(np.intp),
            worn.astype(np.float32),
            attributes.astype(np.float64),
            effects.astype(np.float32),
            common.astype(np.float32),
        )

    def arrays(self) -> dict[str, AnyArray]:
        """As `from_arrays` takes them, in half precision."""
        return {
            _PREFIX + "columns": self.columns.astype(np.int16),
            _PREFIX + "worn": self.worn.astype(np.float16),
            _PREFIX + "attributes": self.attributes.astype(np.float16),
            _PREFIX + "effects": self.effects.astype(np.float16),
            _PREFIX + "common": self.common.astype(np.float32),
        }

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
        return self.worn[best]

    def of_people(
        self, attributes: Annotated[RealArray, "N 3"], count: int
    ) -> Annotated[IntArray, "N K"]:
        """Rows (N, K) of the `count` heads, or all, that are most like people with ATTRIBUTES."""
        scale = _SHARES / np.maximum(self.attributes.std(axis=0), 1e-9)
        away = (attributes[:, None] - self.attributes) * scale
        order: IntArray = np.argsort((away**2).sum(axis=2), axis=1, kind="stable")[:, :count]
        return order
