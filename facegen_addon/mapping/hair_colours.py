# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of hair, brows and beard as single people of the prior have them, for B's heads.

Who is fair may be blond or brown, who is old grey or dyed: the mean is what nobody has, and what
FaceNet then asks for besides is grey hair on the fair and young.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, IntArray, RealArray
from ..errors import Need, Remedy, UserError

_PREFIX = "colours_"
_LIKE = np.array([0.15, 5.0, 2.5], np.float32)
"""By how much ATTRIBUTES differ among people who are taken for one kind: chance, years, L*."""
_AMONG = 24
"""People of a kind among whom the one is found whose hair suits a latent best."""


@dataclass(frozen=True)
class HairColours:
    """Colours of hair of W people of the prior.

    Attributes:
        columns: (H,) of the guided parameters, those of colours of hair.
        values: (W, H) of these, standardised.
        attributes: (W, 3) of the people, ATTRIBUTES.
        effects: (W, 512) by how much they move what the surrogates predict of the mean head of
            such people.
        common: (512,) mean latent of people. What all photos have and renders lack, it has, too:
            that it is like a colour says nothing of who has it.
    """

    columns: Annotated[IntArray, "H"]
    values: Annotated[Float32Array, "W H"]
    attributes: Annotated[Float32Array, "W 3"]
    effects: Annotated[Float32Array, "W 512"]
    common: Annotated[Float32Array, "512"]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> HairColours | None:
        """Of the arrays beside the surrogates' weights; None where there are none.

        UserError where some are missing.
        """
        if not any(name.startswith(_PREFIX) for name in arrays):
            return None
        try:
            columns = np.asarray(arrays[_PREFIX + "columns"], np.intp)
            values, attributes, effects, common = (
                np.asarray(arrays[_PREFIX + name], np.float32)
                for name in ("values", "attributes", "effects", "common")
            )
        except KeyError as error:
            raise UserError(f"the surrogates lack {error}", Need(Remedy.RETRAIN)) from None
        return cls(columns, values, attributes, effects, common)

    def arrays(self) -> dict[str, AnyArray]:
        """As `from_arrays` takes them, in half precision for storage."""
        return {
            _PREFIX + "columns": self.columns.astype(np.int16),
            _PREFIX + "values": self.values.astype(np.float16),
            _PREFIX + "attributes": self.attributes.astype(np.float16),
            _PREFIX + "effects": self.effects.astype(np.float16),
            _PREFIX + "common": self.common.astype(np.float32),
        }

    def chosen(
        self, latents: Annotated[RealArray, "N 512"], attributes: Annotated[RealArray, "N 3"]
    ) -> Annotated[Float32Array, "N H"]:
        """What of people with ATTRIBUTES (N, 3) suits latents (N, 512) best: (N, H)."""
        asked, own = (np.asarray(a, np.float32) / _LIKE for a in (attributes, self.attributes))
        apart = np.zeros((len(asked), len(own)), np.float32)
        for column in range(asked.shape[1]):
            apart += (asked[:, column, None] - own[None, :, column]) ** 2
        among = min(_AMONG, len(own))
        farthest = np.partition(apart, among - 1, axis=1)[:, among - 1, None]
        # Nearest, not farthest ahead: else all would be as fair or as dark as people come.
        suits = (np.asarray(latents, np.float32) - self.common) @ self.effects.T
        suits -= 0.5 * np.sum(self.effects**2, axis=1)
        return self.values[np.argmax(np.where(apart <= farthest, suits, -np.inf), axis=1)]
