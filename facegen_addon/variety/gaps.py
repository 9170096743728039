# SPDX-License-Identifier: GPL-3.0-or-later
"""Where real faces lie and no head does yet, and the heads to ask for next.

Natural samples stand for the people to be reached. Heads are chosen greedily, each the one that
brings these samples' mean distance to their nearest head down most, by what the surrogates predict,
and of samples of several groups the worst covered group's first. Besides single faces, the middles
of neighbourhoods are asked for: a head between a dozen faces is near to them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, Float32Array, FloatArray, IntArray, RealArray
from ..latent.coverage import greedy_cover, neighbourhood_middles
from ..latent.metrics import nearest_neighbour_distances
from ..latent.people import Faces
from ..latent.sphere import cosine_distance_matrix
from ..mapping.backward import BackwardMapping, Grade
from ..mapping.inversion import Progress
from ..mapping.screening import VarietyProposal, spread

_ANCHORS = 1500  # natural samples that stand for all people
_NEIGHBOURHOODS = (4, 12, 30)  # faces whose middle is asked for
_REFINED_PER_HEAD = 2  # of the heads refined, every second is proposed


def propose_gap_fillers(
    backward: BackwardMapping,
    natural: Faces,
    rng: np.random.Generator,
    n: int,
    achieved: Annotated[RealArray, "K D"],
    distance: float | None = None,
    grade: Grade = "refined",
    progress: Progress | None = None,
) -> VarietyProposal:
    """Propose n heads that bring natural faces' distance to their nearest head down most, and
    that of the worst covered of their groups first.

    Args:
        achieved: (K, D) latents of the heads that are there already; K may be 0.
        distance: if given, heads predicted to be nearer than that to one another come last, and
            the others are pushed, if faces are, until they are predicted to be apart, all but what
            faces keep.

    Returns:
        the heads in the order in which to render them; a few hundred at most make sense.
    """
    anchors = natural.people(rng, _ANCHORS)
    people = _People.of(anchors, natural.groups_of(anchors), achieved)
    middles = [neighbourhood_middles(anchors, size) for size in _NEIGHBOURHOODS]
    asked = np.concatenate([anchors, *middles]).astype(np.float32)
    asked = asked[natural.groups_of(asked) >= 0]  # the middle of two may be somebody else
    rough = backward.standardised(asked, "direct", styled=False)
    few = n if grade == "direct" else _REFINED_PER_HEAD * n
    first = people.cover(backward.predicted(rough), few, distance)
    asked = asked[first]
    if grade == "direct":
        return VarietyProposal.of(backward, asked, backward.standardised(asked, "direct"))
    tell = progress or (lambda done, total: None)
    # Refining and pushing take about as long as one another.
    z = backward.standardised(asked, "refined", lambda done, total: tell(done, 2 * total))
    order = people.cover(backward.predicted(z), n, distance)
    asked, z = asked[order], z[order]
    if distance is not None and natural.pushed:
        front = _apart(backward.predicted(z), distance)
        asked[:front], z[:front] = spread(
            backward,
            asked[:front],
            z[:front],
            distance,
            natural.kept,
            lambda done, total: tell(total + done, 2 * total),
        )
    return VarietyProposal.of(backward, asked, z)


@dataclass(frozen=True)
class _People:
    """Who is to be reached: latents (M, D), group (M,) of each, and distance (M,) to the nearest
    head that is there."""

    latents: Float32Array
    groups: IntArray
    covered: FloatArray

    @classmethod
    def of(cls, latents: Float32Array, groups: IntArray, achieved: RealArray) -> _People:
        covered = np.full(len(latents), np.inf)
        if len(achieved):
            covered = nearest_neighbour_distances(latents, achieved)
        return cls(latents, groups, covered)

    def cover(self, predicted: Float32Array, count: int, distance: float | None) -> IntArray:
        """Which of the heads predicted (N, D) cover them best; see greedy_cover."""

        def near(taken: int) -> BoolArray:
            beside: BoolArray = 1 - predicted @ predicted[taken] < distance
            return beside

        return greedy_cover(
            cosine_distance_matrix(self.latents, predicted),
            self.covered,
            count,
            None if distance is None else near,
            self.groups if len(np.unique(self.groups)) > 1 else None,
        )


def _apart(predicted: Float32Array, distance: float) -> int:
    """How many of the first heads lie, or nearly lie, apart from all before them."""
    near = cosine_distance_matrix(predicted) < 0.8 * distance
    crowded = np.tril(near, -1).any(axis=1)
    return int(np.argmax(crowded)) if crowded.any() else len(predicted)
