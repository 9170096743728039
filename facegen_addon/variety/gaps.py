# SPDX-License-Identifier: GPL-3.0-or-later
"""Where real faces lie and no head does yet, and the heads to ask for next.

Natural samples stand for the people to be reached. Heads are chosen greedily, each the one that
brings these samples' mean distance to their nearest head down most, by what the surrogates
predict. Besides single faces, the middles of neighbourhoods are asked for: a head between a dozen
faces is near to them all.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32Array, FloatArray, RealArray
from ..latent.coverage import greedy_cover, neighbourhood_middles
from ..latent.metrics import nearest_neighbour_distances
from ..latent.people import Faces
from ..latent.sphere import cosine_distance_matrix
from ..mapping.backward import BackwardMapping, Grade, Progress
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
    """Propose n heads that bring natural faces' distance to their nearest head down most.

    Args:
        achieved: (K, D) latents of the heads that are there already; K may be 0.
        distance: if given, heads predicted to be nearer than that to one another come last, and
            the others are pushed until they are predicted to be apart.

    Returns:
        the heads in the order in which to render them; a few hundred at most make sense.
    """
    anchors = natural.sample(rng, _ANCHORS)
    covered = np.full(len(anchors), np.inf)
    if len(achieved):
        covered = nearest_neighbour_distances(anchors, achieved)
    asked = np.concatenate(
        [anchors, *(neighbourhood_middles(anchors, size) for size in _NEIGHBOURHOODS)]
    ).astype(np.float32)
    rough = backward.standardised(asked, "direct")
    few = n if grade == "direct" else _REFINED_PER_HEAD * n
    first = _cover(backward.predicted(rough), anchors, covered, few, distance)
    if grade == "direct":
        return VarietyProposal.of(backward, asked[first], rough[first])
    tell = progress or (lambda done, total: None)
    # Refining and pushing take about as long as one another.
    asked = asked[first]
    z = backward.standardised(asked, "refined", lambda done, total: tell(done, 2 * total))
    order = _cover(backward.predicted(z), anchors, covered, n, distance)
    asked, z = asked[order], z[order]
    if distance is not None:
        front = _apart(backward.predicted(z), distance)
        asked[:front], z[:front] = spread(
            backward,
            asked[:front],
            z[:front],
            distance,
            lambda done, total: tell(total + done, 2 * total),
        )
    return VarietyProposal.of(backward, asked, z)


def _cover(
    predicted: Float32Array,
    anchors: Float32Array,
    covered: FloatArray,
    count: int,
    distance: float | None,
) -> NDArray[np.int_]:
    def near(taken: int) -> NDArray[np.bool_]:
        beside: NDArray[np.bool_] = 1 - predicted @ predicted[taken] < distance
        return beside

    return greedy_cover(
        cosine_distance_matrix(anchors, predicted),
        covered,
        count,
        None if distance is None else near,
    )


def _apart(predicted: Float32Array, distance: float) -> int:
    """How many of the first heads lie, or nearly lie, apart from all before them."""
    near = cosine_distance_matrix(predicted) < 0.8 * distance
    crowded = np.tril(near, -1).any(axis=1)
    return int(np.argmax(crowded)) if crowded.any() else len(predicted)
