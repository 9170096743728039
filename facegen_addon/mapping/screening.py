# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose, before anything is rendered, which heads are likely to differ from one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ..arrays import Float32Array, FloatArray
from ..latent.people import Faces
from ..latent.selection import farthest_point_order
from ..latent.sphere import cosine_distance_matrix, normalise
from .backward import BackwardMapping, Grade
from .inversion import InversionSettings, Progress, TrustRegion, invert
from .surrogate import SurrogateEnsemble

# Latents drawn for each head proposed; the direct grade sorts the many, the refined the few.
_DRAWN_PER_HEAD, _DRAWN_AT_LEAST = 10, 3000

# Heads are pushed to this much beyond the distance: renders fall short of surrogates by about it.
_MARGIN = 0.06
_PUSHES, _PUSH_STRENGTH, _STEPS_PER_PUSH = 8, 0.5, 20


@dataclass(frozen=True)
class VarietyProposal:
    """Heads in the order in which to render them, the most different ones first.

    Attributes:
        requested: (n, 512) latents asked for.
        parameters: (n, P).
        predicted: (n, 512) where the surrogates expect the rendered heads.
    """

    requested: Annotated[Float32Array, "n 512"]
    parameters: Annotated[FloatArray, "n P"]
    predicted: Annotated[Float32Array, "n 512"]

    @classmethod
    def of(
        cls,
        backward: BackwardMapping,
        wanted: Annotated[Float32Array, "n 512"],
        z: Annotated[Float32Array, "n G"],
    ) -> VarietyProposal:
        """Heads z (n, G) in this order, made for the latents `wanted` (n, 512)."""
        return cls(wanted, backward.table.from_standardised(z), backward.predicted(z))


def propose_variety(
    backward: BackwardMapping,
    natural: Faces,
    rng: np.random.Generator,
    n: int,
    distance: float,
    grade: Grade = "refined",
    progress: Progress | None = None,
) -> VarietyProposal:
    """Propose n heads of which as many as possible are mutually `distance` apart.

    Latents are drawn where real faces lie and those whose heads are predicted to be farthest from
    one another are taken, of each group of people as many as its share. The refined grade refines
    these, then pushes apart where the prediction is nearer than the distance, all but what faces
    keep and unless certain people are asked for: pushed, these would look less like it.
    """
    drawn = natural.sample(rng, max(_DRAWN_AT_LEAST, _DRAWN_PER_HEAD * n))
    rough = backward.standardised(drawn, "direct", styled=False)
    first = farthest_point_order(backward.predicted(rough), n, strata=natural.strata_of(drawn))
    wanted = drawn[first.indices]
    if grade == "direct":
        return VarietyProposal.of(backward, wanted, backward.standardised(wanted, "direct"))
    tell = progress or (lambda done, total: None)
    # Refining and pushing take about as long as one another.
    z = backward.standardised(wanted, "refined", lambda done, total: tell(done, 2 * total))
    strata = natural.strata_of(wanted)
    order = farthest_point_order(backward.predicted(z), strata=strata)
    wanted, z, strata = wanted[order.indices], z[order.indices], strata[order.indices]
    # Those which the rest crowds out anyway would only push the others about.
    front = order.distances >= 0.8 * distance
    if natural.pushed:
        wanted[front], z[front] = spread(
            backward,
            wanted[front],
            z[front],
            distance,
            natural.kept,
            lambda done, total: tell(total + done, 2 * total),
        )
    last = farthest_point_order(backward.predicted(z), strata=strata).indices
    return VarietyProposal.of(backward, wanted[last], z[last])


def spread(
    backward: BackwardMapping,
    wanted: Annotated[Float32Array, "n 512"],
    z: Annotated[Float32Array, "n G"],
    distance: float,
    kept: Annotated[FloatArray, "512 K"],
    progress: Progress | None = None,
) -> tuple[Annotated[Float32Array, "n 512"], Annotated[Float32Array, "n G"]]:
    """Push latents (n, 512) and their heads z (n, G) apart until `distance` is predicted.

    Each push moves a latent away from the heads that are too near, but along none of the directions
    `kept`, and inverts again.
    """
    # Pushed from style to style, hair would end as nobody wears it: each keeps near its first one.
    region = backward.region.around(wanted).wearing(z)
    return pushed_apart(
        backward.ensemble,
        region,
        backward.settings,
        wanted,
        z,
        distance,
        kept,
        lambda latents: backward.asked(latents, "refined"),
        progress,
    )


def pushed_apart(
    ensemble: SurrogateEnsemble,
    region: TrustRegion,
    settings: InversionSettings,
    wanted: Annotated[Float32Array, "n 512"],
    z: Annotated[Float32Array, "n G"],
    distance: float,
    kept: Annotated[FloatArray, "512 K"],
    asked: Callable[[Float32Array], Float32Array] = lambda latents: latents,
    progress: Progress | None = None,
) -> tuple[Annotated[Float32Array, "n 512"], Annotated[Float32Array, "n G"]]:
    """`spread` by the parts of a mapping; the region lies around people, and `asked` tells what to
    invert for latents (n, 512)."""
    settings = replace(settings, steps=_STEPS_PER_PUSH)
    for push_number in range(_PUSHES):
        if progress:
            progress(push_number, _PUSHES)
        predicted = ensemble.predict(z)[0]
        lacking = distance + _MARGIN - cosine_distance_matrix(predicted)
        np.fill_diagonal(lacking, 0)
        if lacking.max() <= 0:
            break
        push = np.maximum(lacking, 0) @ predicted
        wanted = _moved(wanted, -_PUSH_STRENGTH * push, kept)
        z = invert(ensemble, asked(wanted), z, region, settings)
    return wanted, z


def _moved(wanted: Float32Array, push: FloatArray, kept: FloatArray) -> Float32Array:
    """Latents (n, 512) moved, with the share that each has of the directions `kept` as it was."""
    moved = wanted + push
    if not kept.size:
        return normalise(moved).astype(np.float32)
    along = wanted @ kept
    across = normalise(moved - (moved @ kept) @ kept.T)
    rest = np.sqrt(np.maximum(1.0 - (along**2).sum(axis=1, keepdims=True), 0.0))
    return np.asarray(along @ kept.T + rest * across, np.float32)
