# SPDX-License-Identifier: GPL-3.0-or-later
"""s -> B -> render -> F: what comes back when latents are turned into heads, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import AnyArray, BoolArray, Float32Array, FloatArray, IntArray, RealArray
from ..confidence import bootstrap_interval
from ..errors import RejectedSample, UserError
from ..heads.parameters import ParameterTable
from ..latent.checked import LATENT_SIZE, checked_latents
from ..latent.metrics import (
    own_identity_rate,
    pairwise_distances,
    plausibility,
    roundtrip_summary,
)
from ..latent.sphere import angle, cosine_distance, cosine_distance_matrix, normalise
from .approach import Approach, answer_from_heads
from .backward import BackwardMapping, Grade
from .correction import FEEDBACK, Correct

RenderAndEmbed = Callable[[FloatArray], Float32Array]
"""F: parameters (N, P) -> latents (N, 512). Handed in, since rendering is another room's."""

HALF_STEPS = "half_steps"
FEEDBACKS = (HALF_STEPS, *FEEDBACK)
"""What renders are used for, the best first: half steps from the nearest head so far (approach.py),
or whole ones from the last head, each by a rule of correction.FEEDBACK."""

GALLERY = 119
"""Other identities among which a head has to be nearest to its own."""


@dataclass(frozen=True)
class Roundtrip:
    """Row by row: latents asked for (N, 512), latents of the heads (N, 512), parameters (N, P)."""

    requested: Annotated[Float32Array, "N 512"]
    achieved: Annotated[Float32Array, "N 512"]
    parameters: Annotated[FloatArray, "N P"]

    @property
    def shift(self) -> Annotated[FloatArray, "N"]:
        """Cosine distance (N,) from what was asked for to what came back."""
        return np.asarray(cosine_distance(self.requested, self.achieved), np.float64)

    @property
    def degrees(self) -> Annotated[FloatArray, "N"]:
        """Angle (N,) from what was asked for to what came back, degrees."""
        return np.degrees(angle(self.requested, self.achieved))

    def rows(self, chosen: AnyArray) -> Roundtrip:
        """Those rows that an index or mask chooses."""
        return Roundtrip(self.requested[chosen], self.achieved[chosen], self.parameters[chosen])

    def figures(
        self, table: ParameterTable, gallery: Annotated[RealArray, "M 512"] | None = None
    ) -> dict[str, Any]:
        """Figures of these heads, ready for JSON.

        `gallery` (M, 512) adds real latents to those among which own identities are looked for.
        """
        own = {
            name: own_identity_rate(
                self.requested, self.achieved, gallery, others=GALLERY, centred=name == "centred"
            )
            for name in ("raw", "centred")
        }
        return {
            "count": len(self.requested),
            "roundtrip": asdict(roundtrip_summary(self.requested, self.achieved)),
            "own_identity_nearest": own,
            "pairwise": asdict(pairwise_distances(self.achieved)),
            "plausibility": asdict(
                plausibility(table.standardise(self.parameters), table.guided_groups())
            ),
        }


def make_roundtrip(
    latents: ArrayLike,
    backward: BackwardMapping,
    render_and_embed: RenderAndEmbed,
    grade: Grade = "refined",
) -> Roundtrip:
    """Turn latents (N, 512) into heads and embed these again."""
    return iterate(latents, backward, render_and_embed, grade).final


@dataclass(frozen=True)
class Iterated:
    """Roundtrips that learn from their own renders; K + 1 steps, each rendered.

    requested (N, 512): s; asked, achieved (K + 1, N, 512): what B was asked for, and F of the head
    that it gave; parameters (K + 1, N, P). By half steps, each step has the nearest head so far.
    usable (N,) bool: False where a head showed no face, whose latents are then zero from that step
    on; by half steps, the first head alone, as later ones without a face are never the nearest.
    """

    requested: Annotated[Float32Array, "N 512"]
    asked: Annotated[Float32Array, "S N 512"]
    achieved: Annotated[Float32Array, "S N 512"]
    parameters: Annotated[FloatArray, "S N P"]
    usable: Annotated[BoolArray, "N"]

    def step(self, number: int) -> Roundtrip:
        """The heads of one step, 0 for those that no render has corrected yet."""
        return Roundtrip(self.requested, self.achieved[number], self.parameters[number])

    @property
    def final(self) -> Roundtrip:
        """The heads of the last step."""
        return self.step(len(self.achieved) - 1)

    @property
    def nearest(self) -> Roundtrip:
        """Of each latent the head of all steps that came nearest; it costs no further render."""
        steps = [self.step(number).shift for number in range(len(self.achieved))]
        best, rows = np.argmin(steps, axis=0), np.arange(len(self.requested))
        return Roundtrip(self.requested, self.achieved[best, rows], self.parameters[best, rows])


