# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads brought nearer to the latents they were asked for, a render of each at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import numpy as np

from ..arrays import BoolArray, Float32Array, RealArray
from ..errors import RejectedSample
from ..latent.sphere import cosine_distance, geodesic
from .backward import BackwardMapping, Grade
from .correction import compensated
from .inversion import invert

STEP = 0.5
"""Of the way to what compensates for a head's whole shift. All of it overshoots: most of the shift
is what no head can reach (models/training/report/roundtrips.py has the figures)."""

Answer = Callable[[Float32Array, Float32Array], Float32Array]
"""B near a head: latents asked for (N, 512), z (N, G) of the heads so far -> z (N, G)."""

Seen = TypeVar("Seen")


def answer_from_heads(backward: BackwardMapping, grade: Grade = "refined") -> Answer:
    """B that starts from the heads as they are, so that what their renders showed still holds."""

    def answer(asked: Float32Array, z: Float32Array) -> Float32Array:
        if grade == "direct":
            return backward.standardised(asked, "direct")
        return invert(backward.ensemble, asked, z, backward.region, backward.settings)

    return answer


class Approach:
    """Each head takes half the compensating step; one that does not help is taken back and halved.

    `proposed` and `rendered` by turns. A head that no render shows a face of is infinitely far
    from its request, so that any that shows one is nearer.

    Attributes:
        requested: (N, 512) what heads are asked for. z: (N, G), achieved: (N, 512) and distances:
            (N,), from requested to achieved, of the nearest heads so far. asked: (N, 512) what B
            was asked for to get these; of the first heads, what is requested.
    """

    def __init__(
        self,
        answer: Answer,
        requested: Annotated[Float32Array, "N 512"],
        z: Annotated[RealArray, "N G"],
        achieved: Annotated[Float32Array, "N 512"],
        usable: Annotated[BoolArray, "N"] | None = None,
    ) -> None:
        """Begin with heads z (N, G) that were rendered.

        `usable` (N,) says which of these show a face: by default those that are finite.
        """
        self._answer, self.requested = answer, requested
        self.z, self.achieved = np.array(z, np.float32), achieved.copy()
        seen = _usable(achieved, usable)
        # What is not a face says nothing about where to go: such a head stays as it is asked for.
        self.achieved[~seen] = requested[~seen]
        self.distances = np.where(seen, cosine_distance(requested, self.achieved), np.inf)
        self.asked, self._next = requested.copy(), requested
        self._step = np.full(len(z), STEP)

    def proposed(self) -> Annotated[Float32Array, "N G"]:
        """z (N, G) of the heads to render next."""
        goal = compensated(self.requested, self.achieved, self.asked)
        self._next = geodesic(self.asked, goal, self._step).astype(np.float32)
        return self._answer(self._next, self.z)

    def rendered(
        self,
        z: Annotated[RealArray, "N G"],
        achieved: Annotated[Float32Array, "N 512"],
        usable: Annotated[BoolArray, "N"] | None = None,
    ) -> Annotated[BoolArray, "N"]:
        """Keep those of the heads `proposed` last, z and latents (N, 512), that are nearer.

        `usable` as at the beginning. Returns which are nearer, (N,).
        """
        usable = _usable(achieved, usable)
        distances = np.where(usable, cosine_distance(self.requested, achieved), np.inf)
        nearer = distances < self.distances
        # Without a face so far there was no step that could be too long.
        self._step[~nearer & np.isfinite(self.distances)] /= 2
        self.z[nearer], self.achieved[nearer] = z[nearer], achieved[nearer]
        self.asked[nearer], self.distances[nearer] = self._next[nearer], distances[nearer]
        return nearer


def nearest_render(
    way: Approach,
    see: Callable[[Float32Array], tuple[Seen, Float32Array]],
    first: Seen,
    renders: int,
) -> Seen:
    """Of one head the render that is nearest to its request: `first`, or that of a half step.

    Args:
        way: begun with that one head.
        see: z (1, G) -> what is seen of it and its latent (D,); RejectedSample where it shows no
            face.
        renders: how many half steps are rendered.
    """
    nearest = first
    for _ in range(renders):
        z = way.proposed()
        try:
            seen, latent = see(z)
        except RejectedSample:
            way.rendered(z, np.full_like(way.requested, np.nan))
            continue
        if way.rendered(z, latent[None])[0]:
            nearest = seen
    return nearest


def _usable(latents: Float32Array, said: BoolArray | None) -> BoolArray:
    return np.isfinite(latents).all(axis=1) if said is None else said
