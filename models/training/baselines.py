# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain regressors latent -> standardised parameters: starting points and baselines for B."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np

from facegen_addon.arrays import RealArray
from models.training.pairs import Pairs

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
_TRIAL_PAIRS = 2500


class Regressor(Protocol):
    """Anything that maps latents (N, 512) to z (N, G)."""

    def predict(self, latents: Annotated[RealArray, "N D"]) -> Annotated[RealArray, "N G"]:
        """Latents (N, 512) -> z (N, G)."""
        ...


@dataclass(frozen=True)
class RidgeRegression:
    """Linear ridge regression; the penalty is what held-out pairs like best."""

    weights: Annotated[RealArray, "D G"]
    offset: Annotated[RealArray, "G"]
    centre: Annotated[RealArray, "D"]

    @classmethod
    def fit(cls, pairs: Pairs, penalty: float | None = None) -> RidgeRegression:
        """Fit to pairs; `penalty` as a share of the mean eigenvalue, chosen where None."""
        penalty = _best_penalty(cls, pairs) if penalty is None else penalty
        centre, offset = pairs.latents.mean(axis=0), pairs.z.mean(axis=0)
        inputs = (pairs.latents - centre).astype(np.float64)
        gram = inputs.T @ inputs
        gram[np.diag_indices_from(gram)] += penalty * np.trace(gram) / len(gram)
        return cls(np.linalg.solve(gram, inputs.T @ (pairs.z - offset)), offset, centre)

    def predict(self, latents: Annotated[RealArray, "N D"]) -> Annotated[RealArray, "N G"]:
        """Latents (N, 512) -> z (N, G)."""
        result: RealArray = (latents - self.centre) @ self.weights + self.offset
        return result


@dataclass(frozen=True)
class KernelRidge:
    """RBF kernel ridge regression, its width the median distance between pairs."""

    latents: Annotated[RealArray, "K D"]
    weights: Annotated[RealArray, "K G"]
    offset: Annotated[RealArray, "G"]
    gamma: float

    @classmethod
    def fit(cls, pairs: Pairs, penalty: float | None = None) -> KernelRidge:
        """Fit to pairs; `penalty` is added to the kernel's diagonal of ones, chosen where None."""
        penalty = _best_penalty(cls, pairs) if penalty is None else penalty
        distances = 2 - 2 * pairs.latents @ pairs.latents.T
        gamma = float(1 / np.median(distances[::7]))
        kernel = np.exp(-gamma * distances).astype(np.float64)
        kernel[np.diag_indices_from(kernel)] += penalty
        offset = pairs.z.mean(axis=0)
        weights = np.linalg.solve(kernel, pairs.z - offset)
        return cls(pairs.latents, weights.astype(np.float32), offset, gamma)

    def predict(self, latents: Annotated[RealArray, "N D"]) -> Annotated[RealArray, "N G"]:
        """Latents (N, 512) -> z (N, G)."""
        kernel = np.exp(-self.gamma * (2 - 2 * latents @ self.latents.T))
        result: RealArray = kernel @ self.weights + self.offset
        return result


@dataclass(frozen=True)
class NearestPair:
    """The parameters of the rendered head whose latent is nearest."""

    pairs: Pairs

    def predict(self, latents: Annotated[RealArray, "N D"]) -> Annotated[RealArray, "N G"]:
        """Latents (N, 512) -> z (N, G)."""
        return self.pairs.z[np.argmax(latents @ self.pairs.latents.T, axis=1)]


def _best_penalty(kind: type[RidgeRegression] | type[KernelRidge], pairs: Pairs) -> float:
    """The penalty with the least squared error on a fifth of at most `_TRIAL_PAIRS` pairs."""
    rows = np.linspace(0, len(pairs) - 1, min(len(pairs), _TRIAL_PAIRS)).astype(int)
    held_out = np.arange(len(rows)) % 5 == 0
    fit, test = rows[~held_out], rows[held_out]

    def error(penalty: float) -> float:
        model = kind.fit(Pairs(pairs.z[fit], pairs.latents[fit]), penalty)
        return float(np.mean((model.predict(pairs.latents[test]) - pairs.z[test]) ** 2))

    return min(_PENALTIES, key=error)
