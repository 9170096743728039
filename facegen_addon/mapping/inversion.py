# SPDX-License-Identifier: GPL-3.0-or-later
"""Inversion of the surrogates: descent on their distance to a latent, inside a trust region.

The region is where the surrogates agree and where heads are believable: bounds per parameter
group, in standard deviations.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

import numpy as np

from ..arrays import BoolArray, Float32Array, IntArray, RealArray
from ..errors import Need, Remedy, UserError
from ..heads.parameters import ParameterTable
from .attributes import Agreement, AttributePrior
from .hair_colours import HairColours
from .surrogate import SurrogateEnsemble
from .wardrobe import Wardrobe

Progress = Callable[[int, int], None]

# Heads descended on together: their activations stay in the processor's cache.
_BLOCK = 64
_THREADS = os.cpu_count() or 1
_ADAM_DECAY = (0.9, 0.99)
_REACH = 3.0
_OF_ONE = 0.8  # spread around one person's colours, of that of people of a kind
_SEEN = {"brow_density": 0.50, "brow_thickness": 0.30}
"""The least of brows that are seen from afar: B is asked for none that are not."""
_OF_STRANDS = "brow_peak"
"""A parameter that only brows have which are strands of their own."""

BELIEVABLE_RMS = {"skull": 0.6, "forehead": 0.6, "ears": 0.6, "iris": 0.6, "shape": 1.0}
"""Largest root mean square of a group, in standard deviations: where FaceNet looks and people do
not forgive, less than the prior's own; FLAME's identity as much as the prior's."""