def iterate(
    latents: ArrayLike,
    backward: BackwardMapping,
    render_and_embed: RenderAndEmbed,
    grade: Grade = "refined",
    *,
    correct: Correct | None = None,
    feedback: str = HALF_STEPS,
    renders: int = 0,
) -> Iterated:
    """Turn latents into heads, look at these `renders` times and ask B again each time.

    Args:
        latents: (N, 512) s; normalised, with a notice, where their norm is not 1.
        render_and_embed: F; a row of NaN for a head that shows no face, see `one_by_one`.
        correct: a render-free correction that says what to ask for first; None asks for s.
        feedback: one of FEEDBACKS.
        renders: K, how many renders serve the correction; one more shows what came of it.

    UserError for latents of another width, NaN or zero, an unknown feedback or negative renders.
    """
    if feedback not in FEEDBACKS:
        raise UserError(f"unknown feedback {feedback!r}: choose one of {', '.join(FEEDBACKS)}")
    if renders < 0:
        raise UserError(f"{renders} renders cannot be looked at: give 0 or more")
    requested = checked_latents(latents)
    correct = correct or _as_it_is
    first = _rendered(backward, correct(requested), grade, render_and_embed)
    if feedback == HALF_STEPS:
        further = _half_steps(requested, first, backward, render_and_embed, grade, correct)
    else:
        further = _whole_steps(requested, first, backward, render_and_embed, grade, feedback)
    steps = [first, *islice(further, renders)]
    asked, achieved, heads = (
        np.stack(arrays) for arrays in zip(*(step[:3] for step in steps), strict=True)
    )
    return Iterated(requested, asked, achieved, heads, steps[-1].usable)


class _Step(NamedTuple):
    """One step of an Iterated, latents of the unusable being zero."""

    asked: Float32Array
    achieved: Float32Array
    parameters: FloatArray
    usable: BoolArray


def _as_it_is(latents: Float32Array) -> Float32Array:
    return latents


def _rendered(
    backward: BackwardMapping, asked: Float32Array, grade: Grade, render_and_embed: RenderAndEmbed
) -> _Step:
    heads = backward.parameters(asked, grade)
    seen = np.array(render_and_embed(heads), np.float32)
    usable = np.isfinite(seen).all(axis=1)
    seen[~usable] = 0.0
    return _Step(asked, seen, heads, usable)


def _whole_steps(
    requested: Float32Array,
    step: _Step,
    backward: BackwardMapping,
    render_and_embed: RenderAndEmbed,
    grade: Grade,
    feedback: str,
) -> Iterator[_Step]:
    """Ask for what the last head's miss says, whatever comes of it."""
    while True:
        asked, usable = step.asked.copy(), step.usable
        if usable.any():
            asked[usable] = FEEDBACK[feedback](
                requested[usable], step.achieved[usable], asked[usable]
            )
        step = _rendered(backward, asked, grade, render_and_embed)
        step.achieved[~usable] = 0.0
        step = step._replace(usable=usable & step.usable)
        yield step


def _half_steps(
    requested: Float32Array,
    step: _Step,
    backward: BackwardMapping,
    render_and_embed: RenderAndEmbed,
    grade: Grade,
    correct: Correct,
) -> Iterator[_Step]:
    """The nearest heads so far, which Approach brings nearer."""
    # A correction leads to the first heads. B goes on from these, but its network always begins
    # from nothing.
    corrected = correct if grade == "direct" else _as_it_is
    nearby = answer_from_heads(backward, grade)
    table, usable = backward.table, step.usable
    way = Approach(
        lambda asked, z: nearby(corrected(asked), z),
        requested,
        table.standardise(step.parameters),
        step.achieved,
        usable,
    )
    while True:
        z = way.proposed()
        heads = table.from_standardised(z)
        seen = np.asarray(render_and_embed(heads), np.float32)
        nearer = (way.rendered(z, seen) & usable)[:, None]
        step = _Step(
            np.where(nearer, corrected(way.asked), step.asked),
            np.where(nearer, seen, step.achieved),
            np.where(nearer, heads, step.parameters),
            usable,
        )
        yield step


