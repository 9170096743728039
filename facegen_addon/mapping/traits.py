# SPDX-License-Identifier: GPL-3.0-or-later
"""What single people of the prior have in some parameters: the mean of many is what nobody has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, IntArray
from ..errors import Need, Remedy, UserError


@dataclass(frozen=True)
class Traits:
    """Traits of W people of the prior, of which B's heads choose.

    Attributes:
        columns: (C,) of the guided parameters that say them.
        values: (W, C) of these, in standard units.
        attributes: (W, 3) ATTRIBUTES of those people, by their parameters.
        effects: (W, 512) by how much each moves what the surrogates predict of the mean head of
            such people.
        common: (512,) mean latent of people. What all photos have and renders lack, it has, too:
            that a trait is like it says nothing of who has the trait.
    """

    columns: Annotated[IntArray, "C"]
    values: Annotated[Float32Array, "W C"]
    attributes: Annotated[FloatArray, "W 3"]
    effects: Annotated[Float32Array, "W 512"]
    common: Annotated[Float32Array, "512"]

    PREFIX: ClassVar[str]
    """Of the arrays beside the surrogates' weights."""
    VALUES: ClassVar[str] = "values"
    """What the array of the values is called there."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> Self | None:
        """Of the arrays beside the surrogates' weights; None where there are none.

        UserError where some are missing.
        """
        if not any(name.startswith(cls.PREFIX) for name in arrays):
            return None
        try:
            columns, values, attributes, effects, common = (
                arrays[cls.PREFIX + name]
                for name in ("columns", cls.VALUES, "attributes", "effects", "common")
            )
        except KeyError as error:
            raise UserError(f"the surrogates lack {error}", Need(Remedy.RETRAIN)) from None
        return cls(
            columns.astype(np.intp),
            values.astype(np.float32),
            attributes.astype(np.float64),
            effects.astype(np.float32),
            common.astype(np.float32),
        )

    def arrays(self) -> dict[str, AnyArray]:
        """As `from_arrays` takes them, most in half precision."""
        arrays: dict[str, AnyArray] = {
            "columns": self.columns.astype(np.int16),
            self.VALUES: self.values.astype(np.float16),
            "attributes": self.attributes.astype(np.float16),
            "effects": self.effects.astype(np.float16),
            "common": self.common.astype(np.float32),
        }
        return {self.PREFIX + name: array for name, array in arrays.items()}
