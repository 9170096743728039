# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads drawn at random: whole, near a head, between two heads, or one area anew.

Locked parameters keep their values to the last bit and the others are drawn given these. What no
distribution varies, expression and pose, stays as it is. FaceNet is not needed: where a head's
latent has not been measured, the surrogates predict it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import BoolArray, Float32Array, FloatArray, RealArray
from ..choices import DISTRIBUTIONS
from ..errors import UserError
from ..heads.areas import APPEARANCE_GROUPS, AREAS, AreaRedraw, checked_area
from ..heads.drawing import draw_heads
from ..heads.head_model import HeadModel
from ..latent.checked import checked_latents
from ..latent.natural import NaturalFaces
from ..latent.people import Faces
from ..latent.sphere import cosine_distance, exp_map, geodesic, log_map, normalise
from ..latent.who import ANYBODY, Who
from ..random_streams import random_stream
from .backward import BackwardMapping
from .correction import load_sampler
from .inversion import TrustRegion

__all__ = ["AREAS", "HeadSampler", "Sampled"]

Locked = BoolArray
Latent = Float32Array

# Latents among which one is chosen that suits the locked parameters, and the cosine distance lost
# to these that makes a latent e times less likely.
_CANDIDATES, _TOLERANCE = 64, 0.03
_PRIOR_HEADS, _SHRINKAGE = 4000, 0.05

_samplers: dict[str, HeadSampler] = {}


@dataclass(frozen=True)
class Sampled:
    """parameters (P,) of a head; requested (512,), the latent asked of B, None where none was."""

    parameters: Annotated[FloatArray, "P"]
    requested: Latent | None = None