@dataclass(frozen=True)
class InversionSettings:
    """How a latent is inverted; lengths in standard deviations of the prior.

    Attributes:
        disagreement_weight: price of the surrogates' disagreement, in units of cosine distance.
        soft_limit, soft_limit_weight: |z| beyond the limit costs weight * excess^2 a parameter.
        correlation_weight: price of what the prior's correlations forbid, e.g. grey hair on the
            young: weight * excess^2 of the mean squared Mahalanobis length beyond its mean of 1.
        agreement_weight: price of heads that read of another sex or age than their latents, by
            what the surrogates predict (`Agreement`); only where B is asked to agree.
        overall_rms, group_rms: root mean square of one head's parameters never exceeds these.
        worn_spread: how far hair and beard may leave the style they begin with, as a share of what
            people of a kind may.
        steps, learning_rate: of Adam; the rate falls to zero along a half cosine.
    """

    disagreement_weight: float = 0.5
    soft_limit: float = 1.8
    soft_limit_weight: float = 0.05
    correlation_weight: float = 1.0
    agreement_weight: float = 0.0
    overall_rms: float = 1.0
    group_rms: Mapping[str, float] = field(default_factory=dict)
    worn_spread: float = 0.4
    steps: int = 60
    learning_rate: float = 0.1

    @classmethod
    def of(cls, table: ParameterTable, **others: Any) -> InversionSettings:
        """The settings of a head model: bounds on those of the known groups that it has."""
        groups = table.guided_groups()
        bounds = {name: rms for name, rms in BELIEVABLE_RMS.items() if name in groups}
        return cls(group_rms=bounds, **others)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> InversionSettings:
        """Read settings from plain data, e.g. a registered artifact's facts."""
        try:
            return cls(**values)
        except TypeError as error:
            fault = f"inversion settings do not fit ({error})"
            raise UserError(fault, Need(Remedy.RETRAIN)) from None

    def as_mapping(self) -> dict[str, Any]:
        """These settings as plain data, ready for JSON."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class TrustRegion:
    """Bounds that every head of the backward mapping keeps, in standard deviations.

    Attributes:
        low, high: (G,) ranges of the guided parameters; both contain the mean, 0.
        balls: (columns, largest root mean square) of each bounded group, the whole head last.
        precision: (G, G) inverse correlations of the prior.
        held, held_values: (H,) columns that stay at these values, inside the bounds or not.
        given: the prior given what latents say of people; None where B is not asked to agree.
        wardrobe: hairstyles of such people, which heads keep to; None where hair is as any part.
        worn_spread: InversionSettings'.
        colours: of single people's hair; None where they lie around the mean of a kind.
        centre, spread: (N, G) of the heads of N people, or (1, 1): all that is said here of
            deviations is said of (z - centre) / spread.
        reach: largest deviation of one parameter.
        agreement: what the heads of N people have to read as.
    """

    low: Annotated[Float32Array, "G"]
    high: Annotated[Float32Array, "G"]
    balls: tuple[tuple[IntArray, float], ...]
    precision: Annotated[Float32Array, "G G"]
    held: Annotated[IntArray, "H"] = field(default_factory=lambda: np.zeros(0, np.intp))
    held_values: Annotated[Float32Array, "H"] = field(
        default_factory=lambda: np.zeros(0, np.float32)
    )
    given: AttributePrior | None = None
    wardrobe: Wardrobe | None = None
    worn_spread: float = 1.0
    colours: HairColours | None = None
    centre: Annotated[Float32Array, "M C"] = field(
        default_factory=lambda: np.zeros((1, 1), np.float32)
    )
    spread: Annotated[Float32Array, "M C"] = field(
        default_factory=lambda: np.ones((1, 1), np.float32)
    )
    reach: float = np.inf
    agreement: Agreement | None = None

    @classmethod
    def of(
        cls,
        table: ParameterTable,
        settings: InversionSettings,
        precision: Annotated[RealArray, "G G"],
        given: AttributePrior | None = None,
        wardrobe: Wardrobe | None = None,
        colours: HairColours | None = None,
    ) -> TrustRegion:
        """The region of a head model's table; UserError if the other parts do not belong to it."""
        if precision.shape != (len(table.guided),) * 2:
            raise UserError(
                f"the prior's precision has shape {precision.shape}, the head model guides"
                f" {len(table.guided)} parameters",
                Need(Remedy.RETRAIN),
            )
        groups = table.guided_groups()
        unknown = settings.group_rms.keys() - groups.keys()
        if unknown:
            raise UserError(
                f"bounded groups {sorted(unknown)} are not among the model's {sorted(groups)}"
            )
        low, high = (np.array(bound, np.float32) for bound in table.guided_bounds())
        _raise_to_what_is_seen(table, low)
        balls = [(groups[name], bound) for name, bound in settings.group_rms.items()]
        balls.append((np.arange(len(low)), settings.overall_rms))
        return cls(
            low,
            high,
            tuple(balls),
            np.asarray(precision, np.float32),
            given=given,
            wardrobe=wardrobe,
            worn_spread=settings.worn_spread,
            colours=colours,
        )

    def around(self, latents: Annotated[RealArray, "N 512"]) -> TrustRegion:
        """This region around the heads of people such as latents (N, 512) speak of.

        The region itself where nothing is `given`, or where it lies around people already.
        """
        if self.given is None:
            return self
        centre, spread = self.given.of(self.given.asked(latents))
        spread *= self.given.freedom.astype(np.float32)
        if self.colours is not None:
            # As old as they read: heads that are made older, to read so, need not be grey.
            read = self.given.said(latents)
            centre[:, self.colours.columns] = self.colours.chosen(latents, read)
            spread[:, self.colours.columns] *= _OF_ONE
        return replace(
            self,
            given=None,
            agreement=self.given.agreement(latents),
            centre=np.clip(centre, self.low, self.high),
            spread=spread,
            reach=_REACH,
        )

    def wearing(self, z: Annotated[RealArray, "N G"]) -> TrustRegion:
        """This region around people with the hairstyles and beards of heads z (N, G).

        The region itself without a wardrobe, or where hairstyles are chosen already.
        """
        if self.wardrobe is None:
            return self
        columns = self.wardrobe.columns
        centre, spread = (
            np.array(np.broadcast_to(part, z.shape), np.float32)
            for part in (self.centre, self.spread)
        )
        centre[:, columns] = np.clip(z, self.low, self.high)[:, columns]
        spread[:, columns] *= self.worn_spread
        return replace(self, wardrobe=None, centre=centre, spread=spread)

    def rows(self, rows: slice | IntArray) -> TrustRegion:
        """This region for some of its people."""
        if len(self.centre) == 1:
            return self
        agreement = self.agreement and self.agreement.rows(rows)
        return replace(
            self, centre=self.centre[rows], spread=self.spread[rows], agreement=agreement
        )

    def deviations(self, z: Annotated[RealArray, "N G"]) -> Annotated[RealArray, "N G"]:
        """How far heads z (N, G) are from the centre, in spreads (N, G)."""
        result: RealArray = (z - self.centre) / self.spread
        return result

    def holding(self, held: Annotated[BoolArray, "G"], z: Annotated[RealArray, "G"]) -> TrustRegion:
        """This region with columns `held` (G,) kept at their values in z (G,).

        The bounds of the groups are those of the other columns: what is held uses up none of them.
        """
        balls = [(columns[~held[columns]], bound) for columns, bound in self.balls]
        return replace(
            self,
            balls=tuple(ball for ball in balls if len(ball[0])),
            held=np.flatnonzero(held),
            held_values=np.asarray(z, np.float32)[held],
        )

    def widened(self, heads: Annotated[RealArray, "N G"]) -> TrustRegion:
        """This region with its groups' bounds as wide as those of any of the heads z (N, G)."""
        away = self.deviations(heads)
        sizes = [np.sqrt(np.mean(away[:, columns] ** 2, axis=1)) for columns, _ in self.balls]
        return replace(
            self,
            balls=tuple(
                (columns, max(bound, float(size.max())))
                for (columns, bound), size in zip(self.balls, sizes, strict=True)
            ),
        )

    def project(self, z: Annotated[RealArray, "N G"]) -> Annotated[Float32Array, "N G"]:
        """Bring z (N, G) inside: clip to the ranges, then shrink each group, then all.

        Each step shrinks towards the centre only, so none leaves what an earlier one ensured. What
        is held is set last.
        """
        away = self.deviations(np.clip(np.asarray(z, np.float32), self.low, self.high))
        away = np.clip(away, -self.reach, self.reach)
        for columns, bound in self.balls:
            part = away[:, columns]
            size = np.sqrt(np.mean(part**2, axis=1, keepdims=True))
            away[:, columns] = part * np.minimum(1.0, bound / np.maximum(size, 1e-9))
        inside: Float32Array = self.centre + away * self.spread
        inside[:, self.held] = self.held_values
        return inside


