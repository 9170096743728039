# SPDX-License-Identifier: GPL-3.0-or-later
"""Rare people among natural faces, found without drawing all others in full.

A point of NaturalFaces is normal once its group and spread are known, so what linear probes say of
it, before it is scaled to a unit latent, is a normal vector of a few numbers. These are drawn
first; the other axes, normal given these, only for those who may belong to somebody asked for.
How far a point lies from the origin, by which a probe's number is divided, is not known then: it
is taken to lie between bounds which Chernoff's inequality proves to hold but for one in 10^12.
So those who are found are distributed as if all had been drawn in full and the others rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from .natural import NaturalFaces

_MISSED = 1e-12
"""Chance that a point lies nearer to the origin, or farther, than its bounds."""
_UPWARDS, _DOWNWARDS = np.geomspace(1e-3, 0.999, 100), np.geomspace(1e-3, 1e4, 200)
"""Tilts by which Chernoff's bounds are looked for, shares of the largest that there can be upwards;
downwards there is no largest."""
_RANK = 1e-10
"""Share of the largest variance below which probes say the same."""


@dataclass(frozen=True)
class Candidates:
    """Points of which only what J probes say is known.

    kind (N,): number of group and spread together; said (N, J): the probes' numbers before points
    are scaled to unit norm, without biases.
    """

    kind: Annotated[IntArray, "N"]
    said: Annotated[FloatArray, "N J"]

    def __getitem__(self, rows: IntArray) -> Candidates:
        return Candidates(self.kind[rows], self.said[rows])


class ProbesFirst:
    """Draws candidates by what probes say, and completes those that are of use."""

    def __init__(self, faces: NaturalFaces, weights: Annotated[FloatArray, "T J"]) -> None:
        """weights: of J linear probes on the axes of the density's basis."""
        self._faces, self._weights = faces, weights
        shares = np.outer(faces.group_shares, faces.spread_shares).ravel()
        self._shares = shares / shares.sum()
        kinds = [
            _Kind.of(core, spread, faces, weights)
            for core in map(_Core.of, faces.group_means, faces.group_factors)
            for spread in faces.spreads
        ]
        self._means = np.stack([kind.mean for kind in kinds])
        self._factors = np.stack([kind.factor for kind in kinds])
        self._gains = np.stack([kind.gain for kind in kinds])
        self._nearest, self._farthest = np.array([kind.bounds for kind in kinds]).T

    def draw(self, rng: np.random.Generator, n: int) -> Candidates:
        """n candidates."""
        kind = rng.choice(len(self._shares), n, p=self._shares)
        noise = rng.standard_normal((n, self._means.shape[1]))
        said = self._means[kind] + np.einsum("nij,nj->ni", self._factors[kind], noise)
        return Candidates(kind, said)

    def may_read(
        self,
        candidates: Candidates,
        low: Annotated[FloatArray, "J"],
        high: Annotated[FloatArray, "J"],
    ) -> Annotated[BoolArray, "N"]:
        """Whether some latent of each could read from `low` to `high` (J,), biases taken off."""
        near, far = self._nearest[:, None], self._farthest[:, None]
        least = np.where(low > 0, low * near, low * far)[candidates.kind]
        most = np.where(high > 0, high * far, high * near)[candidates.kind]
        return np.asarray(((least <= candidates.said) & (candidates.said <= most)).all(axis=1))

    def complete(
        self, rng: np.random.Generator, candidates: Candidates
    ) -> Annotated[FloatArray, "N T"]:
        """Points (N, T) on the axes of the basis, drawn given what is known of each.

        By Matheron's rule: a point drawn freely, moved by the regression on what it says otherwise.
        """
        groups, spread = np.divmod(candidates.kind, len(self._faces.spreads))
        points = self._faces.draw_of(rng, groups, self._faces.spreads[spread])
        lacking = candidates.said - points @ self._weights
        return points + np.einsum("ntj,nj->nt", self._gains[candidates.kind], lacking)


@dataclass(frozen=True)
class _Core:
    """Core axes of one group: mean (C,), covariance (C, C), its variances (C,) along axes of its
    own, and the mean's squares (C,) along these."""

    mean: FloatArray
    covariance: FloatArray
    variances: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, mean: FloatArray, factor: FloatArray) -> _Core:
        covariance = factor @ factor.T
        variances, axes = np.linalg.eigh(covariance)
        return cls(mean, covariance, np.maximum(variances, 0.0), (mean @ axes) ** 2)


@dataclass(frozen=True)
class _Kind:
    """Of the points of one group and spread: mean (J,) and factor (J, J) of what probes say, gain
    (T, J) of the regression on it, and bounds of their distance to the origin."""

    mean: FloatArray
    factor: FloatArray
    gain: FloatArray
    bounds: tuple[float, float]

    @classmethod
    def of(cls, core: _Core, spread: float, faces: NaturalFaces, weights: FloatArray) -> _Kind:
        inner, tail = np.split(weights, [len(core.mean)])
        tail_variances = faces.tail_deviations**2
        across = np.concatenate(
            [spread**2 * core.covariance @ inner, tail_variances[:, None] * tail]
        )
        # Probes differ in their units by far more than numbers can be told apart.
        units = np.sqrt(np.maximum(np.einsum("tj,tj->j", weights, across), np.finfo(float).tiny))
        variances, axes = np.linalg.eigh(weights.T @ across / np.outer(units, units))
        kept = variances > _RANK * variances[-1]
        roots = np.sqrt(np.where(kept, variances, 0.0))
        inverse = (axes[:, kept] / variances[kept]) @ axes[:, kept].T
        return cls(
            core.mean @ inner + faces.tail_means @ tail,
            units[:, None] * (axes * roots),
            across / units @ inverse / units,
            distance_bounds(
                np.concatenate([spread**2 * core.variances, tail_variances]),
                np.concatenate([core.squares, faces.tail_means**2]),
            ),
        )


def distance_bounds(
    variances: Annotated[FloatArray, "T"], squares: Annotated[FloatArray, "T"]
) -> tuple[float, float]:
    """Distances to the origin between which a normal point lies but for one in 10^12.

    variances, squares: along the axes of its covariance, squares those of its mean. Chernoff: the
    chance is at most E[exp(t |p|^2)] exp(-t d^2), whatever t; the best of many t is taken.
    """
    largest = 1.0 / (2.0 * variances.max())
    upwards, downwards = largest * _UPWARDS, largest * _DOWNWARDS
    logs = -np.log(_MISSED / 2)
    above = ((logs + _log_moments(upwards, variances, squares)) / upwards).min()
    below = (-(logs + _log_moments(-downwards, variances, squares)) / downwards).max()
    return float(np.sqrt(max(below, 0.0))), float(np.sqrt(above))


def _log_moments(
    tilts: FloatArray, variances: FloatArray, squares: FloatArray
) -> Annotated[FloatArray, "M"]:
    """Log of E[exp(t |p|^2)] for tilts t (M,)."""
    shrunk = 1.0 - 2.0 * tilts[:, None] * variances
    return np.asarray((tilts[:, None] * squares / shrunk - 0.5 * np.log(shrunk)).sum(axis=1))