class HeadSampler:
    """Draws heads of one model. The same generator state gives the same head."""

    def __init__(
        self,
        model: HeadModel,
        backward: BackwardMapping | None,
        natural: NaturalFaces,
        missing: UserError | None = None,
    ) -> None:
        """`missing` is raised where latents are asked for and `backward` is None."""
        self.model, self.table = model, model.table
        self._backward, self._natural, self._missing = backward, natural, missing
        self._varying = self.table.std > 0

    @classmethod
    def load(cls, model: HeadModel) -> HeadSampler:
        """The sampler of a model, loaded once; without B where the model has none (yet)."""
        known = _samplers.get(model.name)
        if known is not None and known.model is model:
            return known
        natural = NaturalFaces.load()
        try:
            sampler = cls(model, load_sampler(model.name, model.table), natural)
        except UserError as error:  # not kept: B may be trained while Blender runs
            return cls(model, None, natural, error)
        _samplers[model.name] = sampler
        return sampler

    @property
    def guided(self) -> bool:
        """Whether there is a B, so that latents can guide."""
        return self._backward is not None

    def sample(
        self,
        distribution: str,
        current: ArrayLike,
        locked: Locked,
        rng: np.random.Generator,
        who: Who = ANYBODY,
    ) -> Sampled:
        """A head of one of choices.DISTRIBUTIONS, given what is locked.

        Args:
            current: (P,) parameters of the head as it is.
            locked: (P,) parameters that stay.
            who: whose latents guide it.

        UserError for an unknown distribution, for "latent" where the model has no B, and for the
        others where somebody is asked for.
        """
        if distribution not in DISTRIBUTIONS:
            raise UserError(
                f"unknown distribution {distribution!r}: choose one of {', '.join(DISTRIBUTIONS)}"
            )
        start, locked = self._checked(current, locked)
        if distribution == "latent":
            return self._guided_sample(start, locked, rng, who.faces())
        if who != ANYBODY:
            raise UserError(
                f"distribution {distribution} has no latents to ask for people by: choose latent"
            )
        drawn = draw_heads(self.model, distribution, rng, 1)[0]
        if distribution == "prior":
            drawn = self._agreeing(drawn, start, locked)
        return Sampled(self._kept(drawn, start, locked))

    def nearby(
        self,
        angle: float,
        current: ArrayLike,
        latent: ArrayLike | None,
        locked: Locked,
        rng: np.random.Generator,
    ) -> Sampled:
        """The head at `angle` (radians, 0 to pi) from this one, towards a face drawn at random.

        `latent` (512,) is where FaceNet sees the head, predicted where it is None. The head moves
        by what B changes on the way, so that it stays itself at angle 0.
        """
        if not 0 <= angle <= np.pi:
            raise UserError(f"angle {np.degrees(angle):g}: give 0 to 180 degrees")
        start, locked = self._checked(current, locked)
        backward = self._need_backward()
        z = self.table.standardise(start)
        here = checked_latents(latent if latent is not None else backward.predicted(z))[0]
        direction = normalise(log_map(here, self._natural.sample(rng, 1)[0]))
        if angle == 0:
            return Sampled(start, here)
        there = exp_map(here, angle * direction)
        region = self._region(locked, z)
        before, after = backward.standardised(np.stack([here, there]), region=region, styled=False)
        moved = region.widened(z).project(z + after - before)
        values = self._kept(self._with_guided(start, moved), start, locked)
        return Sampled(values, there.astype(np.float32))

    def blend(
        self, first: ArrayLike, second: ArrayLike, fraction: float, locked: Locked
    ) -> Sampled:
        """The head at `fraction` (0 to 1) of the geodesic from `first` to `second`, (P,) each.

        Exact at both ends, with all parameters between them; what is locked stays as in `first`.
        Without a B it lies on the straight line between the parameters.
        """
        if not 0 <= fraction <= 1:
            raise UserError(f"fraction {fraction:g}: give a number from 0 to 1")
        start, locked = self._checked(first, locked)
        end = np.where(locked, start, self.table.validate(second)[0])
        line = start + fraction * (end - start)
        ends = self.table.standardise(np.stack([start, end]))
        requested = None
        if self._backward is not None:
            latents = self._backward.predicted(ends)
            requested = geodesic(latents[0], latents[1], fraction).astype(np.float32)
        if fraction in (0, 1):
            return Sampled(end if fraction else start, requested)
        if self._backward is None or requested is None:
            return Sampled(line)
        region = self._region(locked, ends)
        found = self._backward.standardised(
            np.stack([*latents, requested]), region=region, styled=False
        )
        bend = found[2] - ((1 - fraction) * found[0] + fraction * found[1])
        bent = region.widened(ends).project(self.table.standardise(line) + bend)
        return Sampled(np.where(locked, start, self._with_guided(line, bent)), requested)

    def reroll(
        self, area: str, current: ArrayLike, locked: Locked, rng: np.random.Generator
    ) -> Sampled:
        """The head with one of AREAS drawn anew: its shape, and the colours and hair there."""
        checked_area(area)
        start, locked = self._checked(current, locked)
        table, columns = self.table, self._areas.columns
        z = (start[columns] - table.mean[columns]) / table.std[columns]
        z = self._areas.redraw(area, z, ~locked[columns], rng)
        values = start.copy()
        values[columns] = table.mean[columns] + z * table.std[columns]
        values = self._kept(values, start, locked)
        groups = APPEARANCE_GROUPS.get(area, ())
        belongs = np.array([parameter.group in groups for parameter in table.parameters])
        belongs[columns] = False  # drawn already, by what it moves
        stays = locked | ~belongs
        drawn = self._agreeing(draw_heads(self.model, "prior", rng, 1)[0], values, stays)
        return Sampled(self._kept(drawn, values, stays))

    @cached_property
    def _areas(self) -> AreaRedraw:
        return AreaRedraw(self.model)

    def _guided_sample(
        self, current: FloatArray, locked: Locked, rng: np.random.Generator, faces: Faces
    ) -> Sampled:
        backward = self._need_backward()
        region = self._region(locked, self.table.standardise(current))
        wanted = faces.sample(rng, _CANDIDATES)
        row = rng.choice(_CANDIDATES, p=self._suitability(wanted, region))
        z = backward.standardised(wanted[row], region=region)
        values = self._with_guided(self.table.default(), z)
        return Sampled(self._kept(values, current, locked), wanted[row])

    def _suitability(self, wanted: Float32Array, region: TrustRegion) -> FloatArray:
        """Chances (N,) of latents, less for those from which the held parameters keep heads."""
        backward = self._need_backward()

        def missed(region: TrustRegion) -> FloatArray:
            z = backward.standardised(wanted, "direct", region=region, styled=False)
            return np.asarray(cosine_distance(backward.predicted(z), wanted))

        lost = (
            missed(region) - missed(backward.region) if len(region.held) else np.zeros(len(wanted))
        )
        chances = np.exp(-(lost - lost.min()) / _TOLERANCE)
        return np.asarray(chances / chances.sum())

    def _agreeing(self, drawn: FloatArray, current: FloatArray, locked: Locked) -> FloatArray:
        """A draw (P,) of the model's prior, moved to where it agrees with what is locked.

        The move is the linear regression on the locked parameters (Matheron's rule): exact for a
        normal prior, and none at all where nothing is locked.
        """
        table, drawn = self.table, drawn.copy()
        given, free = locked & self._varying, ~locked & self._varying
        if given.any() and free.any():
            lacking = (current[given] - drawn[given]) / table.std[given]
            correlations = self._prior_correlations
            moves = correlations[np.ix_(free, given)] @ np.linalg.solve(
                correlations[np.ix_(given, given)], lacking
            )
            drawn[free] += table.std[free] * moves
        return drawn

    @cached_property
    def _prior_correlations(self) -> FloatArray:
        """(P, P) of the prior, shrunk, since some parameters determine others; the same always."""
        heads = self.model.sample_prior(random_stream(0), _PRIOR_HEADS)
        deviations = (heads - self.table.mean) / np.where(self._varying, self.table.std, 1.0)
        shares = deviations.T @ deviations / len(deviations)
        return (1 - _SHRINKAGE) * shares + _SHRINKAGE * np.eye(len(self.table))

    def _region(self, locked: Locked, z: FloatArray) -> TrustRegion:
        """Where B may put heads whose locked parameters are those of the head z (1 or more, G)."""
        return self._need_backward().region.holding(locked[self.table.guided], z[0])

    def _with_guided(self, values: FloatArray, z: RealArray) -> FloatArray:
        """Values (P,) with the guided ones from z (1, G), within their ranges."""
        result = values.copy()
        result[self.table.guided] = self.table.from_standardised(z)[0, self.table.guided]
        return result

    def _kept(self, values: FloatArray, current: FloatArray, locked: Locked) -> FloatArray:
        """Values (P,) within their ranges, those of `current` where locked or never varied."""
        inside = np.clip(values, self.table.minimum, self.table.maximum)
        return np.where(locked | ~self._varying, current, inside)

    def _need_backward(self) -> BackwardMapping:
        if self._backward is None:
            raise self._missing or UserError(f"head model {self.model.name!r} has no B")
        return self._backward

    def _checked(self, current: ArrayLike, locked: Locked) -> tuple[FloatArray, Locked]:
        (values,) = self.table.validate(current)
        locked = np.asarray(locked)
        if locked.shape != values.shape or locked.dtype != bool:
            raise UserError(
                f"locks of shape {locked.shape} and type {locked.dtype}: give"
                f" {len(values)} of True or False"
            )
        return values, locked