def one_by_one(
    render_and_embed: RenderAndEmbed, done: Callable[[], None] | None = None
) -> RenderAndEmbed:
    """F that renders each head alone: one that shows no face has a row of NaN and spoils no other.

    `done` is called after each head.
    """

    def embed(parameters: FloatArray) -> Float32Array:
        latents = np.full((len(parameters), LATENT_SIZE), np.nan, np.float32)
        for row, head in enumerate(parameters):
            with suppress(RejectedSample):
                latents[row] = render_and_embed(head[None])[0]
            if done is not None:
                done()
        return latents

    return embed


@dataclass(frozen=True)
class MeanShift:
    """What all shifts rho = F(B(s)) - s have in common.

    vector (D,): their mean; length: its norm; degrees: angle between the mean direction asked for
    and the mean direction achieved; common_share: |mean rho|^2 / mean |rho|^2, 1 where every
    latent is shifted alike, about 1 / N where the shifts have nothing in common.
    """

    vector: Annotated[FloatArray, "D"]
    length: float
    degrees: float
    common_share: float


def mean_shift(
    requested: Annotated[RealArray, "N D"], achieved: Annotated[RealArray, "N D"]
) -> MeanShift:
    """The mean shift of latents (N, D), row by row; ValueError for no rows."""
    if not len(requested):
        raise ValueError("no latents have no mean shift")
    rho = np.asarray(achieved, np.float64) - requested
    vector = rho.mean(axis=0)
    means = [normalise(np.mean(rows, axis=0, dtype=np.float64)) for rows in (requested, achieved)]
    total = float(np.mean(np.sum(rho**2, axis=1)))
    length = float(np.linalg.norm(vector))
    return MeanShift(
        vector, length, float(np.degrees(angle(*means))), length**2 / total if total else 0.0
    )


def shift_figures(roundtrip: Roundtrip, rng: np.random.Generator) -> dict[str, Any]:
    """Mean, median and 90 % quantile of angle (degrees) and cosine distance, ready for JSON.

    Each is {"value", "low", "high"}: with its 95 % bootstrap interval over identities.
    """
    statistics: dict[str, Callable[[np.ndarray], Any]] = {
        "mean": np.mean,
        "median": np.median,
        "quantile90": partial(np.quantile, q=0.9),
    }
    measures = {"degrees": roundtrip.degrees, "distance": roundtrip.shift}
    return {
        measure: {name: _bounded(values, of, rng) for name, of in statistics.items()}
        for measure, values in measures.items()
    }


def improvement(before: Roundtrip, after: Roundtrip, rng: np.random.Generator) -> dict[str, Any]:
    """What came of a correction: how far the mean fell, head by head, ready for JSON.

    `degrees`: mean of (after - before); `distance_ratio`: mean distance after over that before;
    `nearer`: share of the heads that came nearer. Each with its 95 % bootstrap interval.
    """
    degrees = after.degrees - before.degrees
    both = np.stack([before.shift, after.shift], axis=1)
    return {
        "degrees": _bounded(degrees, np.mean, rng),
        "distance_ratio": _bounded(both, _ratio_of_means, rng),
        "nearer": _bounded(degrees < 0, np.mean, rng),
    }


def _ratio_of_means(rows: RealArray) -> float:
    before, after = rows.mean(axis=0)
    return float(after / max(before, 1e-9))


def _bounded(
    values: AnyArray, statistic: Callable[[AnyArray], Any], rng: np.random.Generator
) -> dict[str, float]:
    interval = bootstrap_interval(values, statistic, rng)
    return {"value": float(statistic(values)), **interval._asdict()}


def nearest_identity(
    latents: Annotated[RealArray, "N D"], gallery: Annotated[RealArray, "M D"]
) -> tuple[Annotated[IntArray, "N"], Annotated[FloatArray, "N"]]:
    """Row of and cosine distance to the nearest of `gallery` (M, D), for latents (N, D): (N,)."""
    distances = cosine_distance_matrix(latents, gallery)
    nearest = distances.argmin(axis=1)
    return nearest, distances[np.arange(len(latents)), nearest]