def _raise_to_what_is_seen(table: ParameterTable, low: Annotated[Float32Array, "G"]) -> None:
    """Raise lowest values, standard units, in place, of a model whose brows are strands."""
    if _OF_STRANDS not in table.names:
        return
    for place, column in enumerate(table.guided):
        least = _SEEN.get(table.names[column])
        if least is not None:
            low[place] = (least - table.mean[column]) / table.std[column]


def inversion_cost(
    ensemble: SurrogateEnsemble,
    z: Annotated[RealArray, "N G"],
    latents: Annotated[RealArray, "N 512"],
    region: TrustRegion,
    settings: InversionSettings,
    disagreement_weight: Annotated[RealArray, "N"] | None = None,
) -> tuple[Annotated[Float32Array, "N"], Annotated[Float32Array, "N G"]]:
    """What inversion minimises, and its gradient.

    Args:
        z: (N, G) standardised guided parameters.
        latents: (N, 512) wanted, of unit norm.
        disagreement_weight: (N,) to weigh each head's by its own, instead of the settings'.

    Returns:
        costs (N,): mean cosine distance of the members to the latent, plus the weighted
        disagreement 1 - |mean of members|^2, plus the prices of the soft limit, of correlations
        and of misreadings; and their gradient (N, G).
    """
    weight = np.full(len(z), settings.disagreement_weight, np.float32)
    if disagreement_weight is not None:
        weight = disagreement_weight.astype(np.float32)
    tape = ensemble.forward(z)
    mean = tape.members.mean(axis=0)
    disagreement = 1 - np.einsum("nk,nk->n", mean, mean)
    away = region.deviations(z)
    excess = np.maximum(np.abs(away) - settings.soft_limit, 0)
    whitened = away @ region.precision
    unnatural = np.maximum(np.mean(whitened * away, axis=1) - 1, 0)
    costs = (
        1
        - np.einsum("nk,nk->n", mean, latents)
        + weight * disagreement
        + settings.soft_limit_weight * np.sum(excess**2, axis=1)
        + settings.correlation_weight * unnatural**2
    )
    to_mean = -(latents + 2 * weight[:, None] * mean)
    if region.agreement is not None and settings.agreement_weight:
        misread, slope = region.agreement.price(mean)
        costs = costs + settings.agreement_weight * misread
        to_mean = to_mean + (settings.agreement_weight * slope).astype(np.float32)
    # The members' mean is all that the cost sees, so one gradient serves every member.
    gradient = ensemble.backward(tape, to_mean[None] / len(tape.members))
    gradient += 2 * settings.soft_limit_weight * excess * np.sign(away) / region.spread
    natural = 4 * settings.correlation_weight / z.shape[1] * unnatural[:, None] * whitened
    gradient += natural / region.spread
    return costs, gradient


