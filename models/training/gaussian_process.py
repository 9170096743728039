# SPDX-License-Identifier: GPL-3.0-or-later
"""A Gaussian process from parameters to latents, which teaches networks between rendered heads.

From few pairs it predicts better than networks do, and it is smooth where these are not; but it
grows with the pairs, so what runs in Blender are networks that have learnt from it, too.
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapter 2.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facegen_addon.arrays import Float32Array, RealArray
from facegen_addon.latent.sphere import normalise
from models.training.pairs import Pairs

_LENGTH = 10.0
"""Of the kernel, in the units of z times relevance."""

_LINEAR, _NOISE = 1.0, 0.01
"""Variances of the linear kernel and of the noise, of the Matern kernel's: what 150 held-out pairs
of `person` like best of nineteen settings, within 2 %."""

_ROWS = 2000  # predicted at once
_BESIDE = 0.3


@dataclass(frozen=True)
class GaussianProcess:
    """The posterior mean given pairs, by a Matern kernel (5/2) and a linear one.

    Attributes:
        scales: (G,) by which z is multiplied; inputs: (N, G) multiplied so.
        weights: (N, D); mean: (D,) of latents.
    """

    scales: Annotated[RealArray, "G"]
    inputs: Annotated[RealArray, "N G"]
    weights: Annotated[RealArray, "N D"]
    mean: Annotated[RealArray, "D"]

    @classmethod
    def fit(cls, pairs: Pairs, relevance: Annotated[RealArray, "G"]) -> GaussianProcess:
        """Condition on `pairs`; `relevance` (G,) of the parameters as `relevance()` tells it."""
        scales = np.asarray(relevance, np.float32) / _LENGTH
        inputs, mean = pairs.z * scales, pairs.latents.mean(axis=0)
        kernel = _kernel(inputs, inputs).astype(np.float64)
        kernel[np.diag_indices_from(kernel)] += _NOISE
        weights = np.linalg.solve(kernel, pairs.latents - mean)
        return cls(scales, inputs, weights.astype(np.float32), mean)

    def predict(self, z: Annotated[RealArray, "M G"]) -> Annotated[Float32Array, "M D"]:
        """Unit latents (M, D) of heads z (M, G)."""
        parts = [z[first : first + _ROWS] for first in range(0, len(z), _ROWS)]
        found = [_kernel(part * self.scales, self.inputs) @ self.weights for part in parts]
        return normalise(self.mean + np.concatenate(found)).astype(np.float32)  # type: ignore[no-any-return]


def _kernel(
    first: Annotated[RealArray, "M G"], second: Annotated[RealArray, "N G"]
) -> Annotated[RealArray, "M N"]:
    products = first @ second.T
    lengths = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    squares = 5 * np.maximum(lengths - 2 * products, 0)
    roots = np.sqrt(squares)
    result: RealArray = (1 + roots + squares / 3) * np.exp(-roots) + _LINEAR * products
    return result


def heads_between(
    z: Annotated[RealArray, "N G"], count: int, rng: np.random.Generator
) -> Annotated[Float32Array, "M G"]:
    """`count` heads (M, G), each between two of the heads z (N, G) and a little beside."""
    first, second = rng.integers(0, len(z), (2, count))
    share = rng.random((count, 1))
    beside = _BESIDE * rng.standard_normal((count, z.shape[1]))
    return (share * z[first] + (1 - share) * z[second] + beside).astype(np.float32)  # type: ignore[no-any-return]
