# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads brought nearer to the latents they were asked for, a render of each at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..latent.sphere import cosine_distance, geodesic
from .backward import BackwardMapping, Grade, invert
from .correction import compensated
from .surrogate import FloatArray

STEP = 0.5
"""Of the way to what compensates for a head's whole shift. All of it overshoots: most of the shift
is what no head can reach (models/recipes/report/roundtrips.py has the figures)."""

Answer = Callable[[FloatArray, FloatArray], FloatArray]
"""B near a head: latents asked for (N, 512), z (N, G) of the heads so far -> z (N, G)."""


def answer_from_heads(backward: BackwardMapping, grade: Grade = "refined") -> Answer:
    """B that starts from the heads as they are, so that what their renders showed still holds."""

    def answer(asked: FloatArray, z: FloatArray) -> FloatArray:
        if grade == "direct":
            return backward.standardised(asked, "direct")
        return invert(backward.ensemble, asked, z, backward.region, backward.settings)

    return answer


class Approach:
    """Each head takes half the compensating step; one that does not help is taken back and halved.

    Attributes:
        requested: (N, 512) what heads are asked for. z: (N, G) and achieved: (N, 512), the nearest
            heads so far; infinitely far where `usable` (N,) said that a render shows no face.
    """

    def __init__(
        self,
        answer: Answer,
        requested: FloatArray,
        z: FloatArray,
        achieved: FloatArray,
        usable: NDArray[np.bool_] | None = None,
    ) -> None:
        self._answer, self.requested = answer, requested
        self.z, self.achieved = z.copy(), achieved.copy()
        seen = np.ones(len(z), bool) if usable is None else usable
        # What is not a face says nothing about where to go: such a head stays as it is asked for.
        self.achieved[~seen] = requested[~seen]
        self.distances = np.where(seen, cosine_distance(requested, self.achieved), np.inf)
        self._asked, self._next = requested.copy(), requested
        self._step = np.full(len(z), STEP)

    def proposed(self) -> FloatArray:
        """z (N, G) of the heads to render next."""
        goal = compensated(self.requested, self.achieved, self._asked)
        self._next = geodesic(self._asked, goal, self._step).astype(np.float32)
        return self._answer(self._next, self.z)

    def rendered(self, z: FloatArray, achieved: FloatArray, usable: NDArray[np.bool_]) -> None:
        """Keep those of the heads `proposed` last, z and latents (N, 512), that are nearer."""
        distances = np.where(usable, cosine_distance(self.requested, achieved), np.inf)
        nearer = distances < self.distances
        self.z[nearer], self.achieved[nearer] = z[nearer], achieved[nearer]
        self._asked[nearer], self.distances[nearer] = self._next[nearer], distances[nearer]
        self._step[~nearer] /= 2