def dressed(
    latents: Annotated[RealArray, "N 512"],
    z: Annotated[RealArray, "N G"],
    region: TrustRegion,
    wanted: Annotated[RealArray, "N 512"] | None = None,
) -> Annotated[Float32Array, "N G"]:
    """Heads z (N, G) in whole hairstyles: of those of people like each, the one that suits best.

    `latents` say who the people are and, unless others are `wanted`, where the heads should be.
    What the region holds stays. The heads as they are where it has no wardrobe.
    """
    worn_by = np.array(z, np.float32)
    if region.wardrobe is None or region.given is None or not len(z):
        return worn_by
    free = ~np.isin(region.wardrobe.columns, region.held)
    columns = region.wardrobe.columns[free]
    goals = latents if wanted is None else wanted
    styles = region.wardrobe.chosen(goals, region.given.asked(latents))[:, free]
    worn_by[:, columns] = np.clip(styles, region.low[columns], region.high[columns])
    return worn_by


def invert(
    ensemble: SurrogateEnsemble,
    latents: Annotated[RealArray, "N 512"],
    start: Annotated[RealArray, "N G"],
    region: TrustRegion,
    settings: InversionSettings,
    disagreement_weight: Annotated[RealArray, "N"] | None = None,
    progress: Progress | None = None,
) -> Annotated[Float32Array, "N G"]:
    """Descend from `start` (N, G) on `inversion_cost` by projected Adam; z (N, G) in the region.

    The region is put around the people that `latents` speak of, unless it is around some already,
    with the hairstyles of `start`. `progress(done, total)` is called after each block of heads.
    """
    region = region.around(latents).wearing(start)
    z = region.project(start)
    blocks = [slice(first, first + _BLOCK) for first in range(0, len(z), _BLOCK)]

    def descend(rows: slice) -> Float32Array:
        weight = None if disagreement_weight is None else disagreement_weight[rows]
        here = region.rows(rows)
        return _projected_adam(
            z[rows],
            lambda z: inversion_cost(ensemble, z, latents[rows], here, settings, weight)[1],
            here,
            settings,
        )

    # NumPy lets go of the interpreter while it computes, so blocks run side by side.
    with ThreadPoolExecutor(min(_THREADS, len(blocks)) or 1) as pool:
        for rows, found in zip(blocks, pool.map(descend, blocks), strict=True):
            z[rows] = found
            if progress:
                progress(min(rows.stop, len(z)), len(z))
    return z


def _projected_adam(
    z: Float32Array,
    gradient_of: Callable[[Float32Array], Float32Array],
    region: TrustRegion,
    settings: InversionSettings,
) -> Float32Array:
    momentum, scale = np.zeros_like(z), np.zeros_like(z)
    fast, slow = _ADAM_DECAY
    for step in range(1, settings.steps + 1):
        gradient = gradient_of(z)
        momentum += (1 - fast) * (gradient - momentum)
        scale += (1 - slow) * (gradient**2 - scale)
        rate = settings.learning_rate * 0.5 * (1 + np.cos(np.pi * (step - 1) / settings.steps))
        unbiased = momentum / (1 - fast**step), np.sqrt(scale / (1 - slow**step))
        step = rate * unbiased[0] / (unbiased[1] + 1e-8)
        z = region.project(z - region.spread * step)
    return z
