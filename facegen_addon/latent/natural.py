# SPDX-License-Identifier: GPL-3.0-or-later
"""Where real faces live on the sphere: a density fitted to many people, kept as statistics only.

A face's direction is that of a normal vector in the plane of the leading principal axes: a mixture
of sixteen groups of people, each with mean, covariance and a few spreads (from close to the
group's typical face to far from it). The few axes beyond, of next to no variance, are normal and
alike for all groups. The density on the sphere is that of the directions (projected normal).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, IntArray, RealArray
from ..artifacts import load_npz, read_npz
from ..errors import Need, Remedy, UserError
from .metrics import Moments
from .sphere import normalise

ARTIFACT = "natural_faces"

# The radial integral of the density is a trapezoid sum around its mode, far beyond need:
# 80 steps over 20 standard deviations agree with any finer sum to 1e-12.
_RADIAL_STEPS = np.linspace(-10.0, 10.0, 81)


@dataclass(frozen=True)
class NaturalFaces:
    """The density of real faces, as arrays; K groups, S spreads, C core axes, T axes in all.

    basis (D, T): orthonormal axes, the core ones first.
    group_weights (K,), group_means (K, C), group_factors (K, C, C): lower Cholesky factors.
    spreads (S,), spread_weights (S,): factors on a group's deviation, mean square 1.
    tail_means (T - C,), tail_deviations (T - C,): the axes beyond the core.
    held_out_mean (D,), held_out_covariance (T, T) on the axes of `basis`: one photo of each of
    the people whom the fit has not seen.
    """

    basis: FloatArray
    group_weights: FloatArray
    group_means: FloatArray
    group_factors: FloatArray
    spreads: FloatArray
    spread_weights: FloatArray
    tail_means: FloatArray
    tail_deviations: FloatArray
    held_out_mean: FloatArray
    held_out_covariance: FloatArray

    @classmethod
    def load(cls, path: Path | str | None = None) -> NaturalFaces:
        """The project's density, or the one in `path`; UserError if missing, damaged or wrong."""
        arrays = load_npz(ARTIFACT) if path is None else read_npz(path)
        return cls.from_arrays(arrays, "models/natural_faces.npz" if path is None else str(path))

    @classmethod
    def from_arrays(cls, arrays: dict[str, AnyArray], source: str) -> NaturalFaces:
        """Check arrays read from `source`; UserError that names it if they are no density."""
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise UserError(f"{source} lacks {', '.join(missing)}: give a natural_faces.npz")
        density = cls(**{name: np.asarray(arrays[name], np.float64) for name in names})
        problem = density._problem()
        if problem:
            raise UserError(f"{source}: {problem}", Need(Remedy.RESTORE))
        return density

    def _problem(self) -> str | None:
        """What is wrong with the arrays, if anything."""
        groups, core = self.group_means.shape if self.group_means.ndim == 2 else (-1, -1)
        size, axes = self.basis.shape if self.basis.ndim == 2 else (-1, -1)
        expected = {
            "group_weights": (groups,),
            "group_means": (groups, core),
            "group_factors": (groups, core, core),
            "spread_weights": self.spreads.shape,
            "tail_means": (axes - core,),
            "tail_deviations": (axes - core,),
            "basis": (size, axes),
            "held_out_mean": (size,),
            "held_out_covariance": (axes, axes),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape:
                return f"{name} has shape {array.shape} where {shape} is expected"
        for field in fields(self):
            if not np.all(np.isfinite(getattr(self, field.name))):
                return f"{field.name} holds NaN or infinite values"
        for name in ("group_weights", "spread_weights"):
            weights = getattr(self, name)
            if np.any(weights < 0) or not np.isclose(weights.sum(), 1.0, atol=1e-4):
                return f"{name} are not shares that sum to 1"
        if np.any(np.diagonal(self.group_factors, axis1=1, axis2=2) <= 0):
            return "group_factors are not factors of covariances"
        return None

    @property
    def latent_size(self) -> int:
        """D, 512 for FaceNet."""
        return len(self.basis)

    @property
    def held_out(self) -> Moments:
        """Mean (D,) and covariance (D, D) of real people's latents that the fit has not seen."""
        return Moments(self.held_out_mean, self.basis @ self.held_out_covariance @ self.basis.T)

    def sample(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """Latents of `n` people who do not exist, (n, D) float32 of unit norm."""
        return self.latents(self.draw(rng, n))

    def people(self, rng: np.random.Generator, n: int) -> Annotated[Float32Array, "N D"]:
        """Those who are to be covered are anybody: as `sample`."""
        return self.sample(rng, n)

    def latents(self, points: Annotated[FloatArray, "N T"]) -> Annotated[Float32Array, "N D"]:
        """The latents in the directions of points (N, T) on the axes of `basis`."""
        return normalise(points @ self.basis.T).astype(np.float32)

    def draw(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "n T"]:
        """Points (n, T) on the axes of `basis`, whose directions are `sample`'s latents."""
        if n < 0:
            raise UserError(f"{n} latents cannot be drawn: ask for 0 or more")
        groups = rng.choice(len(self.group_weights), n, p=self.group_shares)
        spreads = rng.choice(self.spreads, n, p=self.spread_shares)
        return self.draw_of(rng, groups, spreads)

    def draw_of(
        self,
        rng: np.random.Generator,
        groups: Annotated[IntArray, "n"],
        spreads: Annotated[FloatArray, "n"],
    ) -> Annotated[FloatArray, "n T"]:
        """Points (n, T) as `draw` gives them, of these groups (n,), by number, and spreads (n,)."""
        n = len(groups)
        core = rng.standard_normal((n, self.group_means.shape[1])) * spreads[:, None]
        for group in np.unique(groups):
            members = groups == group
            core[members] = self.group_means[group] + core[members] @ self.group_factors[group].T
        tail = self.tail_means + self.tail_deviations * rng.standard_normal(
            (n, len(self.tail_deviations))
        )
        return np.hstack([core, tail])

    @property
    def pushed(self) -> bool:
        """Latents may be pushed away from others, whoever they become."""
        return True

    @property
    def kept(self) -> Annotated[FloatArray, "D 0"]:
        """None: nobody in particular is asked for."""
        return np.zeros((self.latent_size, 0))

    def groups_of(self, latents: Annotated[RealArray, "N D"]) -> Annotated[IntArray, "N"]:
        """All are of one group, 0."""
        return np.zeros(len(latents), int)

    def strata_of(self, latents: Annotated[RealArray, "N D"]) -> Annotated[IntArray, "N 0"]:
        """No shares are asked for."""
        return np.zeros((len(latents), 0), int)

    @property
    def group_shares(self) -> Annotated[FloatArray, "K"]:
        """group_weights that sum to exactly 1."""
        return _shares(self.group_weights)

    @property
    def spread_shares(self) -> Annotated[FloatArray, "S"]:
        """spread_weights that sum to exactly 1."""
        return _shares(self.spread_weights)

    def log_density(self, latents: Annotated[RealArray, "N D"]) -> Annotated[FloatArray, "N"]:
        """Log density (N,) of latents (N, D), per steradian of the core axes' unit sphere.

        The higher, the more natural. What a latent has beyond the core axes is not judged.
        """
        core = self.group_means.shape[1]
        directions = normalise(np.asarray(latents, np.float64) @ self.basis[:, :core])
        scores = [
            self._log_group_density(directions, group, spread)
            + np.log(self.group_weights[group] * weight)
            for group in range(len(self.group_weights))
            for spread, weight in zip(self.spreads, self.spread_weights, strict=True)
        ]
        return np.asarray(np.logaddexp.reduce(scores, axis=0))

    def _log_group_density(self, directions: FloatArray, group: int, spread: float) -> FloatArray:
        """Log density of the directions (N, C) of one normal vector: the integral over radii."""
        factor, mean = self.group_factors[group] * spread, self.group_means[group]
        whitened = np.linalg.solve(factor, directions.T)
        centre = np.linalg.solve(factor, mean)
        lengths = np.linalg.norm(whitened, axis=0)
        core = len(mean)
        return (
            _log_radial_integral(centre @ whitened / lengths, core)
            - core * np.log(lengths)
            - np.log(np.diagonal(factor)).sum()
            - 0.5 * (centre @ centre)
            - 0.5 * core * np.log(2.0 * np.pi)
        )


def _log_radial_integral(slope: FloatArray, dimensions: int) -> FloatArray:
    """Log of the integral over t > 0 of t^(dimensions - 1) exp(slope t - t^2 / 2), for (N,)."""
    power = dimensions - 1
    mode = 0.5 * (slope + np.sqrt(slope**2 + 4.0 * power))
    width = 1.0 / np.sqrt(1.0 + power / mode**2)
    radii = np.maximum(mode[:, None] + width[:, None] * _RADIAL_STEPS, 1e-300)
    exponents = power * np.log(radii) + slope[:, None] * radii - 0.5 * radii**2
    peak = exponents.max(axis=1)
    step = width * (_RADIAL_STEPS[1] - _RADIAL_STEPS[0])
    return peak + np.log(np.exp(exponents - peak[:, None]).sum(axis=1) * step)


def _shares(weights: FloatArray) -> FloatArray:
    """Weights that sum to exactly 1, as the generator demands; storage rounds them."""
    return weights / weights.sum()
