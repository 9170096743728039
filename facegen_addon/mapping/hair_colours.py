# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of hair, brows and beard as single people of the prior have them, for B's heads.

Who is fair may be blond or brown, who is old grey or dyed: the mean is what nobody has, and what
FaceNet then asks for besides is grey hair on the fair and young.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import Float32Array, RealArray
from .traits import Traits

_LIKE = np.array([0.15, 3.0, 6.0], np.float32)
"""By how much ATTRIBUTES differ among people who are taken for one kind: chance, years, L*. Grey
belongs to age: of the darkest there are few, and with years cheaper they had the hair of fifty."""
_AMONG = 24
"""People of a kind among whom the one is found whose hair suits a latent best."""


class HairColours(Traits):
    """Colours of hair, brows and beard of W people of the prior."""

    PREFIX = "colours_"

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
